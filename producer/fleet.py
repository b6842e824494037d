"""Engines of a data set as one fleet: which readings there are, in which order, as messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from common.cmapss.engines import engine_asset_id
from common.cmapss.reader import Dataset
from common.machines.turbofan import SENSOR_NAMES, SETTING_NAMES
from common.records.ids import DEFAULT_FLEET
from common.records.readings import SensorReading


class Slot(NamedTuple):
    """One reading of a fleet, by its engine's number and its cycle."""

    unit: int
    cycle: int


@dataclass(frozen=True, slots=True)
class Message:
    """One record of the readings topic.

    Attributes:
        key: The asset id: all readings of an asset share a partition, so they stay in order.
        value: The reading as JSON.
    """

    key: bytes
    value: bytes


class SentFleet(Protocol):
    """What a replay sends: readings in order of time, and each as a message."""

    @property
    def units(self) -> Sequence[int]:
        """The assets by number."""

    @property
    def run_id(self) -> str:
        """The run they become."""

    @property
    def name(self) -> str:
        """The fleet whose model judges them."""

    def slots(self) -> list[Slot]:
        """Return all readings in order of time."""

    def has(self, slot: Slot) -> bool:
        """Return whether there is such a reading."""

    def asset_id(self, unit: int) -> str:
        """Return an asset's id."""

    def offset_s(self, slot: Slot) -> float:
        """Return when a reading was taken, s; the differences count."""

    def message(self, slot: Slot) -> Message:
        """Return one reading as it goes to the topic, the same bytes always."""

    def messages(self, slots: Sequence[Slot]) -> list[Message]:
        """Return several."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Some engines of a data set, given a run id and a time.

    Attributes:
        dataset: Where the readings come from.
        units: Engine numbers, ascending.
        run_id: The run they become.
        start: Timestamp of every engine's cycle 1, UTC.
        cycle_interval: Time between two cycles.
        name: The fleet whose model judges them.
    """

    dataset: Dataset
    units: tuple[int, ...]
    run_id: str
    start: datetime
    cycle_interval: timedelta
    name: str = DEFAULT_FLEET

    def slots(self) -> list[Slot]:
        """Return all readings as a fleet would send them: by timestamp, then by engine.

        Every engine's cycle 1 comes first, then every cycle 2 of those that still run.
        """
        lengths = [(unit, len(self.dataset.engines[unit - 1])) for unit in self.units]
        longest = max((length for _, length in lengths), default=0)
        return [
            Slot(unit, cycle)
            for cycle in range(1, longest + 1)
            for unit, length in lengths
            if cycle <= length
        ]

    def asset_id(self, unit: int) -> str:
        """Return an engine's asset id, such as ``FD001-test-001``."""
        return engine_asset_id(self.dataset.name, self.dataset.split, unit)

    def has(self, slot: Slot) -> bool:
        """Return whether the engine has this cycle."""
        return slot.cycle <= len(self.dataset.engines[slot.unit - 1])

    def offset_s(self, slot: Slot) -> float:
        """Return the timestamp of a cycle less that of cycle 1, s."""
        return (slot.cycle - 1) * self.cycle_interval.total_seconds()

    def message(self, slot: Slot) -> Message:
        """Return one reading as it goes to the topic.

        The same fleet and slot give the same bytes, always.
        """
        engine = self.dataset.engines[slot.unit - 1]
        row = slot.cycle - 1
        asset_id = self.asset_id(slot.unit)
        reading = SensorReading(
            fleet=self.name,
            asset_id=asset_id,
            run_id=self.run_id,
            cycle=slot.cycle,
            ts=self.start + row * self.cycle_interval,
            settings=dict(zip(SETTING_NAMES, engine.settings[row].tolist(), strict=True)),
            sensors=dict(zip(SENSOR_NAMES, engine.sensors[row].tolist(), strict=True)),
        )
        return Message(asset_id.encode(), reading.to_json())

    def messages(self, slots: Sequence[Slot]) -> list[Message]:
        """Return several readings as they go to the topic."""
        return [self.message(slot) for slot in slots]
