"""The stored form of an asset's state."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from common.records import Level
from detector.core.state import AssetState, Fence, fresh_state, model_digest, unpack
from models.alarm import AlarmPolicy, AlarmState, step
from models.scoring.scorer import Thresholds

MODEL = model_digest("ab" * 32)
OTHER = model_digest("cd" * 32)
COUNT = st.integers(0, 2**16 - 1)
CYCLE = st.integers(0, 2**31 - 1)

alarms = st.builds(AlarmState, st.sampled_from(Level), CYCLE, COUNT, COUNT, COUNT).filter(
    lambda alarm: alarm.onset_cycle > 0 or not alarm.warning_row  # a row began at some cycle
)
states = st.builds(
    AssetState,
    model=st.just(MODEL),
    ring=hnp.arrays(
        np.float32, st.tuples(st.integers(0, 30), st.just(3)), elements=st.floats(-9, 9, width=32)
    ),
    last_cycle=CYCLE,
    seen_from=CYCLE,
    alarm=alarms,
    fence=st.builds(Fence, st.integers(-1, 2**31 - 1), st.integers(0, 2**63 - 1)),
)


@given(states)
def test_what_is_packed_is_unpacked(state: AssetState) -> None:
    read = unpack(state.pack(), MODEL, 3)

    np.testing.assert_array_equal(read.ring, state.ring)
    assert (read.last_cycle, read.seen_from, read.alarm, read.fence) == (
        state.last_cycle,
        state.seen_from,
        state.alarm,
        state.fence,
    )


def test_a_row_stored_without_its_onset_by_an_earlier_version_gets_it_back() -> None:
    header = struct.pack("<B16siiHHBiHHH", 1, MODEL, 40, 1, 1, 3, 0, 0, 2, 0, 0)
    ring = np.array([[1, 2, 3]], "<f4")
    old = Fence(5, 77).pack() + header + ring.tobytes()

    state = unpack(old, MODEL, 3)

    assert state.alarm == AlarmState(onset_cycle=39, warning_row=2)
    assert (state.last_cycle, state.seen_from, state.fence) == (40, 1, Fence(5, 77, 0))
    np.testing.assert_array_equal(state.ring, ring)


def test_an_alarm_that_has_stood_for_ever_is_packed_as_it_is() -> None:
    thresholds, policy = Thresholds(1.0, 2.0), AlarmPolicy(3, 5, 0.0)
    alarm = AlarmState()
    for cycle in range(1, 65_540):  # longer than two bytes can count
        alarm, _ = step(alarm, cycle, 2.5, thresholds, policy)
    state = AssetState(MODEL, np.empty((0, 3), np.float32), 65_539, 1, alarm)

    read = unpack(state.pack(), MODEL, 3).alarm

    assert read == AlarmState(Level.CRITICAL, 1, 65_535, 65_535, 0)


@pytest.mark.parametrize(
    "alarm",
    [
        pytest.param(AlarmState(onset_cycle=1, warning_row=65_536), id="warning"),
        pytest.param(AlarmState(critical_row=65_536), id="critical"),
        pytest.param(AlarmState(quiet_row=65_536), id="quiet"),
    ],
)
def test_a_row_longer_than_two_bytes_hold_is_never_cut(alarm: AlarmState) -> None:
    """The alarm never counts so far; a defect there must not turn into a short row here."""
    with pytest.raises(struct.error):
        AssetState(MODEL, np.empty((0, 3), np.float32), alarm=alarm).pack()


@given(states)
def test_the_fence_is_the_first_twelve_bytes_and_grows_as_bytes(state: AssetState) -> None:
    assert state.pack()[:12] == state.fence.pack()


@given(states)
def test_another_model_starts_a_new_window_but_keeps_its_place(state: AssetState) -> None:
    read = unpack(state.pack(), OTHER, 3)

    assert len(read.ring) == 0
    assert read.alarm == AlarmState()
    assert (read.last_cycle, read.fence) == (state.last_cycle, state.fence)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"x" * 20, id="too short"),
        pytest.param(fresh_state(MODEL, 3).pack() + b"!", id="too long"),
        pytest.param(b"\xff" * 60, id="not ours"),
    ],
)
def test_foreign_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"state|ring"):
        unpack(value, MODEL, 3)


def test_a_value_of_the_wrong_size_is_told_with_the_right_one() -> None:
    empty = fresh_state(MODEL, 3).pack()
    full = AssetState(MODEL, np.zeros((2, 3), np.float32)).pack()

    with pytest.raises(ValueError, match=f"^an asset state is cut off at {len(empty) - 1} bytes$"):
        unpack(empty[:-1], MODEL, 3)
    with pytest.raises(ValueError, match=r"^a ring of 2 x 3 has 24 bytes, not 23$"):
        unpack(full[:-1], MODEL, 3)


def test_before_the_first_record_no_partition_is_named() -> None:
    assert Fence().pack() == bytes.fromhex("ffffffff" + 8 * "00")
    assert Fence(3, 258).pack() == bytes.fromhex("00000003" + 6 * "00" + "0102")


def test_a_record_before_the_fence_is_applied_only_in_its_own_partition() -> None:
    fence = Fence(partition=2, next_offset=10)

    assert fence.applied(2, 9)
    assert not fence.applied(2, 10)
    assert not fence.applied(1, 9)
