"""Engines as one fleet: order, ids, messages."""

from __future__ import annotations

import re
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from common.machines.turbofan import SENSOR_NAMES, SETTING_NAMES
from common.records.ids import ID_PATTERN
from common.records.readings import SensorReading
from producer.fleet import Slot
from tests.support.engines import START, fleet_of


def test_engines_take_turns_cycle_by_cycle_and_leave_when_they_end() -> None:
    slots = fleet_of([2, 9, 3], units=(1, 3)).slots()

    assert slots == [Slot(1, 1), Slot(3, 1), Slot(1, 2), Slot(3, 2), Slot(3, 3)]


@given(st.lists(st.integers(1, 8), min_size=1, max_size=5))
def test_every_reading_once_in_order_of_time_and_of_cycle(lengths: list[int]) -> None:
    fleet = fleet_of(lengths)
    slots = fleet.slots()

    assert len(slots) == len(set(slots)) == sum(lengths)
    offsets = [fleet.offset_s(slot) for slot in slots]
    assert offsets == sorted(offsets)
    for unit, length in enumerate(lengths, start=1):
        assert [slot.cycle for slot in slots if slot.unit == unit] == list(range(1, length + 1))


def test_a_message_decodes_to_the_reading_of_the_file() -> None:
    fleet = fleet_of([3, 3])
    engine = fleet.dataset.engines[1]

    message = fleet.message(Slot(2, 3))
    reading = SensorReading.model_validate_json(message.value)

    assert message.key == reading.asset_id.encode() == b"FD001-test-002"
    assert (reading.run_id, reading.cycle) == ("run", 3)
    assert reading.ts == START + timedelta(seconds=2)
    assert tuple(reading.settings) == SETTING_NAMES
    assert list(reading.settings.values()) == engine.settings[2].tolist()
    assert tuple(reading.sensors) == SENSOR_NAMES
    assert list(reading.sensors.values()) == engine.sensors[2].tolist()


def test_the_same_reading_is_the_same_bytes() -> None:
    assert fleet_of([2]).message(Slot(1, 2)) == fleet_of([2]).message(Slot(1, 2))


def test_asset_ids_are_ids_and_sort_like_engines() -> None:
    fleet = fleet_of([1])
    ids = [fleet.asset_id(unit) for unit in (1, 2, 10, 100, 2000)]

    assert ids[:3] == ["FD001-test-001", "FD001-test-002", "FD001-test-010"]
    assert all(re.fullmatch(ID_PATTERN, asset_id) for asset_id in ids)
    assert len(set(ids)) == 5
