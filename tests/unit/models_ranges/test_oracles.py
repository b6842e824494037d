"""Our figures of ranges are those of their authors' code, as ``range_oracles.py`` recorded it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.evaluation.ranges.affiliation import affiliation
from models.evaluation.ranges.events import events
from models.evaluation.ranges.volume import volume
from models.evaluation.series import Span

RECORD = json.loads((Path(__file__).parent / "oracles.json").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = RECORD["cases"]


def spans(case: dict[str, Any], name: str) -> tuple[Span, ...]:
    return tuple((start, stop) for start, stop in case[name])


@pytest.fixture(params=CASES, ids=[f"case{number}" for number in range(len(CASES))])
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


def test_the_volume_is_that_of_vus(case: dict[str, Any]) -> None:
    areas = volume(np.array(case["score"]), spans(case, "true"), case["longest"])

    for name in ("vus_pr", "vus_roc", "range_auc_pr", "range_auc_roc"):
        assert getattr(areas, name) == pytest.approx(case[name], abs=1e-9), name


def test_affiliation_is_that_of_its_authors(case: dict[str, Any]) -> None:
    found = affiliation(spans(case, "found"), spans(case, "true"), case["rows"])

    assert found.recall == pytest.approx(case["affiliation_recall"], abs=1e-12)
    assert found.recall == pytest.approx(case["telemeval_affiliation_recall"], abs=1e-12)
    if case["affiliation_precision"] is None:
        assert found.precision is None
    else:
        assert found.precision == pytest.approx(case["affiliation_precision"], abs=1e-12)


def test_events_are_counted_as_telemeval_and_prts_count_them(case: dict[str, Any]) -> None:
    counts, expected = events(spans(case, "found"), spans(case, "true")), case["events"]

    assert counts.true == expected["total_events"]
    assert counts.found == expected["detected_events"]
    assert counts.alarms == expected["predicted_alarms"]
    assert counts.false == expected["false_alarms"]
    assert counts.recall == pytest.approx(case["prts_recall"])


def test_the_record_holds_what_can_go_wrong() -> None:
    assert any(case["affiliation_precision"] is None for case in CASES)
    assert any(case["true"][0][0] == 0 for case in CASES)
    assert any(case["true"][-1][1] == case["rows"] for case in CASES)
    assert any(stop - start == 1 for case in CASES for start, stop in case["true"])
    assert any(len(set(case["score"])) < case["rows"] for case in CASES)
    assert sum(case["events"]["detected_events"] > 0 for case in CASES) >= 5
