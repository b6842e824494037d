"""Flag clean-up: short stretches dropped, near ones merged, then widened; and as the alarm rule."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.records.alerts import Transition
from models.alarm import AlarmState, step
from models.evaluation.flags import CleanUp, anomalous, clean
from models.evaluation.series import BoolArray, Span, spans_of

FLAGS = st.lists(st.booleans(), max_size=60).map(lambda rows: np.array(rows, np.bool_))
RULES = st.builds(CleanUp, st.integers(1, 5), st.integers(0, 6), st.integers(0, 4))


def by_alarm(flags: BoolArray, rule: CleanUp) -> tuple[Span, ...]:
    """Return the stretches the live alarm is open for, from onset to the last row before quiet."""
    policy, state, found = rule.policy(), AlarmState(), list[Span]()
    start = 0
    for row, flag in enumerate(flags.tolist()):
        before = state
        # cycles begin at 1: 0 stands for none
        state, change = step(state, row + 1, 1.5 if flag else 0.5, False, policy)
        if change is not None and change.state is Transition.RAISED:
            start = change.onset_cycle - 1
        elif change is not None and change.state is Transition.CLEARED:
            found.append((start, row - before.closing))
    if state.open_for:
        found.append((start, len(flags) - state.closing))
    return tuple(found)


@given(flags=FLAGS, rule=RULES)
@example(flags=np.array([1, 1, 0, 0, 1, 1], np.bool_), rule=CleanUp(2, 0, 1))  # widened ones meet
@example(flags=np.array([1, 1, 0, 1, 0, 1, 1, 0], np.bool_), rule=CleanUp(2, 3, 0))  # a short one
def test_the_live_alarm_opens_for_the_very_stretches_that_a_report_shows(
    flags: BoolArray, rule: CleanUp
) -> None:
    rows, by = len(flags), rule.dilate
    alarms = by_alarm(flags, rule)

    # one alarm for each stretch: not only the same rows
    widened = tuple((max(0, start - by), min(rows, stop + by)) for start, stop in alarms)
    assert widened == spans_of(clean(flags, rule))


@given(flags=FLAGS, rule=RULES)
def test_what_is_reported_has_a_long_stretch_in_it_and_gaps_that_are_wide(
    flags: BoolArray, rule: CleanUp
) -> None:
    before = flags.copy()

    found = spans_of(clean(flags, rule))

    assert np.array_equal(flags, before)
    long = [(a, b) for a, b in spans_of(flags) if b - a >= rule.min_length]
    assert all(any(a <= start and stop <= b for a, b in found) for start, stop in long)
    assert all(any(a <= start < b for start, _ in long) for a, b in found)
    inner = max(1, rule.merge_gap + 1 - 2 * rule.dilate)
    assert all(b - a >= inner for (_, a), (b, _) in itertools.pairwise(found))


@given(flags=FLAGS, rule=RULES)
def test_backwards_is_the_mirror_image(flags: BoolArray, rule: CleanUp) -> None:
    assert np.array_equal(clean(flags[::-1], rule), clean(flags, rule)[::-1])


@given(flags=FLAGS)
def test_a_rule_that_does_nothing_changes_nothing(flags: BoolArray) -> None:
    assert np.array_equal(clean(flags, CleanUp()), flags)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(CleanUp(min_length=2), "..##..##....", id="drops one row"),
        pytest.param(CleanUp(min_length=2, merge_gap=2), "..######....", id="merges at the gap"),
        pytest.param(CleanUp(min_length=2, merge_gap=1), "..##..##....", id="a gap too wide"),
        pytest.param(CleanUp(min_length=2, dilate=1), ".########...", id="widened ones meet"),
        pytest.param(CleanUp(merge_gap=2), "..#########.", id="one row is enough unless said"),
    ],
)
def test_steps_in_their_order(rule: CleanUp, expected: str) -> None:
    flags = np.array([c == "#" for c in "..##..##..#."])

    assert "".join(".#"[flag] for flag in clean(flags, rule).astype(int)) == expected


def test_anomalous_from_the_threshold_on_and_never_without_a_score() -> None:
    score = np.array([np.nan, 0.9, 1.0, 3.0])

    assert anomalous(score, 1.0).tolist() == [False, False, True, True]
    assert anomalous(score, np.array([0.0, 0.5, 2.0, np.nan])).tolist() == [
        False,
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("wrong", [{"min_length": 0}, {"merge_gap": -1}, {"dilate": -1}])
def test_a_rule_that_means_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CleanUp(**wrong)
