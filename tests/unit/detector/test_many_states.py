"""States read many at once are those that are read one by one."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from common.ring import Marks
from detector.core.state import many
from detector.core.state.asset import AssetState, Fence, fresh_state, unpack
from detector.core.state.many import pack_many, unpack_many
from models.alarm import AlarmState
from models.scoring.history import LifeHistory
from tests.support.builders import MeanScorer, fleet_of
from tests.unit.detector.test_state import alarms, states

FLEET = fleet_of(MeanScorer())
WIDTH = FLEET.spec.machine.row_width


def plain(rows: int, number: int = 1) -> AssetState:
    """A state in which nothing is unusual; each number another one."""
    rng = np.random.default_rng(number)
    return replace(
        fresh_state(FLEET, Fence(2, number, 1)),
        ring=rng.normal(size=(rows, WIDTH)).astype(np.float32),
        marks=Marks(rng.bytes(16 * rows), np.zeros((0, 0), np.bool_)),
        last_cycle=number + rows,
        seen_from=1,
        newest_us=1_767_225_600_000_000 + number,
        alarm=AlarmState(quiet_row=number),
        history=LifeHistory(number, number % 2 == 0, rng.normal(size=(3, 3))),
    )


@pytest.fixture(autouse=True, scope="module")
def few_at_once() -> Iterator[None]:
    """What is taken some at a time comes in more than one part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many, "AT_ONCE", 2)
        yield


def at_once(values: Sequence[bytes]) -> list[AssetState | None]:
    """What is read as tables; none of a value that is to be read alone."""
    parts, odd = unpack_many(values)
    found: list[AssetState | None] = [None] * len(values)
    for which, table in parts:
        for index, state in zip(which, table.states(), strict=True):
            found[index] = state
    assert sorted([*odd, *(index for which, _ in parts for index in which)]) == list(
        range(len(values))
    )
    return found


def one_by_one(values: Sequence[bytes]) -> list[AssetState | None]:
    found: list[AssetState | None] = []
    for value in values:
        try:
            found.append(unpack(value))
        except ValueError:
            found.append(None)
    return found


def told(state: AssetState) -> tuple[object, ...]:
    """What two states must have in common to be the same to the bit."""
    history, marks = state.history, state.marks
    return (
        state.pack(), state.machine, state.model, state.ring.tobytes(), state.ring.shape,
        state.ring.dtype, state.last_cycle, state.seen_from, state.alarm, state.fence,
        state.alarm_id, state.newest_us, state.opened, state.rival, state.former, state.ages,
        state.fleet, history.count, history.whole, history.sums.tobytes(), history.sums.shape,
        marks.stamps, marks.held.tobytes(), marks.held.shape,
    )  # fmt: skip


def test_plain_states_are_all_read_at_once() -> None:
    values = [plain(rows, number).pack() for number in range(1, 4) for rows in (0, 1, 4)]

    found = at_once(values)

    assert None not in found
    assert [told(state) for state in found if state] == [
        told(state) for state in one_by_one(values) if state
    ]


@settings(deadline=None, max_examples=60)
@given(drawn=st.lists(states | st.builds(plain, st.integers(0, 4), st.integers(1, 9)), max_size=6))
def test_what_is_read_at_once_is_what_is_read_alone(drawn: list[AssetState]) -> None:
    values = [state.pack() for state in drawn]

    for found, expected in zip(at_once(values), one_by_one(values), strict=True):
        assert expected is not None
        assert found is None or told(found) == told(expected)


@settings(deadline=None, max_examples=60)
@given(drawn=st.lists(states | st.builds(plain, st.integers(0, 4), st.integers(1, 9)), max_size=6))
def test_what_is_packed_at_once_is_what_is_packed_alone(drawn: list[AssetState]) -> None:
    values, sizes = pack_many(drawn)

    alone = [state.pack() for state in drawn]
    assert (values, sizes) == (b"".join(alone), list(map(len, alone)))


def test_a_number_too_large_for_its_field_is_refused_as_it_is_alone() -> None:
    too_many = replace(plain(2), alarm=AlarmState(quiet_row=2**16))

    with pytest.raises(struct.error):
        pack_many([plain(2), too_many])


@settings(deadline=None, max_examples=60)
@given(alarm=alarms.filter(lambda alarm: not alarm.recent), data=st.data())
def test_a_damaged_value_among_sound_ones_is_never_taken_for_sound(
    alarm: AlarmState, data: st.DataObject
) -> None:
    sound = replace(plain(4), alarm=alarm).pack()
    damaged = bytearray(sound)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(sound) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    values = data.draw(st.permutations([sound, bytes(damaged), sound]))

    for found, expected in zip(at_once(values), one_by_one(values), strict=True):
        assert found is None or (expected is not None and told(found) == told(expected))


@pytest.mark.parametrize("size", [0, 1, 12, 141, 142, 150, 170])
def test_what_is_too_short_is_left_to_be_read_alone(size: int) -> None:
    assert at_once([plain(4).pack()[:size]]) == [None]
