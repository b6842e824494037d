"""The message of a transition: which channels it names, in which order, and what else it says."""

from __future__ import annotations

import numpy as np
import pytest

from common.records import ChannelShare, Level, ModelRef, Transition
from detector.core.alerts import contributions, make_alert, model_label
from detector.core.decoding import decode
from detector.core.source import Reading
from models.alarm import AlarmChange
from tests.support.builders import MeanScorer, fleets_of, record
from tests.support.builders import reading as sent


def reading(cycle: int) -> Reading:
    return decode(record(sent(cycle), 0), fleets_of(MeanScorer()))


OF = (reading(6), "run-9", "alarm-4")
MODEL = ModelRef(name="mean", version="7", sha256="70")


def change(state: Transition, level: Level = Level.WARNING) -> AlarmChange:
    return AlarmChange(state, level, onset_cycle=4, threshold=1.25, row=3)


def test_channels_come_largest_first_and_equal_ones_in_their_own_order() -> None:
    shares = np.array([0.125, 0.25, 0.25, 0.25, 0.125])
    directions = np.array([1, -1, 1, 0, 1], np.int8)

    found = contributions(("a", "b", "c", "d", "e"), shares, directions)

    assert found == (
        ChannelShare(name="b", share=0.25, direction="low"),
        ChannelShare(name="c", share=0.25, direction="high"),
        ChannelShare(name="d", share=0.25, direction="low"),
        ChannelShare(name="a", share=0.125, direction="high"),
        ChannelShare(name="e", share=0.125, direction="high"),
    )
    assert {type(item.share) for item in found} == {float}


def test_the_sentence_names_three_channels_and_the_list_all() -> None:
    channels = contributions(
        ("a", "b", "c", "d"), np.array([0.5, 0.25, 0.1875, 0.0625]), np.ones(4, np.int8)
    )

    alert = make_alert(
        reading(6), "run-9", "alarm-4", 1.5, change(Transition.RAISED), channels, MODEL
    )

    assert alert.reason == (
        "Raised to warning: score 1.5 at or above 1.25 for 3 readings in a row, since cycle 4. "
        "Mostly a high (50%), b high (25%), c high (19%)."
    )
    assert alert.channels == channels


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
    alert = make_alert(
        reading(6), "run-9", "alarm-4", 12.345, change(state), (), MODEL, warning="Stuck?"
    )

    assert alert.reason.startswith(begins)
    assert alert.reason.endswith(". Stuck?")
    assert (alert.score, alert.threshold, alert.state) == (12.345, 1.25, state)


@pytest.mark.parametrize("level", [Level.WARNING, Level.CRITICAL])
def test_the_level_is_that_of_the_change(level: Level) -> None:
    alert = make_alert(
        reading(6), "run-9", "alarm-4", 1.5, change(Transition.CLEARED, level), (), MODEL
    )

    assert alert.level is level
    assert (alert.onset_cycle, alert.cycle, alert.ts) == (4, 6, reading(6).ts)
    assert (alert.run_id, alert.alarm_id) == ("run-9", "alarm-4")


def test_a_model_is_named_with_its_version() -> None:
    assert model_label(MODEL) == "mean@7"
