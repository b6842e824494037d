"""The stored form of an asset's state."""

from __future__ import annotations

import struct
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from msgspec import structs
from msgspec.structs import asdict, replace

from common.records.ids import FLEET_PATTERN
from common.records.verdicts import Level
from common.ring import FOOTER, NOTHING_HELD, Marks, machine_of, packed_stamps, unpack_ring
from detector.core.state.asset import (
    RIVAL_LIMIT,
    AssetState,
    Fence,
    Place,
    Rival,
    fresh_state,
    model_digest,
    unpack,
)
from models.alarm import WINDOW_LIMIT, AlarmPolicy, AlarmState, PastWarning, step
from models.scoring.history import NO_HISTORY, LifeHistory
from tests.support.builders import MeanScorer, fleet_of
from tests.support.earlier_layouts import as_layout_3, as_layout_4, as_layout_5

FLEET = fleet_of(MeanScorer())
SPEC = FLEET.spec
OTHER = MeanScorer(version="2").spec
MODEL, MACHINE, WIDTH = model_digest(SPEC.ref.sha256), SPEC.machine.digest, SPEC.machine.row_width
COUNT = st.integers(0, 2**16 - 1)
CYCLE = st.integers(0, 2**53 - 1)
LIFE = st.integers(0, 2**32 - 1)

WARNINGS = st.lists(
    st.builds(PastWarning, st.integers(0, WINDOW_LIMIT - 1), CYCLE, st.booleans()), max_size=64
).map(tuple)
alarms = st.builds(
    AlarmState, st.sampled_from(Level), CYCLE, COUNT, COUNT, COUNT, WARNINGS, COUNT, COUNT, COUNT
).filter(
    lambda alarm: alarm.onset_cycle > 0 or not alarm.warning_row  # a row began at some cycle
)


@st.composite
def with_marks(draw: st.DrawFn, bare: st.SearchStrategy[AssetState]) -> AssetState:
    """A state whose rows say when they were taken, and perhaps what of them is held."""
    state = draw(bare)
    rows = len(state.ring)
    stamps = draw(hnp.arrays(np.int64, (rows, 2), elements=CYCLE))
    held = draw(st.just(NOTHING_HELD) | hnp.arrays(np.bool_, (rows, WIDTH - 3)))
    return replace(state, marks=Marks(packed_stamps(stamps), held))


bare_states = st.builds(
    AssetState,
    machine=st.just(MACHINE),
    model=st.just(MODEL),
    ring=hnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 4), st.just(WIDTH)),
        elements=st.floats(-9, 9, width=32),
    ),
    last_cycle=CYCLE,
    seen_from=CYCLE,
    alarm=alarms,
    fence=st.builds(Fence, st.integers(-1, 2**31 - 1), st.integers(0, 2**63 - 1), LIFE),
    alarm_id=st.just("") | st.uuids().map(str),
    newest_us=CYCLE,
    opened=st.none() | st.builds(Place, st.integers(0, 2**31 - 1), CYCLE),
    rival=st.builds(Rival, COUNT, CYCLE, CYCLE),
    former=st.lists(st.builds(Fence, st.integers(0, 9), CYCLE, LIFE), max_size=8).map(tuple),
    ages=st.sampled_from([(), (0, 2, 65_535)]),
    fleet=st.from_regex(FLEET_PATTERN, fullmatch=True),
    history=st.builds(
        LifeHistory,
        CYCLE,
        st.booleans(),
        hnp.arrays(np.float64, (3, 3), elements=st.floats(-1e300, 1e300)),
    ),
)
states = with_marks(bare_states)


def numbers(state: AssetState) -> dict[str, object]:
    """Return all of a state but its arrays."""
    return asdict(replace(state, ring=np.empty(0, np.float32), history=NO_HISTORY)) | {
        "ring": 0, "history": 0, "marks": 0,
    }  # fmt: skip


def same_marks(one: AssetState, other: AssetState) -> bool:
    """Return whether two states say the same of each row of their rings."""
    mine, theirs = one.known_marks, other.known_marks
    return mine.stamps == theirs.stamps and np.array_equal(
        mine.held_rows(WIDTH), theirs.held_rows(WIDTH)
    )


@given(states)
def test_what_is_packed_is_unpacked(state: AssetState) -> None:
    read = unpack(state.pack())

    np.testing.assert_array_equal(read.ring, state.ring)
    assert (read.history.count, read.history.whole) == (state.history.count, state.history.whole)
    assert read.history.sums.tobytes() == state.history.sums.tobytes()
    assert numbers(read) == numbers(state)
    assert same_marks(read, state)


@given(states)
def test_the_end_of_a_state_is_its_ring(state: AssetState) -> None:
    """The api looks there, and knows nothing of what stands before."""
    value = state.pack()

    ring, _ = unpack_ring(value)

    np.testing.assert_array_equal(ring.rows, state.ring)
    assert machine_of(value) == MACHINE


@given(states)
def test_of_a_state_of_layout_5_nobody_knows_when_its_rows_were_taken(state: AssetState) -> None:
    read = unpack(as_layout_5(state))

    assert read.pack() == replace(state, marks=Marks.unknown(len(state.ring))).pack()


def test_a_state_of_an_earlier_layout_is_told_from_ours() -> None:
    header = struct.pack("<B16siiHHBiHHH", 2, MODEL, 40, 1, 1, 3, 0, 0, 2, 0, 0)

    with pytest.raises(ValueError, match="layout 2; this program reads 3, 4, 5, 6"):
        unpack(Fence(5, 77).pack() + header + bytes(60))


@given(states)
def test_a_state_of_layout_4_reads_as_a_run_that_is_joined(state: AssetState) -> None:
    alike = replace(state, history=NO_HISTORY, marks=Marks.unknown(len(state.ring)))

    read = unpack(as_layout_4(alike))

    assert read.pack() == alike.pack()


@pytest.mark.parametrize(
    ("history", "why"),
    [
        pytest.param(LifeHistory(-1, True, np.zeros((3, 3))), "no run has", id="count"),
        pytest.param(LifeHistory(9, True, np.full((3, 3), np.nan)), "no run has", id="sums"),
    ],
)
def test_a_damaged_history_is_refused(history: LifeHistory, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        unpack(replace(fresh_state(FLEET), history=history).pack())


def test_a_history_that_is_cut_off_is_refused() -> None:
    state = replace(fresh_state(FLEET), history=LifeHistory(9, True, np.ones((3, 3))))

    with pytest.raises(ValueError, match="cut off"):
        unpack(state.pack()[:-9])


def test_a_history_of_another_number_of_channels_begins_anew() -> None:
    state = replace(fresh_state(FLEET), history=LifeHistory(9, True, np.ones((3, 5))))

    assert state.under(SPEC).history is NO_HISTORY


def test_an_alarm_that_has_stood_for_ever_is_packed_as_it_is() -> None:
    policy = AlarmPolicy(3, 5, 0.0)
    alarm = AlarmState()
    for cycle in range(1, 65_540):  # longer than two bytes can count
        alarm, _ = step(alarm, cycle, 2.5, True, policy)
    state = AssetState(MACHINE, MODEL, np.empty((0, 3), np.float32), 65_539, 1, alarm)

    read = unpack(state.pack()).alarm

    assert read == AlarmState(Level.CRITICAL, 1, 65_535, 65_535, 0, open_for=65_535)


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
        AssetState(MACHINE, MODEL, np.empty((0, 3), np.float32), alarm=alarm).pack()


@given(states)
def test_a_state_of_layout_3_is_read_with_the_rows_of_its_alarm(state: AssetState) -> None:
    read = unpack(as_layout_3(state))

    rows = structs.replace(state.alarm, recent=(), open_for=0, closing=0, flaps=0)
    assert (read.alarm, read.fence, read.ages, read.fleet) == (
        rows,
        state.fence,
        state.ages,
        state.fleet,
    )
    np.testing.assert_array_equal(read.ring, state.ring)


@given(states, st.data())
def test_a_state_cut_off_anywhere_is_no_state(state: AssetState, data: st.DataObject) -> None:
    value = state.pack()

    with pytest.raises(ValueError, match=r"asset state|ring"):
        unpack(value[: data.draw(st.integers(0, len(value) - 1))])


@given(states)
def test_the_fence_is_the_first_twelve_bytes_and_grows_as_bytes(state: AssetState) -> None:
    assert state.pack()[:12] == state.fence.pack()


@given(states)
def test_another_model_reads_on_in_the_same_window(state: AssetState) -> None:
    taken = state.under(OTHER)

    np.testing.assert_array_equal(taken.ring, state.ring)
    assert (taken.last_cycle, taken.fence, taken.ages) == (
        state.last_cycle,
        state.fence,
        state.ages,
    )
    goes_on = bool(state.alarm_id) and state.alarm.level is not Level.NONE
    carried = AlarmState(
        state.alarm.level,
        state.alarm.onset_cycle,
        open_for=state.alarm.open_for,
        flaps=state.alarm.flaps,
    )
    assert taken.alarm == (carried if goes_on else AlarmState())  # else nothing was published of it
    assert taken.history is NO_HISTORY  # it was on the other model's scale
    assert state.under(SPEC) is state


def test_an_open_alarm_goes_on_under_another_model_and_its_rows_begin_anew() -> None:
    alarm = AlarmState(Level.WARNING, 7, 5, 2, 1)
    state = replace(fresh_state(FLEET), alarm=alarm, alarm_id=str(uuid.uuid4()))

    taken = state.under(OTHER)

    assert (taken.alarm, taken.alarm_id) == (AlarmState(Level.WARNING, 7), state.alarm_id)


@given(states)
def test_of_another_machine_type_the_ring_says_nothing_but_the_place_stays(
    state: AssetState,
) -> None:
    other = MeanScorer(channels=("T24", "T30", "P30")).spec

    taken = state.under(other)

    assert taken.ring.shape == (0, WIDTH)
    assert (taken.machine, taken.ages) == (other.machine.digest, ())
    assert (taken.last_cycle, taken.fence) == (state.last_cycle, state.fence)


def test_a_shorter_window_takes_the_latest_rows_and_a_longer_one_all() -> None:
    ring = np.arange(4 * WIDTH, dtype=np.float32).reshape(4, WIDTH)
    state = replace(fresh_state(FLEET), ring=ring)

    shorter = state.under(MeanScorer(window_length=3).spec).ring
    longer = state.under(MeanScorer(window_length=9).spec).ring

    np.testing.assert_array_equal(shorter, ring[1:])
    np.testing.assert_array_equal(longer, ring)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"x" * 20, id="too short"),
        pytest.param(fresh_state(FLEET).pack() + b"!", id="too long"),
        pytest.param(b"\xff" * 60, id="not ours"),
    ],
)
def test_foreign_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match=r"state|ring"):
        unpack(value)


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        pytest.param(4, b"\xff", "a value no state has", id="a negative offset"),
        pytest.param(52, b"\xff", "a value no state has", id="a negative cycle"),
        pytest.param(60, b"\xff", "a value no state has", id="seen from a negative cycle"),
        pytest.param(67, b"\x03", "a value no state has", id="a level there is not"),
        pytest.param(75, b"\xff", "a value no state has", id="a negative onset"),
        pytest.param(65, b"\x63", "99 ages of held values in", id="more ages than columns"),
        pytest.param(82 + 58, b"\x09", "9 former homes; 8 at most", id="too many homes"),
        pytest.param(82 + 59, b"\xff", "cut off", id="a name that is not all there"),
    ],
)
def test_a_value_no_state_has_is_refused(at: int, value: bytes, why: str) -> None:
    packed = bytearray(fresh_state(FLEET, Fence(0, 1)).pack())
    packed[at : at + 1] = value

    with pytest.raises(ValueError, match=why):
        unpack(bytes(packed))


def test_of_many_former_homes_the_latest_are_kept() -> None:
    homes = tuple(Fence(number, 10 * number, 1) for number in range(11))

    kept = unpack(replace(fresh_state(FLEET), former=homes).pack()).former

    assert kept == homes[3:]


def test_a_value_of_the_wrong_size_is_told_with_the_right_one() -> None:
    empty = fresh_state(FLEET).pack()
    state = AssetState(MACHINE, MODEL, np.zeros((2, 3), np.float32))
    full = state.pack()

    head = len(empty) - FOOTER.size
    with pytest.raises(ValueError, match=f"^an asset state is cut off at {head - 1} bytes$"):
        unpack(empty[: head - 1])
    with pytest.raises(ValueError, match=r"^a ring of 2 x 3 has 24 bytes, not 23$"):
        unpack(as_layout_5(state)[:-1])
    with pytest.raises(ValueError, match=rf"one of \(2, 3\) from {head} was expected"):
        unpack(full[: -FOOTER.size] + FOOTER.pack(1, 3, 0))


def test_before_the_first_record_no_partition_is_named() -> None:
    assert Fence().pack() == bytes.fromhex("ffffffff" + 8 * "00")
    assert Fence(3, 258).pack() == bytes.fromhex("00000003" + 6 * "00" + "0102")


def test_a_record_before_the_fence_is_applied_only_in_its_own_partition() -> None:
    fence = Fence(partition=2, next_offset=10)

    assert fence.applied(2, 9)
    assert not fence.applied(2, 10)
    assert not fence.applied(1, 9)


def test_of_a_fresh_asset_no_cycle_is_known() -> None:
    state = fresh_state(FLEET, Fence(2, 10))

    assert (state.last_cycle, state.seen_from, state.newest_us) == (0, 0, 0)
    assert (state.opened, state.rival, state.former, state.ages) == (None, Rival(), (), ())
    assert (state.machine, state.model, state.fleet) == (MACHINE, MODEL, FLEET.name)
    assert (state.fence, state.alarm, state.alarm_id) == (Fence(2, 10), AlarmState(), "")
    assert state.ring.shape == (0, WIDTH)


@pytest.mark.parametrize(
    ("cycle", "clock_us", "count"),
    [
        pytest.param(6, 301, 3, id="the next cycle, later"),
        pytest.param(9, 301, 3, id="as far as may be bridged"),
        pytest.param(10, 301, 1, id="further: a row begins anew"),
        pytest.param(5, 301, 1, id="the same cycle"),
        pytest.param(4, 301, 1, id="an earlier one"),
        pytest.param(6, 300, 1, id="at the same time"),
        pytest.param(6, 299, 1, id="before it, newer than the run"),
        pytest.param(6, 200, 0, id="no newer than the run"),
    ],
)
def test_a_rival_goes_on_with_what_agrees_with_it_and_is_newer(
    cycle: int, clock_us: int, count: int
) -> None:
    met = Rival(2, 5, 300).met(cycle, clock_us, newest_us=200, longest_step=4)

    assert met == (Rival(count, cycle, clock_us) if count else Rival())


def test_a_rival_begins_with_any_reading_that_is_newer_than_the_run() -> None:
    assert Rival().met(1, 201, newest_us=200, longest_step=4) == Rival(1, 1, 201)
    assert Rival().met(1, 200, newest_us=200, longest_step=4) == Rival()


def test_a_rival_is_counted_as_far_as_two_bytes_go() -> None:
    rival = Rival(65_535, 5, 300).met(6, 301, newest_us=200, longest_step=4)

    assert rival.count == RIVAL_LIMIT == 65_535
    kept = unpack(replace(fresh_state(FLEET), rival=rival).pack())
    assert kept.rival == rival
