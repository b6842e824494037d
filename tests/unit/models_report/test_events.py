from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.records.alerts import Transition
from common.records.verdicts import Level
from common.settings import AlarmSettings
from models.alarm import AlarmPolicy, AlarmState, interrupt, step
from models.report.events import Alarm, engine_stories, run_alarm_rule
from models.scoring.scorer import Thresholds
from tests.support.scored import scored

THRESHOLDS = Thresholds(warning=1.0, critical=2.0)


def live_alarms(cycles: list[int], scores: list[float], rule: AlarmSettings) -> list[Alarm]:
    """What the detector's own machine does with the same scores."""
    policy = AlarmPolicy(rule.on_delay_cycles, rule.off_delay_cycles, rule.deadband)
    state, found, previous = AlarmState(), [], cycles[0] - 1
    open_alarm: tuple[int, int | None] | None = None
    for cycle, score in zip(cycles, scores, strict=True):
        if cycle != previous + 1:
            state = interrupt(state)
        previous = cycle
        state, change = step(state, cycle, score, score >= THRESHOLDS.critical, policy)
        match change.state if change else None:
            case Transition.RAISED:
                assert change is not None
                open_alarm = (cycle, cycle if change.level is Level.CRITICAL else None)
            case Transition.ESCALATED:
                assert open_alarm is not None
                open_alarm = (open_alarm[0], cycle)
            case Transition.CLEARED:
                assert open_alarm is not None
                found.append(Alarm(*open_alarm, cycle))
                open_alarm = None
            case None:
                pass
    return [*found, Alarm(*open_alarm, cycles[-1])] if open_alarm else found


@given(
    scores=st.lists(st.sampled_from([0.0, 0.96, 1.0, 1.5, 2.0, 3.0]), min_size=1, max_size=60),
    jumps=st.lists(st.sampled_from([1, 1, 1, 1, 2, 5]), min_size=60, max_size=60),
    on_delay=st.integers(1, 4),
    off_delay=st.integers(1, 4),
)
def test_alarms_are_those_of_the_live_detector(
    scores: list[float], jumps: list[int], on_delay: int, off_delay: int
) -> None:
    rule = AlarmSettings(on_delay_cycles=on_delay, off_delay_cycles=off_delay)
    cycles = np.cumsum(jumps[: len(scores)]).tolist()

    critical = [score >= THRESHOLDS.critical for score in scores]

    found = run_alarm_rule(cycles, scores, critical, rule)

    assert list(found) == live_alarms(cycles, scores, rule)


def test_a_story_tells_leads_and_false_alarms_of_one_engine() -> None:
    source = scored([200, 180])
    false_stretch = (source.units == 2) & (source.rul >= 150) & (source.rul < 160)
    scores = np.where(false_stretch, 150.0, 200.0 - source.rul)  # above 0, as the deadband expects
    source = scored([200, 180], scores, thresholds=Thresholds(140.0, 170.0))

    first, second = engine_stories(source)

    assert (first.unit, second.unit) == (1, 2)
    assert first.warning_lead == second.warning_lead == 58
    assert first.critical_lead == second.critical_lead == 28
    assert (first.false_warnings, second.false_warnings) == (0, 10)
    assert (len(first.alarms), len(second.alarms)) == (1, 2)
    assert (first.early, second.early) == (0, 1)
    assert second.false_criticals == 0
    assert first.healthy_windows == 74
    assert first.alarms[0].escalated == 200 - 28


def test_an_engine_that_never_fails_has_no_lead() -> None:
    (story,) = engine_stories(scored([100], left=100))

    assert not story.failing
    assert story.lead("warning") is None
    assert story.lead("critical") is None


@pytest.mark.parametrize("cycles", [[], [7]])
def test_short_records_have_no_alarm(cycles: list[int]) -> None:
    assert run_alarm_rule(cycles, [9.0] * len(cycles), [True] * len(cycles)) == ()
