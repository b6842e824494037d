"""What-if on stored verdicts: nothing but what a verdict says, stepped through two rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.records.alerts import Transition
from common.records.verdicts import Evidence, Level
from models.alarm import AlarmPolicy
from models.whatif.matching import match_alerts
from models.whatif.stored import Compared, OtherThresholds, Row, WouldBe, compare

POLICY = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.0)
KEY = ("a", "r")
NOTHING_ELSE = OtherThresholds()


def row(cycle: int, severity: float | None, evidence: Evidence = Evidence.DEGRADATION) -> Row:
    """Return a verdict of a model whose warning is at 2 and critical at 4."""
    if severity is None:
        return Row(cycle)
    level = Level.CRITICAL if severity >= 2 else Level.WARNING if severity >= 1 else Level.NONE
    return Row(cycle, 2 * severity, severity, evidence, level, 2.0, 4.0)


def rows_of(severities: list[float | None]) -> list[Row]:
    return [row(cycle, severity) for cycle, severity in enumerate(severities, start=1)]


def changed(rows: list[Row], policy: AlarmPolicy = POLICY) -> Compared:
    return compare({KEY: rows}, lambda _: POLICY, lambda _: policy, NOTHING_ELSE)


courses = st.lists(st.none() | st.floats(0, 4), max_size=60)


@given(courses)
def test_the_same_rule_changes_nothing(severities: list[float | None]) -> None:
    found = compare(
        {KEY: rows_of(severities)}, lambda _: POLICY, lambda _: POLICY, OtherThresholds(2.0, 4.0)
    )

    assert found.changes == {}
    assert found.alarms_before == found.alarms_after
    assert found.uncertain == 0


@given(courses, st.floats(0.5, 8))
@example([1.5, 1.5, 1.5], 4.0)
def test_another_threshold_is_what_that_threshold_would_have_stored(
    severities: list[float | None], warning: float
) -> None:
    thresholds = OtherThresholds(warning=warning)
    stored = rows_of(severities)
    as_if = [
        each if each.score is None else replace_severity(each, each.score / warning)
        for each in stored
    ]

    found = compare({KEY: stored}, lambda _: POLICY, lambda _: POLICY, thresholds)
    anew = compare({KEY: as_if}, lambda _: POLICY, lambda _: POLICY, NOTHING_ELSE)

    assert found.alarms_after == anew.alarms_before
    assert found.uncertain == sum(
        each.score is not None and each.score < warning and each.score >= 2.0 for each in stored
    )


def replace_severity(each: Row, severity: float) -> Row:
    level = Level.NONE
    if severity >= 1:
        assert each.score is not None
        level = Level.CRITICAL if each.score >= 4.0 else Level.WARNING
    return each._replace(severity=severity, level=level)


def test_a_longer_delay_moves_an_alarm_by_so_many_readings() -> None:
    found = changed(rows_of([0, 1, 1, 1, 1, 0, 0]), replace(POLICY, on_delay_cycles=4))

    (pair,) = found.changes[KEY].moved
    assert pair.before == WouldBe(Transition.RAISED, Level.WARNING, 2, 3)
    assert pair.after == WouldBe(Transition.RAISED, Level.WARNING, 2, 5)
    assert found.same == 1  # cleared at the same reading


def test_a_reading_without_a_score_breaks_a_row() -> None:
    found = changed(rows_of([1, None, 1, 1]), replace(POLICY, on_delay_cycles=1))

    assert (found.alarms_before, found.alarms_after) == (1, 1)
    assert found.changes[KEY].moved[0].before.cycle == 4


def test_other_evidence_stays_where_the_scores_threshold_is_raised() -> None:
    stored = [row(cycle, 1.5, Evidence.CHANNEL)._replace(score=1.0) for cycle in (1, 2, 3)]

    found = compare({KEY: stored}, lambda _: POLICY, lambda _: POLICY, OtherThresholds(warning=9.0))

    assert found.changes == {}
    assert found.uncertain == 0


def test_life_decides_what_is_critical_where_it_is_known() -> None:
    stored = [
        row(cycle, 1.2)._replace(critical=None, life=float(50 - 10 * cycle)) for cycle in (1, 2, 3)
    ]

    found = compare(
        {KEY: stored}, lambda _: POLICY, lambda _: POLICY, OtherThresholds(life=30.0), 10.0
    )

    (gained,) = found.changes[KEY].gained
    assert (gained.state, gained.level, gained.cycle) == (Transition.ESCALATED, Level.CRITICAL, 3)


def test_verdicts_of_an_earlier_version_have_no_severity_and_are_reckoned() -> None:
    stored = [each._replace(severity=None, evidence=None) for each in rows_of([1.0, 1.5, 0.2])]

    assert changed(stored).alarms_before == 1


def test_each_asset_has_its_own_rule() -> None:
    runs = {(name, "r"): rows_of([1, 1, 1]) for name in ("a", "b")}

    found = compare(
        runs,
        lambda _: POLICY,
        lambda asset_id: replace(POLICY, on_delay_cycles=9) if asset_id == "b" else POLICY,
        NOTHING_ELSE,
    )

    assert set(found.changes) == {("b", "r")}
    assert len(found.changes["b", "r"].lost) == 1


alerts = st.lists(
    st.builds(
        lambda onset, length, state: WouldBe(state, Level.WARNING, onset, onset + length),
        st.integers(1, 120),
        st.integers(0, 20),
        st.sampled_from(Transition),
    ),
    max_size=12,
)


@given(alerts, alerts, st.integers(0, 40))
def test_every_alert_is_matched_once_or_told_and_none_is_nearer(
    before: list[WouldBe], after: list[WouldBe], window: int
) -> None:
    found = match_alerts(before, after, window)

    assert len(found.lost) + len(found.moved) + found.same == len(before)
    assert len(found.gained) + len(found.moved) + found.same == len(after)
    for pair in found.moved:
        assert pair.before.state is pair.after.state
        assert abs(pair.before.onset_cycle - pair.after.onset_cycle) <= window
    for lost in found.lost:
        for gained in found.gained:
            assert (
                lost.state is not gained.state
                or abs(lost.onset_cycle - gained.onset_cycle) > window
            )


@pytest.mark.parametrize("count", [20_000])
def test_very_many_alerts_are_matched_by_their_neighbours(count: int) -> None:
    many = [WouldBe(Transition.RAISED, Level.WARNING, 10 * n, 10 * n) for n in range(1, count)]

    assert match_alerts(many, many, 30).same == count - 1
