"""Reads one topic's partitions so that each fetch proves which life of the topic it comes from.

Offsets mean something only within one life of a topic. One that was deleted and made anew may be
shorter than the old one, just as long, or longer before anyone looks; then offsets go on as if
nothing had happened, and what came first is never read. So every fetch begins one record early,
with the one that was read last: is it still that record, the fetch is of the same life; is it
another, reading starts over. Record and proof come in one answer: nothing can happen in between.

What retention removed before it was read is a gap, and is reported as one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol

from aiokafka import TopicPartition

from api.ports import FeedBatch, FeedPosition, Item, OffsetGap
from common.logs import get_logger

PROOF_WAIT_MS: Final = 2000
"""Longest wait for a record that is known to be there; the broker answers such a fetch at once."""

QUICK_LOOK_MS: Final = 200
"""How long to look where nothing need be: a fetch or two."""

ROUNDS_BETWEEN_CHECKS: Final = 20
"""All partitions are looked at this often, however much arrives on some of them."""

IDLE_CHECK_MS: Final = 2000
"""Silence after which we look whether it is still the same life."""

MAX_RECORDS: Final = 1000
"""Most records of one batch, and so of one transaction."""

_log = get_logger(__name__)


class Consumer(Protocol):
    """What is used of aiokafka's consumer."""

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Let the next fetch begin at this offset."""

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Any]]:
        """Return what there is, or nothing after the time."""

    async def position(self, partition: TopicPartition) -> int:
        """Return the offset at which the next fetch begins."""

    def highwater(self, partition: TopicPartition) -> int | None:
        """Return the offset of the next record, as the last fetch said."""

    async def beginning_offsets(
        self, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """Return the first offset that is still there."""


class AnotherLifeError(Exception):
    """The topic is not the one that was read before."""


@dataclass(slots=True)
class TopicLog(Generic[Item]):
    """Follows the partitions of one life of a topic.

    Attributes:
        consumer: Assigned to the partitions.
        source: Name of the life, as batches bear it.
        positions: How far each partition was read; updated as batches are yielded.
        decode: Makes an item of a record, or nothing.
        settle_s: How long what arrives may lie before it is read.
    """

    consumer: Consumer
    source: str
    positions: dict[TopicPartition, FeedPosition]
    decode: Callable[[Any], Item | None]
    settle_s: float = 0.0
    _rounds: int = 0

    async def start(self) -> AsyncGenerator[FeedBatch[Item], None]:
        """Yield a gap for each partition whose next record is gone already."""
        begins = await self.consumer.beginning_offsets(list(self.positions))
        for partition, position in list(self.positions.items()):
            begin = begins.get(partition, 0)
            # a position behind the end is no gap but another life, which a fetch will show
            if begin > position.next_offset:
                yield self._gap(partition, position, begin)

    async def news(self) -> AsyncGenerator[FeedBatch[Item], None]:
        """Wait until something arrives or some time passes, and yield what is new.

        When the topic turns out to be another one, the last batches set all positions to the
        beginning.

        Raises:
            AnotherLifeError: After such batches.
        """
        for partition in await self._worth_a_look():
            arrived = True
            while arrived:
                records = await self._proven(partition)
                if records is None:
                    for one in self.positions:
                        yield FeedBatch(self.source, one.partition, FeedPosition(0), [])
                    raise AnotherLifeError
                arrived = bool(records)
                async for batch in self._batches(partition, records):
                    yield batch
                if not records:
                    async for batch in self._passed(partition):
                        arrived = True
                        yield batch

    async def _worth_a_look(self) -> list[TopicPartition]:
        """Return the partitions where something arrived; all, after silence and now and then."""
        self._rounds += 1
        if self._rounds % ROUNDS_BETWEEN_CHECKS == 1:
            return list(self.positions)
        for partition, position in self.positions.items():
            self.consumer.seek(partition, position.next_offset)
        arrived = await self.consumer.getmany(timeout_ms=IDLE_CHECK_MS, max_records=1)
        if arrived and self.settle_s:
            await asyncio.sleep(self.settle_s)
        return list(arrived) or list(self.positions)

    async def _proven(self, partition: TopicPartition) -> Sequence[Any] | None:
        """Return the records beyond the position; none if they are of another life."""
        position = self.positions[partition]
        first = position.next_offset if position.mark is None else position.next_offset - 1
        self.consumer.seek(partition, first)
        fetched = await self.consumer.getmany(
            partition,
            timeout_ms=QUICK_LOOK_MS if position.mark is None else PROOF_WAIT_MS,
            max_records=MAX_RECORDS,
        )
        records = fetched.get(partition, ())
        if not records:
            return await self._nothing_there(partition, position)
        if records[0].offset < first:
            return None  # the broker had nothing there, and the client began from the beginning
        if records[0].offset >= position.next_offset:
            return records  # the one read last is gone, by retention or compaction: no proof
        return records[1:] if mark_of(records[0]) == position.mark else None

    async def _passed(self, partition: TopicPartition) -> AsyncGenerator[FeedBatch[Item], None]:
        """Go on behind what a fetch passed over without a record.

        What has expired is a gap. A batch that nobody can read, or the end of a transaction, would
        be in the way for ever if it were fetched from before it again.
        """
        end, position = await self.consumer.position(partition), self.positions[partition]
        if end <= position.next_offset:
            return
        begins = await self.consumer.beginning_offsets([partition])
        begin = min(begins.get(partition, 0), end)
        if begin > position.next_offset:
            yield self._gap(partition, position, begin)
        if begin < end:
            self.positions[partition] = FeedPosition(end)
            yield FeedBatch(self.source, partition.partition, FeedPosition(end), [])

    async def _nothing_there(
        self, partition: TopicPartition, position: FeedPosition
    ) -> Sequence[Any] | None:
        highwater = self.consumer.highwater(partition)
        if highwater is not None and highwater < position.next_offset:
            return None
        if position.mark is not None:
            begins = await self.consumer.beginning_offsets([partition])
            if begins.get(partition, 0) >= position.next_offset:  # expired: wait for it no more
                self.positions[partition] = FeedPosition(position.next_offset)
        return ()

    async def _batches(
        self, partition: TopicPartition, records: Sequence[Any]
    ) -> AsyncGenerator[FeedBatch[Item], None]:
        if not records:
            return
        position = self.positions[partition]
        if records[0].offset > position.next_offset:
            begins = await self.consumer.beginning_offsets([partition])
            begin = min(begins.get(partition, 0), records[0].offset)
            if begin > position.next_offset:
                yield self._gap(partition, position, begin)
        items = [item for record in records if (item := self.decode(record)) is not None]
        position = FeedPosition(records[-1].offset + 1, mark_of(records[-1]))
        self.positions[partition] = position
        yield FeedBatch(self.source, partition.partition, position, items)

    def _gap(self, partition: TopicPartition, position: FeedPosition, end: int) -> FeedBatch[Item]:
        gap = OffsetGap(position.next_offset, end)
        _log.warning(
            "messages expired before they were read",
            topic=partition.topic,
            partition=partition.partition,
            from_offset=gap.from_offset,
            to_offset=gap.to_offset,
        )
        self.positions[partition] = FeedPosition(end)
        return FeedBatch(self.source, partition.partition, FeedPosition(end), [], gap)


def mark_of(record: Any) -> str:
    """Return what tells a record from another at its offset."""
    digest = hashlib.sha256(f"{record.offset} {record.timestamp} ".encode())
    digest.update(record.value or b"")
    return digest.hexdigest()[:32]
