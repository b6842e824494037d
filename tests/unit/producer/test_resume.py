"""What is still to send, given what the topic holds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import UserError
from producer.fleet import Fleet, Slot
from producer.ports import AssetHistory
from producer.resume import remaining
from tests.support.engines import START, dataset_of, fleet_of


def history_of(fleet: Fleet, slots: list[Slot]) -> dict[str, AssetHistory]:
    """What a topic holds when it holds these readings."""
    found: dict[str, AssetHistory] = {}
    for unit in {slot.unit for slot in slots}:
        cycles = frozenset(slot.cycle for slot in slots if slot.unit == unit)
        latest = fleet.message(Slot(unit, max(cycles))).value
        found[fleet.asset_id(unit)] = AssetHistory(cycles, latest)
    return found


def test_of_a_new_run_everything_is_to_send() -> None:
    fleet = fleet_of([3, 2])

    assert remaining(fleet, {}) == fleet.slots()


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_what_is_there_and_what_remains_make_the_whole(
    lengths: list[int], data: st.DataObject
) -> None:
    fleet = fleet_of(lengths)
    slots = fleet.slots()
    there = data.draw(st.lists(st.sampled_from(slots), unique=True))

    left = remaining(fleet, history_of(fleet, there))

    assert set(left) | set(there) == set(slots)
    assert set(left).isdisjoint(there)
    assert left == [slot for slot in slots if slot not in there]


def test_more_engines_may_join_a_run() -> None:
    few, more = fleet_of([2, 2, 2], units=(1,)), fleet_of([2, 2, 2])

    left = remaining(more, history_of(few, few.slots()))

    assert {slot.unit for slot in left} == {2, 3}


def test_other_runs_and_engines_do_not_matter() -> None:
    fleet = fleet_of([2, 2], units=(1,))
    other = fleet_of([2, 2], units=(2,))

    assert remaining(fleet, history_of(other, other.slots())) == fleet.slots()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(fleet_of([3]), start=START + timedelta(days=1)), id="start"),
        pytest.param(replace(fleet_of([3]), cycle_interval=timedelta(seconds=2)), id="interval"),
        pytest.param(replace(fleet_of([3]), dataset=dataset_of([4])), id="longer engine"),
    ],
)
def test_another_run_under_the_same_id_is_refused(other: Fleet) -> None:
    ours = fleet_of([3])

    with pytest.raises(UserError, match=r"FD001-test-001, cycle \d.*--start.*--run-id"):
        remaining(ours, history_of(other, other.slots()))


def test_the_same_reading_in_another_spelling_is_the_same() -> None:
    fleet = fleet_of([2])
    spaced = json.dumps(json.loads(fleet.message(Slot(1, 2)).value), indent=1).encode()

    assert remaining(fleet, {"FD001-test-001": AssetHistory(frozenset({1, 2}), spaced)}) == []


def test_rubbish_under_our_id_is_refused_not_resumed() -> None:
    history = {"FD001-test-001": AssetHistory(frozenset({1}), b"rubbish")}

    with pytest.raises(UserError, match="choose another --run-id"):
        remaining(fleet_of([2]), history)
