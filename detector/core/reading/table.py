"""The readings of a batch as a table: a row for each, asset by asset, objects for whoever asks.

From outside an asset's readings are a sequence of :class:`~detector.core.reading.columns.Decoded`,
and a list of these will do as well: a table's part answers the same questions without making them.
``test_readings.py`` holds both against each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from itertools import chain
from typing import Final, overload

import numpy as np

from common.machines.machine import MachineType
from detector.core.reading.columns import EPOCH, AssetRun, Decoded, PlacedReadings, ReadingColumns
from detector.core.reading.source import Reading, SourceRecords

SEVERAL: Final = -2
"""Where one partition is expected and readings stood on several; no fence has this one."""


class ReadingTable:
    """The readings of one fleet in a batch, in rows, asset by asset.

    Attributes:
        fleet: What they say they are of.
        keys: The assets' runs, in the order in which they spoke first.
        bounds: At which row each asset begins; one more for the end.
        first_at: Which of the batch's records holds the first reading of each asset.
        homes: The partition that the readings of each asset stood on; ``SEVERAL`` for several.
        least_offsets: The smallest offset of each asset.
        places: Partition and offset of each row.
        placed: The readings as the assembler takes them.
    """

    def __init__(self, fleet: str, columns: ReadingColumns, records: SourceRecords) -> None:
        """Put readings in order.

        Args:
            fleet: What they say they are of.
            columns: The readings, at least one.
            records: The batch.
        """
        self._columns, counts = columns.by_asset()
        self._records = records
        self.fleet = fleet
        self.keys = self._columns.keys
        self.placed = placed = PlacedReadings.of(counts, self._columns, records)
        ends = np.cumsum(counts)
        begins = ends - counts
        self.bounds: list[int] = [0, *ends.tolist()]
        self.first_at: list[int] = self._columns.at[begins].tolist()
        least, most = (
            each.reduceat(placed.partitions, begins) for each in (np.minimum, np.maximum)
        )
        self.homes: list[int] = np.where(least == most, least, SEVERAL).tolist()
        self.places: list[tuple[int, int]] = list(
            zip(placed.partitions.tolist(), placed.readings.offsets.tolist(), strict=True)
        )
        self.least_offsets: list[int] = np.minimum.reduceat(
            placed.readings.offsets, begins
        ).tolist()

    def assets(self) -> list[AssetReadings]:
        """Return the readings of each asset."""
        return [AssetReadings(self, number) for number in range(len(self.keys))]

    def is_made_of(self, assets: Sequence[Sequence[Decoded]]) -> bool:
        """Return whether these are the readings of all its assets, in its order."""
        return len(assets) == len(self.keys) and all(
            isinstance(each, AssetReadings) and each.table is self and each.number == number
            for number, each in enumerate(assets)
        )

    def decoded(self, begin: int, end: int) -> Iterator[tuple[int, Decoded]]:
        """Yield the readings of some rows with their records, and which of the batch's it is."""
        rows, columns = slice(begin, end), self._columns
        for at, number, (cycle, ts_us), values in zip(
            columns.at[rows].tolist(),
            columns.whose[rows].tolist(),
            columns.stamps[rows].tolist(),
            columns.values[rows].tolist(),
            strict=True,
        ):
            asset_id, run_id = self.keys[int(number)]
            ts = EPOCH + timedelta(microseconds=ts_us)
            reading = Reading(self.fleet, asset_id, run_id, cycle, ts, tuple(values))
            yield at, Decoded(self._records[at], reading)


class AssetReadings(Sequence[Decoded]):
    """The readings of one asset's run in a table, in the order of the topic.

    Attributes:
        table: The table.
        number: Which of its assets.
    """

    __slots__ = ("number", "table")

    def __init__(self, table: ReadingTable, number: int) -> None:
        self.table = table
        self.number = number

    @property
    def home(self) -> int:
        """The partition they stood on; ``SEVERAL`` for several."""
        return self.table.homes[self.number]

    def is_behind(self, partition: int, offset: int) -> bool:
        """Return whether all of them stood on a partition, at an offset or behind it."""
        table, number = self.table, self.number
        return table.homes[number] == partition and table.least_offsets[number] >= offset

    def place(self, at: int) -> tuple[int, int]:
        """Return partition and offset of one of them."""
        return self.table.places[range(*self._bounds)[at]]

    @property
    def cycles(self) -> list[int]:
        """The cycle of each."""
        begin, end = self._bounds
        found: list[int] = self.table.placed.readings.cycles[begin:end].tolist()
        return found

    @property
    def placed(self) -> PlacedReadings:
        """The readings as the assembler takes them."""
        return self.table.placed.of_assets(self.number, self.number + 1)

    def numbered(self) -> Iterator[tuple[int, Decoded]]:
        """Yield each, and which of the batch's records holds it."""
        return self.table.decoded(*self._bounds)

    @property
    def _bounds(self) -> list[int]:
        return self.table.bounds[self.number : self.number + 2]

    def __len__(self) -> int:
        begin, end = self._bounds
        return end - begin

    @overload
    def __getitem__(self, at: int) -> Decoded: ...

    @overload
    def __getitem__(self, at: slice) -> list[Decoded]: ...

    def __getitem__(self, at: int | slice) -> Decoded | list[Decoded]:
        if isinstance(at, slice):
            return [*self][at]
        row = range(*self._bounds)[at]
        ((_, found),) = self.table.decoded(row, row + 1)
        return found

    def __iter__(self) -> Iterator[Decoded]:
        return (item for _, item in self.numbered())


def by_asset(tables: Sequence[ReadingTable]) -> dict[AssetRun, Sequence[Decoded]]:
    """Return the readings of each asset's run, in the order in which they spoke first.

    Of a run whose readings say several fleets they are no longer a part of one table.
    """
    if len(tables) == 1:
        return dict(zip(tables[0].keys, tables[0].assets(), strict=True))
    shares: dict[AssetRun, list[AssetReadings]] = {}
    everyone = [part for table in tables for part in table.assets()]
    for part in sorted(everyone, key=lambda part: part.table.first_at[part.number]):
        shares.setdefault(part.table.keys[part.number], []).append(part)
    return {key: parts[0] if len(parts) == 1 else _mixed(parts) for key, parts in shares.items()}


def _mixed(parts: Sequence[AssetReadings]) -> list[Decoded]:
    found = dict(chain.from_iterable(part.numbered() for part in parts))
    return [found[at] for at in sorted(found)]


def said_by(decoded: Sequence[Decoded], fleet: str) -> tuple[Sequence[Decoded], Sequence[Decoded]]:
    """Return the readings that say a fleet, and the others."""
    if isinstance(decoded, AssetReadings):
        return (decoded, ()) if decoded.table.fleet == fleet else ((), decoded)
    own = [item for item in decoded if item.reading.fleet == fleet]
    return own, [item for item in decoded if item.reading.fleet != fleet]


def fleets_said(decoded: Sequence[Decoded]) -> Collection[str]:
    """Return the fleets that an asset's readings say."""
    if isinstance(decoded, AssetReadings):
        return (decoded.table.fleet,)
    return dict.fromkeys(item.reading.fleet for item in decoded)


def place_of(decoded: Sequence[Decoded], at: int) -> tuple[int, int]:
    """Return partition and offset of one of an asset's readings."""
    if isinstance(decoded, AssetReadings):
        return decoded.place(at)
    position = decoded[at].record.position
    return position.partition, position.offset


def heard_on(decoded: Sequence[Decoded]) -> Collection[int]:
    """Return the partitions on which an asset's readings stood."""
    if isinstance(decoded, AssetReadings) and decoded.home != SEVERAL:
        return (decoded.home,)
    return {item.record.position.partition: None for item in decoded}


def cycles_of(decoded: Sequence[Decoded]) -> list[int]:
    """Return the cycles of an asset's readings."""
    if isinstance(decoded, AssetReadings):
        return decoded.cycles
    return [item.reading.cycle for item in decoded]


def put_together(assets: Sequence[Sequence[Decoded]], machine: MachineType) -> PlacedReadings:
    """Return the readings of some assets as one.

    Args:
        assets: Of each at least one.
        machine: What their values are.
    """
    first = assets[0] if assets else ()
    if isinstance(first, AssetReadings) and first.table.is_made_of(assets):
        return first.table.placed
    return PlacedReadings.joined([_placed(decoded, machine) for decoded in assets], machine)


def _placed(decoded: Sequence[Decoded], machine: MachineType) -> PlacedReadings:
    if isinstance(decoded, AssetReadings):
        return decoded.placed
    readings = [item.reading for item in decoded]
    columns = ReadingColumns.of(range(len(decoded)), readings, machine)
    records = SourceRecords.of([item.record for item in decoded])
    return PlacedReadings.of(np.array([len(decoded)], np.int64), columns, records)
