"""What one fetch brought of the readings topic: records, its begin and end, what was damaged.

Offsets of a partition are not dense: transactions leave markers, compaction leaves gaps, a damaged
batch holds records nobody can read. So how far a partition has been applied is told by the span
that was fetched, never by the offsets of the records in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import overload

import msgspec

from common.errors import RejectReason
from common.records.verdicts import SourcePosition


class SourceRecord(msgspec.Struct, frozen=True, gc=False):
    """A record as it came from the readings topic.

    Attributes:
        position: Where it stood.
        published_ts_ms: The broker's timestamp, UTC epoch milliseconds; 0 when it has none that is
            a time (``common.records.times.EARLIEST`` to ``LATEST``).
        key: Its key.
        value: Its value; none for a tombstone.
    """

    position: SourcePosition
    published_ts_ms: int
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True, eq=False)
class SourceRecords(Sequence[SourceRecord]):
    """Records of one topic as columns; single ones are made for whoever asks for one.

    Attributes:
        topic: Its name; empty where there is no record.
        partitions: Where each stood.
        offsets: Likewise.
        published_ts_ms: The broker's timestamps, as in ``SourceRecord``.
        keys: Their keys.
        values: Their values.
    """

    topic: str
    partitions: Sequence[int]
    offsets: Sequence[int]
    published_ts_ms: Sequence[int]
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]

    @classmethod
    def of(cls, records: Sequence[SourceRecord]) -> SourceRecords:
        """Return records as columns.

        Raises:
            ValueError: If they are of several topics.
        """
        if isinstance(records, SourceRecords):
            return records
        topics = {record.position.topic for record in records}
        if len(topics) > 1:
            raise ValueError(f"records of one topic are expected, not of {sorted(topics)}")
        return cls(
            "".join(topics),
            [record.position.partition for record in records],
            [record.position.offset for record in records],
            [record.published_ts_ms for record in records],
            [record.key for record in records],
            [record.value for record in records],
        )

    @classmethod
    def joined(cls, parts: Iterable[SourceRecords]) -> SourceRecords:
        """Return records of the same topic as one."""
        each = [part for part in parts if len(part)]
        if len(each) == 1:
            return each[0]
        return cls(
            each[0].topic if each else "",
            [*chain.from_iterable(part.partitions for part in each)],
            [*chain.from_iterable(part.offsets for part in each)],
            [*chain.from_iterable(part.published_ts_ms for part in each)],
            [*chain.from_iterable(part.keys for part in each)],
            [*chain.from_iterable(part.values for part in each)],
        )

    def last_of_each(self) -> dict[int, SourceRecord]:
        """Return the last record of each partition."""
        last = dict(zip(self.partitions, range(len(self)), strict=True))
        return {partition: self[at] for partition, at in last.items()}

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, at: int) -> SourceRecord: ...

    @overload
    def __getitem__(self, at: slice) -> SourceRecords: ...

    def __getitem__(self, at: int | slice) -> SourceRecord | SourceRecords:
        if isinstance(at, slice):
            return SourceRecords(
                self.topic,
                self.partitions[at],
                self.offsets[at],
                self.published_ts_ms[at],
                self.keys[at],
                self.values[at],
            )
        return SourceRecord(
            SourcePosition(self.topic, self.partitions[at], self.offsets[at]),
            self.published_ts_ms[at],
            self.keys[at],
            self.values[at],
        )

    def __iter__(self) -> Iterator[SourceRecord]:
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]  # as lists have none


class Reading(msgspec.Struct, frozen=True, gc=False):
    """What a record says, as far as a model looks at it.

    Attributes:
        fleet: Of which fleet.
        asset_id: Whose.
        run_id: In which run.
        cycle: Its count within the run, or the tick of its time.
        ts: When it was taken, UTC.
        values: The conditions, then the used channels, in the machine type's order; NaN where a
            channel is missing.
    """

    fleet: str
    asset_id: str
    run_id: str
    cycle: int
    ts: datetime
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a partition.

    Attributes:
        begin: The offset it was fetched from.
        end: The offset the next fetch begins at; all between them was seen.
    """

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class UnreadableBatch:
    """A batch of records that cannot be decoded: skipped, and set aside as one dead letter.

    Attributes:
        position: Its first offset.
        last_offset: Its last offset.
        reason: ``damaged_batch``, ``unknown_codec`` or ``batch_too_large``.
        message: What came, what was expected.
        original: Its bytes as fetched, at most ``MAX_ORIGINAL_BYTES``.
        original_size: Size before cutting, bytes.
        original_sha256: Digest of all of it.
    """

    position: SourcePosition
    last_offset: int
    reason: RejectReason
    message: str
    original: bytes
    original_size: int
    original_sha256: str


@dataclass(frozen=True, slots=True)
class FailedRecord:
    """A record that could not be processed although nothing is known to be wrong with it.

    Attributes:
        record: The record.
        message: What was raised.
    """

    record: SourceRecord
    message: str


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """What one fetch brought.

    Attributes:
        records: In offset order within each partition; any mix of partitions.
        spans: By partition, what the fetch covered; every record lies in its partition's span.
        unreadable: Batches within the spans that cannot be decoded.
        failed: Records that have been tried alone and failed: they are set aside.
        topic_id: The broker's id of the topic, another one when it was made anew; empty where it
            has none, or is not known yet. It may lag behind by a few seconds.
        highwaters: By partition, where its committed data ended when this was fetched; a partition
            of which the broker has not said so is left out.
    """

    records: Sequence[SourceRecord]
    spans: Mapping[int, Span]
    unreadable: Sequence[UnreadableBatch] = ()
    failed: Sequence[FailedRecord] = ()
    topic_id: str = ""
    highwaters: Mapping[int, int] = field(default_factory=dict)

    @property
    def columns(self) -> SourceRecords:
        """The records as columns."""
        return SourceRecords.of(self.records)

    def halves(self) -> tuple[SourceBatch, SourceBatch]:
        """Return the batch cut in two, each half with its part of the spans."""
        records, middle = self.columns, len(self.records) // 2
        first, second = records[:middle], records[middle:]
        cuts: dict[int, int] = {}
        for partition, offset in zip(second.partitions, second.offsets, strict=True):
            cuts.setdefault(partition, offset)
        mine = set(first.partitions)
        before, after = dict(self.spans), {}
        for partition, cut in cuts.items():
            span = self.spans[partition]
            after[partition] = Span(cut, span.end) if partition in mine else span
            if partition in mine:
                before[partition] = Span(span.begin, cut)
            else:
                del before[partition]
        return (
            SourceBatch(first, before, self.unreadable, self.failed, self.topic_id),
            SourceBatch(second, after, topic_id=self.topic_id),
        )

    def parts(self, most_keys: int) -> Iterator[SourceBatch]:
        """Yield the batch in parts of few enough keys; together they are all of it, in order.

        Args:
            most_keys: Different keys of the records of one part, at least 1.
        """
        if len(set(self.columns.keys)) <= most_keys:
            yield self
            return
        for half in self.halves():
            yield from half.parts(most_keys)


def dense(records: Sequence[SourceRecord]) -> SourceBatch:
    """Return records as a batch whose spans end with them: for topics whose offsets have no gaps.

    Example:
        >>> at = SourcePosition("readings", 3, 7)
        >>> dense([SourceRecord(at, 0, None, None)]).spans
        {3: Span(begin=7, end=8)}
    """
    spans: dict[int, Span] = {}
    for record in records:
        number, offset = record.position.partition, record.position.offset
        begin = spans[number].begin if number in spans else offset
        spans[number] = Span(begin, offset + 1)
    return SourceBatch(records, spans)
