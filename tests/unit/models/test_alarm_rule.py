"""The alarm rule beyond readings in a row: N of M, least length, merging, and what it forgets."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.records.alerts import Transition
from common.records.verdicts import Level
from models import alarm
from models.alarm import (
    WINDOW_LIMIT,
    AlarmChange,
    AlarmPolicy,
    AlarmState,
    PastWarning,
    interrupt,
    is_quiet,
    step,
)
from tests.support.alarm_rules import alarm_rules

CRITICAL = 2.0
"""In these tests a severity is critical from here on; a warning it is from 1 on."""

Severities = Sequence[float | None]

STREAMS = st.lists(st.sampled_from([None, 0.5, 0.5, 0.97, 1.5, 1.5, 2.5]), max_size=150)


def run(
    severities: Severities, policy: AlarmPolicy, state: AlarmState | None = None, first: int = 1
) -> tuple[AlarmState, list[tuple[int, AlarmChange]]]:
    state, changes = state or AlarmState(), []
    for cycle, severity in enumerate(severities, start=first):
        if severity is None:
            state = interrupt(state)
            continue
        state, change = step(state, cycle, severity, severity >= CRITICAL, policy)
        if change is not None:
            changes.append((cycle, change))
    return state, changes


def told(changes: Sequence[tuple[int, AlarmChange]]) -> list[tuple[int, str]]:
    return [(cycle, change.state.value) for cycle, change in changes]


def test_three_of_five_raise_and_the_onset_is_the_oldest_of_them() -> None:
    policy = AlarmPolicy(3, 4, 0.05, on_window_cycles=5)

    _, changes = run([1.5, 0.5, 0.5, 0.5, 1.5, 0.5, 1.5, 0.5, 1.5], policy)

    assert changes == [
        (9, AlarmChange(Transition.RAISED, Level.WARNING, onset_cycle=5, row=3, among=5))
    ]


def test_a_gap_within_the_window_begins_it_anew() -> None:
    policy = AlarmPolicy(3, 4, 0.05, on_window_cycles=5)

    assert run([1.5, 1.5, None, 1.5, 1.5], policy)[1] == []


def test_criticals_among_warnings_escalate_by_the_same_count() -> None:
    policy = AlarmPolicy(2, 4, 0.05, on_window_cycles=4)

    _, changes = run([1.5, 1.5, 2.5, 1.5, 1.5, 2.5], policy)

    assert told(changes) == [(2, "raised"), (6, "escalated")]


def test_an_alarm_is_open_for_its_least_length() -> None:
    policy = AlarmPolicy(1, 2, 0.05, min_length_cycles=6)

    _, changes = run([1.5] + [0.5] * 9, policy)

    assert told(changes) == [(1, "raised"), (6, "cleared")]


def test_an_alarm_that_comes_again_within_the_gap_is_the_same_one() -> None:
    stretch = [1.5, 1.5, 0.5, 0.5, 0.5]
    apart = AlarmPolicy(2, 2, 0.05)
    merged = AlarmPolicy(2, 2, 0.05, merge_gap_cycles=3)

    assert len(run(stretch * 4 + [0.5] * 9, apart)[1]) == 8
    _, changes = run(stretch * 4 + [0.5] * 9, merged)

    assert told(changes) == [(2, "raised"), (22, "cleared")]
    assert changes[-1][1].flaps == 3


def test_an_alarm_that_comes_again_worse_says_so() -> None:
    policy = AlarmPolicy(2, 2, 0.05, merge_gap_cycles=3)

    _, changes = run([1.5, 1.5, 0.5, 0.5, 2.5, 2.5], policy)

    assert told(changes) == [(2, "raised"), (6, "escalated")]
    assert changes[-1][1].flaps == 1


@pytest.mark.parametrize("window", [2, WINDOW_LIMIT + 1])
def test_a_window_no_reading_could_fill_is_refused(window: int) -> None:
    with pytest.raises(ValueError, match="window"):
        AlarmPolicy(3, 4, 0.05, on_window_cycles=window)


@given(STREAMS, alarm_rules())
def test_whole_alarms_in_order_one_at_a_time(severities: Severities, policy: AlarmPolicy) -> None:
    state, changes = run(severities, policy)

    level = Level.NONE
    raised_at = 0
    for cycle, change in changes:
        assert 1 <= change.onset_cycle <= cycle
        if change.state is Transition.RAISED:
            assert level is Level.NONE
            raised_at, level = cycle, change.level
        elif change.state is Transition.ESCALATED:
            assert (level, change.level) == (Level.WARNING, Level.CRITICAL)
            level = change.level
        else:
            assert (level, change.level) != (Level.NONE, Level.NONE)
            quiet = severities[cycle - policy.off_delay_cycles : cycle]
            assert all(one is not None and is_quiet(one, policy) for one in quiet)
            scored = [one for one in severities[raised_at - 1 : cycle] if one is not None]
            assert len(scored) >= policy.min_length_cycles
            level = Level.NONE
    assert state.level is level


@given(STREAMS, alarm_rules())
def test_raised_exactly_when_enough_of_the_last_readings_say_so(
    severities: Severities, policy: AlarmPolicy
) -> None:
    _, changes = run(severities, policy)

    raised = [
        (cycle, change.onset_cycle, change.level)
        for cycle, change in changes
        if change.state is Transition.RAISED
    ]
    assert raised == expected_raises(severities, policy, changes)


def expected_raises(
    severities: Severities, policy: AlarmPolicy, changes: Sequence[tuple[int, AlarmChange]]
) -> list[tuple[int, int, Level]]:
    """Count by hand: look back over the window at every reading while no alarm is open."""
    window = policy.on_window_cycles or policy.on_delay_cycles
    cleared = {cycle for cycle, change in changes if change.state is Transition.CLEARED}
    found: list[tuple[int, int, Level]] = []
    since, is_open = 1, False
    for cycle, severity in enumerate(severities, start=1):
        if cycle in cleared:
            is_open, since = False, cycle + 1
        if severity is None:
            since = cycle + 1
        elif not is_open:
            seen = range(max(since, cycle - window + 1), cycle + 1)
            warnings = [one for one in seen if (severities[one - 1] or 0) >= 1]
            criticals = [one for one in warnings if (severities[one - 1] or 0) >= CRITICAL]
            if len(warnings) >= policy.on_delay_cycles:
                is_critical = len(criticals) >= policy.on_delay_cycles
                found.append((cycle, warnings[0], Level.CRITICAL if is_critical else Level.WARNING))
                is_open = True
    return found


@given(STREAMS, alarm_rules())
def test_a_window_of_as_many_as_raise_means_in_a_row(
    severities: Severities, policy: AlarmPolicy
) -> None:
    rest = (policy.min_length_cycles, policy.merge_gap_cycles)
    first = (policy.on_delay_cycles, policy.off_delay_cycles, policy.deadband)

    assert run(severities, AlarmPolicy(*first, 0, *rest)) == run(
        severities, AlarmPolicy(*first, policy.on_delay_cycles, *rest)
    )


@given(STREAMS, st.integers(1, 4), st.integers(1, 5), st.integers(0, 8))
def test_merging_raises_no_alarm_that_would_not_be_raised_without(
    severities: Severities, on_delay: int, off_delay: int, gap: int
) -> None:
    _, apart = run(severities, AlarmPolicy(on_delay, off_delay, 0.05))
    _, merged = run(severities, AlarmPolicy(on_delay, off_delay, 0.05, merge_gap_cycles=gap))

    raises = [cycle for cycle, change in apart if change.state is Transition.RAISED]
    kept = [cycle for cycle, change in merged if change.state is Transition.RAISED]
    assert set(kept) <= set(raises)
    assert kept[:1] == raises[:1]


@given(STREAMS, STREAMS, STREAMS, alarm_rules())
def test_after_so_many_quiet_readings_nothing_before_makes_a_difference(
    before: Severities, otherwise: Severities, after: Severities, policy: AlarmPolicy
) -> None:
    quiet = [0.5] * policy.forgets_after
    at = 1000
    one, _ = run([*before, *quiet], policy)
    other, _ = run([*otherwise, *quiet], policy)

    assert one.level is other.level is Level.NONE
    assert run(after, policy, one, at)[1] == run(after, policy, other, at)[1]


STATES = st.builds(
    AlarmState,
    level=st.sampled_from([Level.NONE, Level.NONE, Level.WARNING, Level.CRITICAL]),
    onset_cycle=st.integers(0, 9),
    warning_row=st.integers(0, 3),
    critical_row=st.integers(0, 3),
    quiet_row=st.integers(0, 70_000),
    recent=st.lists(st.builds(PastWarning, st.integers(0, 5), st.integers(1, 9), st.booleans()))
    .filter(lambda recent: len(recent) < 4)
    .map(tuple),
    open_for=st.integers(0, 9),
    closing=st.integers(0, 9),
    flaps=st.integers(0, 9),
)


@given(STATES, st.sampled_from([0.0, 0.5, 0.97, 1.0, 2.5]), st.booleans(), alarm_rules())
def test_the_short_way_of_quiet_readings_is_the_long_one(
    state: AlarmState, severity: float, critical: bool, policy: AlarmPolicy
) -> None:
    assert step(state, 10, severity, critical, policy) == alarm._step(
        state, 10, severity, critical, policy
    )
