"""Runs the authors' code of range metrics on made-up series and records what it says.

``tests/unit/models_ranges/test_oracles.py`` compares Surgeline's own figures with the record. The
packages are no dependency of ours (one pulls in TensorFlow), so they live in a venv of their own::

    python -m venv /tmp/oracles
    /tmp/oracles/bin/pip install vus==0.0.6 telemeval==0.3.4
    /tmp/oracles/bin/pip install --no-deps prts==1.0.0.3
    PYTHONPATH=. /tmp/oracles/bin/python -m bench.quality.range_oracles
"""

from __future__ import annotations

import json
import math
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from prts import ts_recall
from telemeval.metrics.affiliation import score_affiliation
from telemeval.metrics.event_wise import score_event_wise
from vus.affiliation.metrics import pr_from_events
from vus.utils.metrics import metricor

RECORD: Final = Path("tests/unit/models_ranges/oracles.json")
CASES: Final = 14
SEED: Final = 20261126

Span = tuple[int, int]


def main() -> None:
    """Write the record."""
    draws = np.random.default_rng(SEED)
    record = {
        "versions": {name: version(name) for name in ("vus", "telemeval", "prts", "numpy")},
        "seed": SEED,
        "cases": [_case(draws, number) for number in range(CASES)],
    }
    RECORD.write_text(json.dumps(record, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{CASES} cases: {RECORD}, {RECORD.stat().st_size} bytes")


def _case(draws: np.random.Generator, number: int) -> dict[str, object]:
    rows = int(draws.integers(90, 260))
    truth = _mask(draws, rows, int(draws.integers(1, 5)), 30)
    if number == 0:  # at both ends
        truth[:] = False
        truth[:7] = truth[-5:] = True
    if number == 1:  # one row
        truth[:] = False
        truth[40] = True
    if number == 2:  # buffers that touch, and buffers that share a row
        truth[:] = False
        truth[20:25] = truth[31:35] = truth[40:44] = True
    digits = 1 if number % 3 else 3  # with ties
    score = (draws.normal(size=rows) + 1.5 * truth).round(digits)
    flags = _mask(draws, rows, int(draws.integers(0, 5)), 15)
    flags[2:] |= truth[:-2] & (draws.random(rows - 2) < 0.5)  # late, and in pieces
    if number == 3:
        flags[:] = False
    longest = int(draws.integers(0, 41))
    return {
        "rows": rows,
        "true": _spans(truth),
        "found": _spans(flags),
        "score": score.tolist(),
        "longest": longest,
        **_volume(truth, score, longest),
        **_affiliation(truth, flags),
        **_events(truth, flags),
    }


def _volume(
    truth: NDArray[np.bool_], score: NDArray[np.float64], longest: int
) -> dict[str, object]:
    found = metricor().RangeAUC_volume_opt(truth.astype(int), score, longest)
    tpr, fpr, precision = found[0], found[1], found[2]
    roc = (np.diff(fpr, axis=1) * (tpr[:, 1:] + tpr[:, :-1]) / 2).sum(axis=1)
    pr = (np.diff(tpr[:, :-1], axis=1) * precision[:, 1:]).sum(axis=1)
    return {
        "vus_roc": float(found[4]),
        "vus_pr": float(found[5]),
        "range_auc_roc": float(roc[-1]),
        "range_auc_pr": float(pr[-1]),
    }


def _affiliation(truth: NDArray[np.bool_], flags: NDArray[np.bool_]) -> dict[str, object]:
    found = pr_from_events(_spans(flags), _spans(truth), (0, len(truth)))
    precision = found["Affiliation_Precision"]
    other = score_affiliation(_frames(truth, flags), beta=1.0)
    return {
        "affiliation_precision": None if math.isnan(precision) else precision,
        "affiliation_recall": found["Affiliation_Recall"],
        "telemeval_affiliation_recall": other["affiliation_recall"],
    }


def _events(truth: NDArray[np.bool_], flags: NDArray[np.bool_]) -> dict[str, object]:
    counts = score_event_wise(_frames(truth, flags), beta=1.0)
    return {
        "events": {
            name: counts[name]
            for name in ("total_events", "detected_events", "predicted_alarms", "false_alarms")
        },
        # range recall that rewards existence alone: the part of anomalies that was touched
        "prts_recall": float(ts_recall(truth.astype(int), flags.astype(int), 1.0, "one", "flat"))
        if flags.any()
        else 0.0,
    }


def _frames(truth: NDArray[np.bool_], flags: NDArray[np.bool_]) -> dict[str, pd.DataFrame]:
    clock = pd.date_range("2026-01-01", periods=len(truth), freq="min")
    spans = _spans(truth)
    labels = pd.DataFrame(
        {
            "ID": [str(place) for place in range(len(spans))],
            "StartTime": [clock[start] for start, _ in spans],
            "EndTime": [clock[stop - 1] for _, stop in spans],
        }
    )
    predictions = pd.DataFrame({"Timestamp": clock, "Score": flags.astype("uint8")})
    return {"global_labels": labels, "global_predictions": predictions}


def _mask(draws: np.random.Generator, rows: int, stretches: int, longest: int) -> NDArray[np.bool_]:
    mask = np.zeros(rows, np.bool_)
    for start in draws.integers(0, rows, stretches):
        mask[start : start + draws.integers(1, longest)] = True
    return mask


def _spans(mask: NDArray[np.bool_]) -> list[Span]:
    steps = np.diff(np.concatenate(([0], mask.astype(np.int8), [0])))
    starts, stops = np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist()
    return list(zip(starts, stops, strict=True))


if __name__ == "__main__":
    main()
