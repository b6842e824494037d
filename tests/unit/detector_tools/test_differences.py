"""What counts as a difference between live and expected, and what does not."""

from __future__ import annotations

import pytest

from common.records.alerts import Alert
from common.records.verdicts import Evidence, Level, LifeLeft, ScoreRecord, Verdict
from detector.core.pipeline import decode_batch
from detector.tools.parity.differences import (
    Comparison,
    CycleRef,
    LiveVerdict,
    compare_alerts,
    relative_difference,
)
from detector.tools.parity.expected import Expected, expect
from models.alarm import AlarmPolicy
from tests.support.builders import INPUTS, MeanScorer, fleets_of, reading, records

POLICY = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.05)
ASSET = "engine-1"


@pytest.fixture
def expected() -> Expected:
    """Twelve cycles of which the last six are critical: one alarm."""
    stream = records([reading(cycle, 0.5 if cycle < 7 else 3.0) for cycle in range(1, 13)])
    scorer = MeanScorer()
    return expect(
        decode_batch(stream, fleets_of(scorer, INPUTS)), fleets_of(scorer, INPUTS, POLICY)
    )


def live_of(verdicts: dict[int, ScoreRecord]) -> dict[int, LiveVerdict]:
    return {
        cycle: LiveVerdict(
            row.status, row.level, row.model, row.score, row.warning_threshold,
            row.critical_threshold, row.evidence, row.severity, row.life,
        )
        for cycle, row in verdicts.items()
    }  # fmt: skip


def compared(expected: Expected, live: dict[int, LiveVerdict]) -> Comparison:
    comparison = Comparison(tolerance=1e-6)
    key = (ASSET, "run-1")
    comparison.add_asset(ASSET, live, expected.verdicts[key], expected.scores[key])
    return comparison


def live_from(expected: Expected) -> dict[int, LiveVerdict]:
    return live_of(dict(expected.verdicts[ASSET, "run-1"]))


def test_the_same_is_the_same(expected: Expected) -> None:
    comparison = compared(expected, live_from(expected))

    assert comparison.scores == 9
    assert (comparison.missing, comparison.extra, comparison.beyond) == ([], [], [])
    assert comparison.verdicts == []
    assert comparison.largest is not None
    assert comparison.largest.relative == 0.0


def test_a_score_off_by_more_than_the_bound_is_told_with_both_numbers(expected: Expected) -> None:
    live = live_from(expected)
    live[5] = live[5]._replace(score=0.5 * (1 + 3e-6))

    comparison = compared(expected, live)

    [pair] = comparison.beyond
    assert (pair.asset_id, pair.cycle, pair.batch) == (ASSET, 5, 0.5)
    assert pair.relative == pytest.approx(3e-6, rel=1e-3)
    assert comparison.largest == pair


def test_a_score_off_by_less_than_the_bound_is_the_largest_but_no_difference(
    expected: Expected,
) -> None:
    live = live_from(expected)
    live[5] = live[5]._replace(score=0.5 * (1 + 5e-7))

    comparison = compared(expected, live)

    assert comparison.beyond == []
    assert comparison.largest is not None
    assert comparison.largest.relative == pytest.approx(5e-7, rel=1e-3)


def test_a_row_that_is_not_there_is_missing(expected: Expected) -> None:
    live = live_from(expected)
    del live[8], live[2]

    comparison = compared(expected, live)

    assert comparison.missing == [CycleRef(ASSET, 8)]
    assert [(d.cycle, d.live) for d in comparison.verdicts] == [(2, "nothing"), (8, "nothing")]
    assert comparison.verdicts[0].expected == "warming_up"


def test_a_score_that_should_not_be_there_is_extra(expected: Expected) -> None:
    live = live_from(expected)
    live[2] = live[7]
    live[13] = live[7]

    comparison = compared(expected, live)

    assert comparison.extra == [CycleRef(ASSET, 2), CycleRef(ASSET, 13)]
    assert [d.cycle for d in comparison.verdicts] == [2, 13]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"status": Verdict.GAP}, id="status"),
        pytest.param({"level": Level.NONE}, id="level"),
        pytest.param({"warning_threshold": 1.1}, id="warning threshold"),
        pytest.param({"critical_threshold": None}, id="no critical threshold"),
        pytest.param({"evidence": Evidence.CHANNEL}, id="other evidence"),
    ],
)
def test_another_verdict_is_a_difference(expected: Expected, change: dict[str, object]) -> None:
    live = live_from(expected)
    live[9] = live[9]._replace(**change)  # type: ignore[arg-type]  # any field of it

    assert [d.cycle for d in compared(expected, live).verdicts] == [9]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"severity": 0.5 * (1 + 3e-6)}, id="severity"),
        pytest.param({"severity": None}, id="no severity"),
        pytest.param({"life": LifeLeft(9.0, 5.0, 12.0)}, id="a life where none is expected"),
    ],
)
def test_every_number_of_a_scored_reading_is_compared(
    expected: Expected, change: dict[str, object]
) -> None:
    live = live_from(expected)
    live[5] = live[5]._replace(**change)  # type: ignore[arg-type]  # any field of it

    assert [(pair.asset_id, pair.cycle) for pair in compared(expected, live).beyond] == [(ASSET, 5)]


def test_relative_difference_needs_no_scale() -> None:
    assert relative_difference(0.0, 1e-300) == 1.0
    assert relative_difference(-2.0, 2.0) == 2.0
    assert relative_difference(1.0, 1.0) == 0.0


def alert_of(expected: Expected) -> Alert:
    [alert] = expected.alerts
    return alert


def test_a_redelivered_alert_is_the_same_alert(expected: Expected) -> None:
    alert = alert_of(expected)

    diff = compare_alerts([alert, alert], [alert], 1e-6)

    assert diff.equal
    assert (diff.live, diff.expected, diff.redelivered) == (1, 1, 1)


def test_alerts_missing_and_extra_are_told_apart(expected: Expected) -> None:
    alert = alert_of(expected)
    other = alert.model_copy(update={"alert_id": "another"})

    diff = compare_alerts([other], [alert], 1e-6)

    assert (diff.missing, diff.extra, diff.equal) == ((alert,), (other,), False)


@pytest.mark.parametrize(
    "update",
    [
        pytest.param({"score": 3.1}, id="score"),
        pytest.param({"threshold": 1.0}, id="threshold"),
        pytest.param({"level": Level.WARNING}, id="level"),
        pytest.param({"channels": ()}, id="channels"),
    ],
)
def test_an_alert_of_the_same_id_with_another_content_is_different(
    expected: Expected, update: dict[str, object]
) -> None:
    alert = alert_of(expected)
    changed = alert.model_copy(update=update)

    # the wrong one may as well come first
    assert compare_alerts([changed, alert], [alert], 1e-6).different == (changed,)
    assert compare_alerts([alert, changed], [alert], 1e-6).different == (changed,)


def test_the_expectation_counts_repeats_apart() -> None:
    stream = [reading(cycle) for cycle in (1, 2, 2, 5, 6, 3, 7, 8)]
    scorer = MeanScorer()

    came = expect(
        decode_batch(records(stream), fleets_of(scorer, INPUTS)), fleets_of(scorer, INPUTS, POLICY)
    )

    assert came.repeats == {Verdict.DUPLICATE: 1, Verdict.LATE: 1}
    assert came.readings == 8
    assert sorted(came.verdicts[ASSET, "run-1"]) == [1, 2, 5, 6, 7, 8]
