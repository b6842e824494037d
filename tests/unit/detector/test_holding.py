"""Values that are missing are held for a while, each channel by its own count."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from common.errors import InvalidRecordError, RejectReason
from common.machines.machine import Channel, Condition, MachineType, Step
from detector.core.holding import Holder

MACHINE = MachineType(
    name="pump",
    step=Step(word="minute"),
    channels=(
        Channel(name="pressure", max_hold=1),
        Channel(name="current", max_hold=3),
        Channel(name="speed", max_hold=0),
    ),
)
NAN = float("nan")


def row(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def refused(holder: Holder, *values: float, cycle: int = 10, steps: int = 1) -> str:
    with pytest.raises(InvalidRecordError) as caught:
        holder.fill(row(*values), cycle, steps, anew=False)
    assert caught.value.reason is RejectReason.MISSING_CHANNEL
    return str(caught.value)


def test_each_channel_is_held_at_its_own_last_value_and_the_others_are_as_measured() -> None:
    holder = Holder(MACHINE, (), row(1.0, 2.0, 3.0))

    held = holder.fill(row(NAN, NAN, 9.0), 10, 1, anew=False)

    assert held.row.tolist() == [1.0, 2.0, 9.0]
    assert held.ages == (1, 1, 0)
    assert held.detail == "held: pressure as of minute 9, current as of minute 9"
    assert holder.ages == ()  # nothing is taken note of yet


def test_steps_add_up_until_a_channel_is_measured_again() -> None:
    holder = Holder(MACHINE, (0, 1, 0), row(1.0, 2.0, 3.0))

    first = holder.fill(row(1.5, NAN, 4.0), 10, 2, anew=False)
    holder.take(first)

    assert first.ages == (0, 3, 0)
    assert first.detail == "held: current as of minute 7"
    assert refused(holder, 1.5, NAN, 4.0, cycle=11).endswith(
        "a value is held for at most 3 minutes, and that of current is of minute 7."
    )
    holder.measured(row(5.0, 6.0, 7.0))
    assert holder.ages == ()
    assert holder.fill(row(5.0, NAN, 7.0), 12, 1, anew=False).row.tolist() == [5.0, 6.0, 7.0]


def test_what_may_never_be_held_is_refused_at_once_and_named_beside_the_others() -> None:
    holder = Holder(MACHINE, (1, 0, 0), row(1.0, 2.0, 3.0))

    said = refused(holder, NAN, NAN, NAN)

    assert said == (
        "sensors lacks pressure, speed, which the model needs; a value is held for at most 1 "
        "minute, and that of pressure is of minute 8."
    )


@pytest.mark.parametrize("latest", [None, row(1.0, 2.0, 3.0)])
def test_a_run_that_begins_has_nothing_to_hold(latest: NDArray[np.float32] | None) -> None:
    holder = Holder(MACHINE, (), latest)

    with pytest.raises(InvalidRecordError, match="no earlier value to hold"):
        holder.fill(row(1.0, NAN, 1.0), 1, 1, anew=latest is not None)


def test_ages_stay_within_what_a_state_can_remember() -> None:
    patient = MachineType(name="m", channels=(Channel(name="a", max_hold=1000), Channel(name="b")))
    holder = Holder(patient, (65_534, 0), row(1.0, 2.0))  # a state keeps ages in two bytes

    with pytest.raises(InvalidRecordError, match=f"is of cycle {10**9 - 65_535}"):
        holder.fill(row(NAN, 2.0), 10**9, 5, anew=False)


def test_as_many_channels_as_a_sentence_names_are_all_named() -> None:
    five = MachineType(name="m", channels=tuple(Channel(name=f"c{i}") for i in range(6)))

    held = Holder(five, (), row(*range(6))).fill(row(*[NAN] * 5, 1.0), 5, 1, anew=False)

    assert held.detail == "held: " + ", ".join(f"c{i} as of cycle 4" for i in range(5))


def test_of_many_channels_a_few_are_named() -> None:
    many = MachineType(name="m", channels=tuple(Channel(name=f"c{i}") for i in range(9)))
    holder = Holder(many, (), row(*range(9)))

    held = holder.fill(row(*[NAN] * 8, 1.0), 5, 1, anew=False)

    assert held.detail.endswith("c4 as of cycle 4 and 3 more")


PLACED = MachineType(
    name="pump",
    step=Step(word="minute"),
    conditions=(Condition(name="load", tolerance=0.5),),
    channels=(Channel(name="current", max_hold=3),),
)


def test_what_was_measured_under_other_conditions_does_not_stand_in() -> None:
    holder = Holder(PLACED, (), row(2.0, 7.0))

    said = refused(holder, 2.6, NAN)

    assert said == (
        "sensors lacks current, which the model needs; the values of minute 9 cannot stand in, "
        "since the machine was run otherwise then."
    )


@pytest.mark.parametrize("load", [1.5, 2.0, 2.5])
def test_conditions_within_their_tolerance_are_the_same(load: float) -> None:
    held = Holder(PLACED, (), row(2.0, 7.0)).fill(row(load, NAN), 10, 1, anew=False)

    assert held.row.tolist() == [load, 7.0]
