"""What an alert rests on, put together for whoever asks later.

While readings are judged only a :class:`Case` is kept of each alert: references to what is there
anyway. The evidence is made of it afterwards; quiet readings have none.

:class:`~common.records.evidence.AlertEvidence` is the definition. What is written here is what it
would write, without building one: to look once more at a thousand numbers that were reckoned just
now takes longer than all else. ``test_evidence.py`` holds both against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby, pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from common.machines.rows import split_rows
from common.records.alerts import Alert
from common.records.evidence import (
    MAX_EVIDENCE_BYTES,
    MAX_VALUES,
    AlertEvidence,
    EvidenceMessage,
    derive_evidence_id,
)
from common.ring import Marks, Ring, shortest
from detector.core.conclusion.rounding import rounded
from detector.core.conclusion.weighing import Weighed
from detector.core.fleet import Fleet
from detector.core.pipeline import EPOCH
from models.alarm import AlarmChange, AlarmPolicy
from models.scoring.evidence import Weight
from models.scoring.measures.contributions import RECENT_ROWS


@dataclass(frozen=True, slots=True)
class Case:
    """An alert, and what it was made of.

    Attributes:
        alert: The alert.
        change: The transition it tells.
        policy: The rule.
        fleet: Whose model judged it.
        weighed: The batch's windows.
        position: Which of them.
        ring: The readings of the window, as measured or held.
        window: The same on the model's scale, shape ``(window_length, n_channels)``.
    """

    alert: Alert
    change: AlarmChange
    policy: AlarmPolicy
    fleet: Fleet
    weighed: Weighed
    position: int
    ring: Ring
    window: NDArray[np.float32]

    @property
    def conditions(self) -> NDArray[np.float64]:
        """How the machine was run, shape ``(window_length, n_conditions)``."""
        return split_rows(self.ring.rows, self.ring.rows.shape[1] - self.window.shape[1])[0]

    @property
    def size(self) -> int:
        """How many values the evidence would hold, if it might be as large as it likes."""
        return int(self.ring.rows.size + self.window.size)


def case_slices(cases: Sequence[Case], most_values: int) -> Iterator[Sequence[Case]]:
    """Yield cases in order, so many at a time that their evidence holds about ``most_values``."""
    part: list[Case] = []
    values = 0
    for case in cases:
        size = min(case.size, MAX_VALUES)
        if part and values + size > most_values:
            yield part
            part, values = [], 0
        part.append(case)
        values += size
    if part:
        yield part


def all_evidence(cases: Sequence[Case]) -> list[EvidenceMessage]:
    """Return the evidence of some alerts, in their order.

    Each is the same, however readings were cut into batches. The oldest readings of a window are
    left out where all would not fit into a message.
    """
    weights = _weights(cases)
    by_model: dict[int, list[int]] = {}
    for place, case in enumerate(cases):  # not by fleet: each of its assets may have its own
        by_model.setdefault(id(case.fleet.scorer), []).append(place)
    found: dict[int, EvidenceMessage] = {}
    for places in by_model.values():
        shown = _shown([cases[place] for place in places])
        for place, columns in zip(places, shown, strict=True):
            found[place] = _message(cases[place], columns, weights[place])
    return [found[place] for place in range(len(cases))]


def make_evidence(case: Case) -> AlertEvidence:
    """Return the evidence of one alert."""
    (found,) = all_evidence([case])
    return AlertEvidence.model_validate_json(found.value)


def _weights(cases: Sequence[Case]) -> list[tuple[Weight, ...]]:
    """Return every kind of evidence of each case; the cases of a batch stand together."""
    return [
        weights
        for _, batch in groupby(cases, key=lambda case: id(case.weighed))
        for some in [list(batch)]
        for weights in some[0].weighed.each([case.position for case in some])
    ]


@dataclass(frozen=True, slots=True)
class _Columns:
    """What a window showed, and what was expected: the latest readings, as they are told.

    Attributes:
        measured: Of each condition and then of each channel, its values.
        expected: Of each channel, what its model expects; none where that is no number.
        levels: Of each channel, where its latest readings are, in healthy deviations.
        means: Of each channel, the healthy mean of a machine run as at the latest reading.
        sds: Its deviation.
    """

    measured: list[list[float]]
    expected: list[list[float | None]]
    levels: list[float]
    means: list[float]
    sds: list[float]

    def latest(self, kept: int) -> _Columns:
        """Return them with so many readings; at least one."""
        if kept == len(self.measured[0]):
            return self
        return _Columns(
            [column[-kept:] for column in self.measured],
            [column[-kept:] for column in self.expected],
            self.levels,
            self.means,
            self.sds,
        )


def _shown(cases: Sequence[Case]) -> list[_Columns]:
    """Return what is told of the windows of one model, which is asked once."""
    rows = np.stack([case.ring.rows for case in cases])  # (n, W, K + C)
    windows = np.stack([case.window for case in cases])  # (n, W, C)
    length, channels = windows.shape[1:]
    kept = min(length, max(1, MAX_VALUES // (rows.shape[2] + channels)))
    conditions = np.stack([case.conditions for case in cases])  # (n, W, K)
    expected = cases[0].fleet.scorer.expect(conditions, windows)
    recent = windows[:, -RECENT_ROWS:].astype(np.float64)
    columns = (
        shortest(rows[:, length - kept :].transpose(0, 2, 1)),
        rounded(expected.values[:, length - kept :].transpose(0, 2, 1)),
        (np.add.reduce(recent, axis=1) / recent.shape[1]).tolist(),
        expected.means[:, -1].tolist(),
        expected.sds[:, -1].tolist(),
    )
    return [_Columns(*each) for each in zip(*columns, strict=True)]


def _message(case: Case, columns: _Columns, weights: Sequence[Weight]) -> EvidenceMessage:
    """Return the evidence of an alert, with as many of its readings as a message holds."""
    kept = len(columns.measured[0])
    while len(value := _written(case, columns.latest(kept), weights)) > MAX_EVIDENCE_BYTES:
        if kept == 1:  # the machine type with most channels is far from it
            break
        kept //= 2
    return EvidenceMessage(case.alert.asset_id, value)


def _written(case: Case, columns: _Columns, weights: Sequence[Weight]) -> bytes:
    alert, machine = case.alert, case.fleet.spec.machine
    kept, first_channel = len(columns.measured[0]), len(machine.conditions)
    return msgspec.json.encode(
        {
            "schema_version": 1,
            "evidence_id": derive_evidence_id(alert),
            "alert_id": alert.alert_id,
            "alarm_id": alert.alarm_id,
            "fleet": alert.fleet,
            "asset_id": alert.asset_id,
            "run_id": alert.run_id,
            "level": alert.level,
            "state": alert.state,
            "cycle": alert.cycle,
            "ts": alert.ts,
            "evidence": alert.evidence,
            "severity": case.weighed.severities[case.position],
            "score": alert.score,
            "threshold": alert.threshold,
            "weighed": list(map(_weight, weights)),
            "life": None if alert.life is None else dict(alert.life),
            "rule": _rule(case),
            "model": dict(alert.model),
            "machine": machine.name,
            "step": machine.step.word,
            "window": _window(case.ring.marks, kept),
            "conditions": [
                {"name": condition.name, "unit": condition.unit, "values": values}
                for condition, values in zip(machine.conditions, columns.measured, strict=False)
            ],
            "channels": _channels(case, columns, columns.measured[first_channel:]),
        }
    )


def _weight(weight: Weight) -> dict[str, Any]:
    return {
        "evidence": weight.kind,
        "score": weight.score,
        "warning": weight.warning,
        "critical": weight.critical,
        "severity": weight.severity,
    }


def _rule(case: Case) -> dict[str, Any]:
    policy = case.policy
    return {
        "on_delay": policy.on_delay_cycles,
        "among": max(policy.on_delay_cycles, policy.on_window_cycles),
        "off_delay": policy.off_delay_cycles,
        "deadband": policy.deadband,
        "min_length": policy.min_length_cycles,
        "merge_gap": policy.merge_gap_cycles,
        "counted": case.change.row,
        "flaps": case.change.flaps,
    }


def _window(marks: Marks, kept: int) -> dict[str, Any]:
    moments = marks.moments()
    first = len(moments) - kept
    missing = [0] * len(moments)
    for index, (before, after) in enumerate(pairwise(moments), 1):
        missing[index] = after.cycle - before.cycle - 1 if before and after else 0
    return {
        "length": len(moments),
        "omitted": first,
        "cycles": [moment and moment.cycle for moment in moments[first:]],
        "ts": [
            moment and EPOCH + timedelta(microseconds=moment.taken_us) for moment in moments[first:]
        ],
        "missing_before": missing[first:],
    }


def _channels(
    case: Case, columns: _Columns, measured: Sequence[Sequence[float]]
) -> list[dict[str, Any]]:
    """Return what each channel showed, the one that contributed most first.

    Args:
        case: The alert.
        columns: What is told of its window.
        measured: Of it, the channels.
    """
    used, kept = case.fleet.spec.machine.used, len(measured[0])
    held: Sequence[list[int]] = [[]] * len(used)
    if case.ring.marks.held.size:
        rows = case.ring.marks.held[len(case.ring.rows) - kept :]
        held = [np.flatnonzero(column).tolist() for column in rows.T]
    by_name = {channel.name: index for index, channel in enumerate(used)}
    return [
        {
            "name": share.name,
            "share": share.share,
            "direction": share.direction,
            "against": share.against,
            "unit": used[index].unit,
            "level_sd": columns.levels[index],
            "healthy_mean": columns.means[index],
            "healthy_sd": columns.sds[index],
            "values": measured[index],
            "expected": columns.expected[index],
            "held": held[index],
        }
        for share, index in ((share, by_name[share.name]) for share in case.alert.channels)
    ]
