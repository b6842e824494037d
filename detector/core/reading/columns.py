"""Readings of a batch by column, before and after they are in order.

Thousands of readings are decoded, assembled and judged by column. What is said of one alone (an
alert, a dead letter, an asset that does not go on as it should) is said of :class:`Decoded`, which
``table.py`` makes for whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.machines.rows import as_rows
from common.records.verdicts import SourcePosition
from detector.core.reading.source import Reading, SourceRecord, SourceRecords

AssetRun = tuple[str, str]
"""(asset_id, run_id)."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)

CLOCK_AHEAD_US: Final = 3_600_000_000
"""A source's clock more than an hour ahead of the broker's is wrong, or the data are replayed."""


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """A record that holds a reading."""

    record: SourceRecord
    reading: Reading


@dataclass(frozen=True, slots=True, eq=False)
class ReadingColumns:
    """Readings of one fleet, ``n`` of them, in the order of the topic.

    Attributes:
        at: Which of the batch's records holds each, shape ``(n,)``.
        keys: The assets' runs, each once; of some there may be no reading.
        whose: Which of these each reading is of, shape ``(n,)``.
        stamps: Cycle and time, UTC epoch microseconds; shape ``(n, 2)``.
        values: The conditions, then the used channels, NaN where one is missing; shape
            ``(n, width)``.
    """

    at: NDArray[np.int64]
    keys: Sequence[AssetRun]
    whose: NDArray[np.int64]
    stamps: NDArray[np.int64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, at: Sequence[int], readings: Sequence[Reading], machine: MachineType) -> Self:
        """Return readings as columns."""
        numbers: dict[AssetRun, int] = {}
        whose = [
            numbers.setdefault((item.asset_id, item.run_id), len(numbers)) for item in readings
        ]
        stamps = [(item.cycle, _us(item.ts)) for item in readings]
        values = np.array([item.values for item in readings], np.float64)
        return cls(
            np.array(at, np.int64),
            list(numbers),
            np.array(whose, np.int64),
            np.array(stamps, np.int64).reshape(len(readings), 2),
            values.reshape(len(readings), machine.row_width),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return several as one; at least one."""
        if len(parts) == 1:
            return parts[0]
        at = np.concatenate([part.at for part in parts])
        order = np.argsort(at)
        numbers: dict[AssetRun, int] = {}
        anew = [
            np.array([numbers.setdefault(key, len(numbers)) for key in part.keys], np.int64)
            for part in parts
        ]
        whose = np.concatenate([new[part.whose] for new, part in zip(anew, parts, strict=True)])
        return cls(
            at[order],
            list(numbers),
            whose[order],
            np.concatenate([part.stamps for part in parts])[order],
            np.concatenate([part.values for part in parts])[order],
        )

    def __getitem__(self, which: NDArray[np.bool_]) -> Self:
        return type(self)(
            self.at[which], self.keys, self.whose[which], self.stamps[which], self.values[which]
        )

    def by_asset(self) -> tuple[Self, NDArray[np.int64]]:
        """Return them asset by asset, in the order in which these spoke first, and the counts."""
        counts = np.bincount(self.whose, minlength=len(self.keys))
        if counts.all() and (self.whose[1:] >= self.whose[:-1]).all():
            return self, counts
        _, firsts = np.unique(self.whose, return_index=True)
        spoke = np.flatnonzero(counts)[np.argsort(firsts)]
        rank_of = np.zeros(len(self.keys), np.int64)
        rank_of[spoke] = np.arange(len(spoke))
        whose = rank_of[self.whose]
        order = np.argsort(whose, kind="stable")
        keys = [self.keys[number] for number in spoke.tolist()]
        return (
            type(self)(self.at[order], keys, whose[order], self.stamps[order], self.values[order]),
            counts[spoke],
        )


@dataclass(frozen=True, slots=True)
class SourcePositions(Sequence[SourcePosition]):
    """Where readings stood, as columns; single positions are made for whoever asks for one.

    Attributes:
        topic: Of all of them.
        partitions: Of each.
        offsets: Likewise.
    """

    topic: str
    partitions: Sequence[int]
    offsets: Sequence[int]

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, at: int) -> SourcePosition: ...

    @overload
    def __getitem__(self, at: slice) -> SourcePositions: ...

    def __getitem__(self, at: int | slice) -> SourcePosition | SourcePositions:
        if isinstance(at, slice):
            return SourcePositions(self.topic, self.partitions[at], self.offsets[at])
        return SourcePosition(self.topic, self.partitions[at], self.offsets[at])

    def __iter__(self) -> Iterator[SourcePosition]:
        return map(self.__getitem__, range(len(self)))


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one partition, in the order of the topic.

    Attributes:
        offsets: Where they stood, shape ``(n,)``, int64, rising within an asset.
        stamps: Cycle and time of each, as it says them; shape ``(n, 2)``, int64, the time in UTC
            epoch microseconds.
        clock_us: Their times, UTC epoch microseconds, shape ``(n,)``, int64; a time far ahead of
            the broker's stamp is no time to compare with, and the stamp stands in for it.
        rows: Their values as measured, shape ``(n, width)``, float32: the conditions, then the
            channels, NaN where a channel is missing.
    """

    offsets: NDArray[np.int64]
    stamps: NDArray[np.int64]
    clock_us: NDArray[np.int64]
    rows: NDArray[np.float32]

    @property
    def cycles(self) -> NDArray[np.int64]:
        """Their cycles, shape ``(n,)``."""
        return self.stamps[:, 0]

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, part: slice | NDArray[np.int64]) -> Readings:
        return Readings(self.offsets[part], self.stamps[part], self.clock_us[part], self.rows[part])


@dataclass(frozen=True, slots=True, eq=False)
class PlacedReadings:
    """Readings of several assets, asset by asset, as the assembler takes them, and their places.

    Attributes:
        counts: How many of each asset, shape ``(n_assets,)``, each at least 1.
        readings: All of them, ``n``.
        topic: Where they stood.
        partitions: Likewise, shape ``(n,)``.
        published_ts_ms: The broker's timestamps, UTC epoch milliseconds; shape ``(n,)``.
    """

    counts: NDArray[np.int64]
    readings: Readings
    topic: str
    partitions: NDArray[np.int64]
    published_ts_ms: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        counts: NDArray[np.int64],
        columns: ReadingColumns,
        records: SourceRecords,
    ) -> Self:
        """Return readings in order with where their records stood."""
        at = columns.at.tolist()
        offsets, partitions, published_ts_ms = (
            np.array([column[one] for one in at], np.int64)
            for column in (records.offsets, records.partitions, records.published_ts_ms)
        )
        clock_us = _clock_us(columns.stamps[:, 1], published_ts_ms * 1000)
        readings = Readings(offsets, columns.stamps, clock_us, as_rows(columns.values))
        return cls(counts, readings, records.topic, partitions, published_ts_ms)

    @classmethod
    def joined(cls, parts: Sequence[Self], machine: MachineType) -> Self:
        """Return the readings of some assets as one.

        Args:
            parts: Each of one topic, all of the same.
            machine: What their values are.
        """
        if not parts:
            nothing = ReadingColumns.of((), (), machine)
            return cls.of(np.empty(0, np.int64), nothing, SourceRecords.of(()))
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([part.counts for part in parts]),
            Readings(
                np.concatenate([part.readings.offsets for part in parts]),
                np.concatenate([part.readings.stamps for part in parts]),
                np.concatenate([part.readings.clock_us for part in parts]),
                np.concatenate([part.readings.rows for part in parts]),
            ),
            parts[0].topic,
            np.concatenate([part.partitions for part in parts]),
            np.concatenate([part.published_ts_ms for part in parts]),
        )

    def of_assets(self, begin: int, end: int) -> PlacedReadings:
        """Return the readings of some consecutive assets."""
        first, last = int(self.counts[:begin].sum()), int(self.counts[:end].sum())
        rows = slice(first, last)
        return PlacedReadings(
            self.counts[begin:end],
            self.readings[rows],
            self.topic,
            self.partitions[rows],
            self.published_ts_ms[rows],
        )

    def positions(self, left_out: Sequence[int] = ()) -> tuple[SourcePositions, list[int]]:
        """Return where readings stood, and when they were published, without those left out."""
        partitions, offsets, published_ts_ms = (
            (np.delete(column, left_out) if left_out else column).tolist()
            for column in (self.partitions, self.readings.offsets, self.published_ts_ms)
        )
        return SourcePositions(self.topic, partitions, offsets), published_ts_ms


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def _clock_us(taken_us: NDArray[np.int64], published_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return readings' times, or the broker's stamps where the source's clock is far ahead."""
    ahead = (published_us > 0) & (taken_us > published_us + CLOCK_AHEAD_US)
    return np.where(ahead, published_us, taken_us)
