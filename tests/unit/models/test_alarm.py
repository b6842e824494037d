"""The alarm machine: delays, deadband, latching."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from common.records.alerts import Transition
from common.records.verdicts import Level
from models.alarm import (
    AlarmChange,
    AlarmPolicy,
    AlarmState,
    interrupt,
    is_quiet,
    step,
)
from models.scoring.scorer import WARNING_SEVERITY

CRITICAL = 2.0
"""In these tests a severity is critical from here on; a warning it is from 1 on."""

POLICY = AlarmPolicy(on_delay_cycles=3, off_delay_cycles=4, deadband=0.1)


def run(
    scores: Sequence[float | None], policy: AlarmPolicy = POLICY
) -> tuple[AlarmState, list[tuple[int, AlarmChange]]]:
    state, changes = AlarmState(), []
    for cycle, score in enumerate(scores, start=1):
        if score is None:
            state = interrupt(state)
            continue
        state, change = step(state, cycle, score, score >= CRITICAL, policy)
        if change is not None:
            changes.append((cycle, change))
    return state, changes


def test_alarm_is_raised_only_after_on_delay_and_knows_its_onset() -> None:
    _, changes = run([0.5, 1.2, 1.2, 0.5, 1.2, 1.2, 1.2])

    assert [(cycle, change.state, change.level) for cycle, change in changes] == [
        (7, Transition.RAISED, Level.WARNING)
    ]
    assert changes[0][1].onset_cycle == 5


def test_a_critical_stretch_is_raised_as_critical_at_once() -> None:
    _, changes = run([3.0, 3.0, 3.0, 3.0])

    assert [(cycle, change.level) for cycle, change in changes] == [(3, Level.CRITICAL)]


def test_escalation_keeps_the_onset_and_happens_once() -> None:
    _, changes = run([1.5] * 4 + [2.5] * 5)

    assert [(cycle, change.state) for cycle, change in changes] == [
        (3, Transition.RAISED),
        (7, Transition.ESCALATED),
    ]
    assert {change.onset_cycle for _, change in changes} == {1}


def test_alarm_clears_only_after_off_delay_below_the_deadband() -> None:
    _, changes = run([1.5] * 3 + [0.95] * 10 + [0.89] * 3 + [0.95] + [0.89] * 4)

    assert [(cycle, change.state) for cycle, change in changes] == [
        (3, Transition.RAISED),
        (21, Transition.CLEARED),
    ]
    assert changes[1][1].level is Level.WARNING


def test_level_is_latched_until_cleared() -> None:
    state, changes = run([2.5] * 3 + [1.5] * 20)

    assert [change.state for _, change in changes] == [Transition.RAISED]
    assert state.level is Level.CRITICAL


def test_a_reading_without_a_score_breaks_the_row() -> None:
    _, changes = run([1.5, 1.5, None, 1.5, 1.5])

    assert changes == []


def test_the_onset_of_a_stretch_that_leaps_over_cycles_is_its_first_cycle() -> None:
    state, onsets = AlarmState(), []
    for cycle, score in [(1, 1.5), (2, 0.5), (4, 1.5), (7, 1.5), (9, 1.5), (11, 2.5)]:
        state, change = step(state, cycle, score, score >= CRITICAL, POLICY)
        onsets += [(cycle, change.onset_cycle)] if change is not None else []

    assert onsets == [(9, 4)]


def test_a_broken_stretch_leaves_no_onset_behind() -> None:
    state, _ = run([1.5, 1.5])

    assert state.onset_cycle == 1
    assert interrupt(state).onset_cycle == 0
    assert step(state, 3, 0.5, False, POLICY)[0].onset_cycle == 0


MOST = 65_535
"""What two bytes of the stored state can hold."""


def steps(state: AlarmState, score: float, count: int, policy: AlarmPolicy = POLICY) -> AlarmState:
    for cycle in range(1, count + 1):
        state, _ = step(state, cycle, score, score >= CRITICAL, policy)
    return state


@pytest.mark.parametrize(
    ("score", "rows"),
    [
        pytest.param(2.5, (1, 1, 0), id="critical"),
        pytest.param(1.5, (1, 0, 0), id="warning"),
        pytest.param(0.5, (0, 0, 1), id="quiet"),
    ],
)
def test_rows_are_counted_up_to_what_the_stored_state_holds_and_no_further(
    score: float, rows: tuple[int, int, int]
) -> None:
    below = steps(AlarmState(), score, MOST - 1)
    at = steps(below, score, 1)
    beyond = steps(at, score, 3)

    for state, count in [(below, MOST - 1), (at, MOST), (beyond, MOST)]:
        counted = (state.warning_row, state.critical_row, state.quiet_row)
        assert counted == tuple(count * row for row in rows)


def test_a_row_at_its_limit_still_raises_escalates_clears_and_breaks() -> None:
    patient = AlarmPolicy(on_delay_cycles=MOST, off_delay_cycles=MOST, deadband=0.0)
    almost = AlarmState(onset_cycle=7, warning_row=MOST - 1, critical_row=MOST - 2)

    raised, first = step(almost, 70_000, 2.5, True, patient)
    escalated, second = step(raised, 70_001, 2.5, True, patient)
    held, none = step(escalated, 70_002, 2.5, True, patient)
    quiet, _ = step(structs.replace(held, quiet_row=MOST - 2), 70_003, 0.5, False, patient)
    cleared, none_yet = step(
        structs.replace(quiet, quiet_row=MOST - 1), 70_004, 0.5, False, patient
    )

    assert first == AlarmChange(Transition.RAISED, Level.WARNING, 7, MOST)
    assert second == AlarmChange(Transition.ESCALATED, Level.CRITICAL, 7, MOST)
    assert none is None
    assert (held.onset_cycle, held.warning_row, held.critical_row) == (7, MOST, MOST)
    assert (quiet.warning_row, quiet.critical_row) == (0, 0)
    assert none_yet == AlarmChange(Transition.CLEARED, Level.CRITICAL, 7, MOST)
    assert cleared == AlarmState(quiet_row=MOST)


def test_every_threshold_itself_counts() -> None:
    once = AlarmPolicy(on_delay_cycles=1, off_delay_cycles=1, deadband=0.5)
    state, warning = step(AlarmState(), 1, 1.0, False, once)
    state, critical = step(state, 2, 2.0, True, once)
    state, nothing = step(state, 3, 0.5, False, once)  # quiet is below the deadband, not at it
    state, cleared = step(state, 4, 0.4999, False, once)

    assert warning == AlarmChange(Transition.RAISED, Level.WARNING, 1, 1)
    assert critical == AlarmChange(Transition.ESCALATED, Level.CRITICAL, 1, 1)
    assert nothing is None
    assert cleared == AlarmChange(Transition.CLEARED, Level.CRITICAL, 1, 1)


def test_a_severity_is_quiet_only_below_the_deadband() -> None:
    policy = AlarmPolicy(on_delay_cycles=1, off_delay_cycles=1, deadband=0.25)

    assert not is_quiet(0.75, policy)
    assert is_quiet(0.7499, policy)


def test_what_is_critical_without_a_warning_raises_nothing() -> None:
    state = AlarmState()
    for cycle in range(1, 10):
        state, change = step(state, cycle, 0.99, True, POLICY)
        assert change is None
    assert state.critical_row == 0


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 3)), max_size=120),
    st.integers(1, 4),
    st.integers(1, 6),
    st.floats(0, 0.5),
)
def test_transitions_of_any_stream_form_whole_alarms(
    scores: list[float | None], on_delay: int, off_delay: int, deadband: float
) -> None:
    state, changes = run(scores, AlarmPolicy(on_delay, off_delay, deadband))

    open_level = Level.NONE
    for cycle, change in changes:
        match change.state:
            case Transition.RAISED:
                assert open_level is Level.NONE
                assert change.onset_cycle <= cycle
                assert all(
                    (score or 0) >= WARNING_SEVERITY
                    for score in scores[change.onset_cycle - 1 : cycle]
                )
                open_level = change.level
            case Transition.ESCALATED:
                assert (open_level, change.level) == (Level.WARNING, Level.CRITICAL)
                open_level = change.level
            case Transition.CLEARED:
                assert change.level is open_level
                assert open_level is not Level.NONE
                open_level = Level.NONE
    assert state.level is open_level
