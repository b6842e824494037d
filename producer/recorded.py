"""A recording as a fleet: its assets' readings, at the times they were taken, as messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from common.recording import AssetRecord, Recording
from common.records.readings import SensorReading
from common.records.times import EARLIEST
from producer.fleet import Message, Slot

US: Final = timedelta(microseconds=1)

Cycles = TypeVar("Cycles", int, NDArray[np.int64])


@dataclass(frozen=True, slots=True)
class RecordedFleet:
    """All assets of a recording, given a run id.

    Attributes:
        recording: Where the readings come from.
        run_id: The run they become.
        name: The fleet whose model judges them.
        start: Timestamp of cycle 1, where the recording has no times.
        cycle_interval: Time between two cycles, likewise.
    """

    recording: Recording
    run_id: str
    name: str
    start: datetime
    cycle_interval: timedelta

    @property
    def units(self) -> Sequence[int]:
        """The assets by number, from 1."""
        return range(1, len(self.recording.assets) + 1)

    def slots(self) -> list[Slot]:
        """Return all readings as the machines would send them: by time, then by asset."""
        times = [self._clock_us(asset) for asset in self.recording.assets]
        if not times:
            return []
        numbers = np.repeat(np.arange(len(times)), [len(part) for part in times])
        cycles = np.concatenate([asset.cycles for asset in self.recording.assets])
        order = np.lexsort((numbers, np.concatenate(times)))
        return [
            Slot(int(number) + 1, int(cycle))
            for number, cycle in zip(numbers[order], cycles[order], strict=True)
        ]

    def has(self, slot: Slot) -> bool:
        """Return whether the recording has this reading."""
        cycles = self.recording.assets[slot.unit - 1].cycles
        row = int(np.searchsorted(cycles, slot.cycle))
        return row < len(cycles) and int(cycles[row]) == slot.cycle

    def asset_id(self, unit: int) -> str:
        """Return an asset's id."""
        return self.recording.assets[unit - 1].asset_id

    def offset_s(self, slot: Slot) -> float:
        """Return the time of a reading, s since 1970."""
        asset = self.recording.assets[slot.unit - 1]
        return self._at_us(asset, self._row(asset, slot.cycle)) / 1e6

    def message(self, slot: Slot) -> Message:
        """Return one reading as it goes to the topic; the same slot gives the same bytes, always.

        What was not measured is sent as null.
        """
        machine = self.recording.machine
        asset = self.recording.assets[slot.unit - 1]
        row = self._row(asset, slot.cycle)
        channels = [channel.name for channel in machine.channels]
        reading = SensorReading(
            fleet=self.name,
            asset_id=asset.asset_id,
            run_id=self.run_id,
            cycle=slot.cycle,
            ts=EARLIEST + self._at_us(asset, row) * US,
            settings=dict(
                zip(machine.condition_names, asset.conditions[row].tolist(), strict=True)
            ),
            sensors={
                name: None if value != value else value
                for name, value in zip(channels, asset.channels[row].tolist(), strict=True)
            },
        )
        return Message(asset.asset_id.encode(), reading.to_json())

    def messages(self, slots: Sequence[Slot]) -> list[Message]:
        """Return several readings as they go to the topic."""
        return [self.message(slot) for slot in slots]

    def _row(self, asset: AssetRecord, cycle: int) -> int:
        return int(np.searchsorted(asset.cycles, cycle))

    def _at_us(self, asset: AssetRecord, row: int) -> int:
        if asset.clock_us is not None:
            return int(asset.clock_us[row])
        return self._counted_us(int(asset.cycles[row]))

    def _clock_us(self, asset: AssetRecord) -> NDArray[np.int64]:
        return self._counted_us(asset.cycles) if asset.clock_us is None else asset.clock_us

    def _counted_us(self, cycles: Cycles) -> Cycles:
        return (self.start - EARLIEST) // US + (cycles - 1) * (self.cycle_interval // US)
