"""The message of a transition: which channels it names, in which order, and what else it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.records.alerts import ChannelShare, RemainingLife, Transition
from common.records.verdicts import Evidence, Level
from detector.core.conclusion.alerts import Cause, contributions, make_alert
from detector.core.reading.decoding import decode
from detector.core.reading.source import Reading
from models.alarm import AlarmChange
from tests.support.builders import MeanScorer, fleets_of, record
from tests.support.builders import reading as sent


def reading(cycle: int) -> Reading:
    return decode(record(sent(cycle), 0), fleets_of(MeanScorer()))


SPEC = MeanScorer(version="7").spec
UP, SIX = np.ones(4, np.int8), np.ones(6, np.int8)
MOSTLY = contributions(("a", "b", "c", "d"), np.array([0.5, 0.25, 0.1875, 0.0625]), UP, UP)
ALIKE = contributions(("a", "b", "c", "d", "e", "f"), np.full(6, 1 / 6), SIX, SIX)
CAUSE = Cause(Evidence.DEGRADATION, 1.2, 1.5, 1.25, MOSTLY, None)
LIFE = RemainingLife(expected=61.5, low=40.4, high=84.6)


def change(state: Transition, level: Level = Level.WARNING) -> AlarmChange:
    return AlarmChange(state, level, onset_cycle=4, row=3)


def reason(cause: Cause, state: Transition = Transition.RAISED, warning: str = "") -> str:
    alert = make_alert(reading(6), "run-9", "alarm-4", change(state), cause, SPEC, warning)
    return alert.reason


def test_channels_come_largest_first_and_equal_ones_in_their_own_order() -> None:
    shares = np.array([0.125, 0.25, 0.25, 0.25, 0.125])
    directions = np.array([1, -1, 1, 0, 1], np.int8)

    found = contributions(("a", "b", "c", "d", "e"), shares, directions, directions)

    assert found == (
        ChannelShare(name="b", share=0.25, direction="low"),
        ChannelShare(name="c", share=0.25, direction="high"),
        ChannelShare(name="d", share=0.25, direction="low"),
        ChannelShare(name="a", share=0.125, direction="high"),
        ChannelShare(name="e", share=0.125, direction="high"),
    )
    assert {type(item.share) for item in found} == {float}


def test_a_channel_that_the_model_expects_elsewhere_says_both() -> None:
    up, down = np.array([1, -1], np.int8), np.array([-1, -1], np.int8)

    first, second = contributions(("a", "b"), np.array([0.75, 0.25]), up, down)

    assert (first.direction, first.against) == ("high", "low")
    assert (second.direction, second.against) == ("low", None)
    told = reason(replace(CAUSE, channels=(first, second)))
    assert told.endswith("Mostly a high, yet low for this state (75%), b low (25%).")


def test_the_sentence_names_three_channels_and_the_list_all() -> None:
    alert = make_alert(reading(6), "run-9", "alarm-4", change(Transition.RAISED), CAUSE, SPEC)

    assert alert.reason == (
        "Raised to warning: score 1.5 at or above 1.25 for 3 readings in a row, since cycle 4. "
        "Mostly a high (50%), b high (25%), c high (19%)."
    )
    assert alert.channels == MOSTLY
    assert (alert.evidence, alert.severity) == (Evidence.DEGRADATION, 1.2)


def test_three_channels_that_hold_no_more_than_half_are_not_named() -> None:
    assert reason(replace(CAUSE, channels=ALIKE)).endswith("Spread over many sensors.")


def test_a_single_channel_is_named_alone() -> None:
    told = reason(replace(CAUSE, evidence=Evidence.CHANNEL))

    assert told == (
        "Raised to warning: channel score 1.5 at or above 1.25 for 3 readings in a row, since "
        "cycle 4. Above all a high (50%)."
    )


def test_a_frozen_channel_says_for_how_long() -> None:
    frozen = (ChannelShare(name="T24", share=1.0, direction="low"),)
    told = reason(Cause(Evidence.FROZEN, 1.1, 22.0, 20.0, frozen, None))

    assert told == (
        "Raised to warning: T24 has not moved for 22 readings, which no sound one does, for 3 "
        "readings in a row, since cycle 4."
    )


def test_how_long_is_left_follows_as_a_band() -> None:
    assert reason(replace(CAUSE, life=LIFE)).endswith("About 40 to 85 cycles left (90 %).")
    longer = replace(CAUSE, life=LIFE.model_copy(update={"high": 125.0, "at_least": True}))
    assert reason(longer).endswith("More than 40 cycles left (95 %).")


def test_little_life_left_is_what_makes_it_critical() -> None:
    spec = replace(SPEC, thresholds=replace(SPEC.thresholds, life=30.0))
    cause = replace(CAUSE, evidence=Evidence.LIFE, life=LIFE)
    alert = make_alert(
        reading(6), "r", "a", change(Transition.ESCALATED, Level.CRITICAL), cause, spec
    )

    assert alert.reason.startswith(
        "Escalated to critical: at most 30 cycles expected to be left for 3 readings in a row"
    )
    assert alert.life == LIFE


@pytest.mark.parametrize(
    ("state", "begins"),
    [
        (Transition.RAISED, "Raised to warning: "),
        (Transition.ESCALATED, "Escalated to warning: "),
        (Transition.CLEARED, "Cleared: score 12.3 below 1.25 for 3 readings in a row. Stuck?"),
    ],
)
def test_the_sentence_says_what_happened_and_a_warning_follows(
    state: Transition, begins: str
) -> None:
    cause = replace(CAUSE, score=12.345)
    alert = make_alert(reading(6), "run-9", "alarm-4", change(state), cause, SPEC, "Stuck?")

    assert alert.reason.startswith(begins)
    assert alert.reason.endswith(". Stuck?")
    assert (alert.score, alert.threshold, alert.state) == (12.345, 1.25, state)


@pytest.mark.parametrize("level", [Level.WARNING, Level.CRITICAL])
def test_the_level_is_that_of_the_change(level: Level) -> None:
    alert = make_alert(
        reading(6), "run-9", "alarm-4", change(Transition.CLEARED, level), CAUSE, SPEC
    )

    assert alert.level is level
    assert (alert.onset_cycle, alert.cycle, alert.ts) == (4, 6, reading(6).ts)
    assert (alert.run_id, alert.alarm_id) == ("run-9", "alarm-4")


def test_a_model_is_named_with_its_version() -> None:
    assert SPEC.ref.label == "mean@7"
