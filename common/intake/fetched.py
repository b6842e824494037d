"""Records as they were fetched: columns to whoever wants many, aiokafka's records one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Self, overload

from aiokafka.structs import ConsumerRecord

from common.intake.batches import Record

RECORD_OVERHEAD_BYTES: Final = 100
"""Counted for each record beside its key and value: a record of nothing takes memory too."""


class FetchedRecords(Sequence[ConsumerRecord]):
    """Records of one partition, in offset order.

    A sequence of aiokafka's records, each made anew when it is asked for; making all of them takes
    longer than all else that is done to fetch them.
    """

    __slots__ = ("_made", "_records", "size")

    def __init__(
        self, records: Sequence[Record], size: int, made: Callable[[Record], ConsumerRecord]
    ) -> None:
        """Keep records.

        Args:
            records: As the decoders gave them.
            size: How much of a limit in bytes they take.
            made: Makes one aiokafka's.
        """
        self._records = records
        self._made = made
        self.size = size

    @property
    def offsets(self) -> list[int]:
        """The offset of each."""
        return [record.offset for record in self._records]

    @property
    def timestamps(self) -> list[int | None]:
        """The stamp of each, UTC epoch milliseconds; none where the format has none."""
        return [record.timestamp for record in self._records]

    @property
    def keys(self) -> list[bytes | None]:
        """The key of each."""
        return [record.key for record in self._records]

    @property
    def values(self) -> list[bytes | None]:
        """The value of each."""
        return [record.value for record in self._records]

    def joined_by(self, later: Self) -> FetchedRecords:
        """Return these and later ones of the same partition as one."""
        records = [*self._records, *later._records]
        return FetchedRecords(records, self.size + later.size, self._made)

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, at: int) -> ConsumerRecord: ...

    @overload
    def __getitem__(self, at: slice) -> list[ConsumerRecord]: ...

    def __getitem__(self, at: int | slice) -> ConsumerRecord | list[ConsumerRecord]:
        if isinstance(at, slice):
            return [self._made(record) for record in self._records[at]]
        return self._made(self._records[at])

    def __iter__(self) -> Iterator[ConsumerRecord]:
        return map(self._made, self._records)


def record_bytes(record: Record) -> int:
    """Return how much of a limit in bytes a record takes."""
    return len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD_BYTES
