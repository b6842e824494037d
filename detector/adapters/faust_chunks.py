"""Faust, delivering one event per fetch instead of one per record.

Stock Faust spends two tasks and a wait on every record, which caps a worker at a few thousand
records a second. Here the consumer hands over everything one fetch brought as a single event whose
value is a :class:`Chunk`, and commits what the detector says it has processed, nothing else:

* a chunk's offsets become committable by :meth:`ChunkConsumer.mark_processed` alone. Faust's own
  acknowledgements also fire for events it skips during a rebalance, which would commit records
  that nobody has seen;
* a chunk fetched under an older group generation is never committed: its partitions may have been
  somebody else's in between;
* at most ``MAX_CHUNKS_IN_FLIGHT`` chunks wait unprocessed, so memory is bounded and a slow detector
  makes larger chunks, not longer queues.

This needs private names of Faust and aiokafka. Both are pinned exactly in ``pyproject.toml``, and
``tests/contract/test_faust_chunks.py`` fails loudly when an upgrade moves one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import faust
from aiokafka.structs import ConsumerRecord
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

MAX_CHUNKS_IN_FLIGHT: Final = 2
"""One being processed, one fetched meanwhile."""

FETCH_MAX_WAIT_MS: Final = 100
"""Faust fixes this at 1500 ms; half of it is the latency of a quiet stream on the local broker."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """All records of one fetch, in offset order within each partition.

    Attributes:
        records: The records, partition by partition.
        next_offsets: For each partition, the offset after its last record here.
        generation: The group generation under which they were fetched.
    """

    records: Sequence[ConsumerRecord]
    next_offsets: Mapping[TP, int]
    generation: int


class RawSchema(faust.Schema):  # type: ignore[misc]
    """Hands keys and values over untouched: decoding is the detector's own work."""

    def loads_key(self, app: Any, message: Message, **_: Any) -> Any:
        """Return the key as it came."""
        return message.key

    def loads_value(self, app: Any, message: Message, **_: Any) -> Any:
        """Return the value as it came: a :class:`Chunk`."""
        return message.value


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread with a short fetch wait."""

    logger = driver.logger

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Say it in the log; Faust prints the traceback past it."""
        self.log.error(msg.format(*fmt))

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS  # read when the consumer starts
        return consumer


class ChunkConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's aiokafka consumer, delivering chunks."""

    logger = driver.logger

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._processed: dict[TP, int] = {}
        self._in_flight: set[Chunk] = set()
        self._room = asyncio.Event()
        self._room.set()

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def mark_processed(self, chunk: Chunk) -> None:
        """Make the chunk's offsets committable: its outputs and states are stored."""
        if chunk.generation == self.app.consumer_generation_id:
            self._processed.update(chunk.next_offsets)
        self._leave(chunk)

    def ack(self, message: Message) -> bool:
        """Forget a message Faust is done with; says nothing about its offsets (see the module)."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let Faust drain and commit, then forget what belonged to the old assignment."""
        await super().on_partitions_revoked(revoked)
        self._processed.clear()
        self._in_flight.clear()
        self._room.set()

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (
            tp
            for tp in list(self._processed)
            if topics is None or tp in topics or tp.topic in topics
        )

    def _new_offset(self, tp: TP) -> int | None:
        return self._processed.get(tp)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self.wait_first(self._room.wait(), self.suspend_flow.wait())
                chunk = await self._next_chunk()
                if chunk is not None:
                    await self._deliver(chunk)
                await self.sleep(0)
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _next_chunk(self) -> Chunk | None:
        generation = self.app.consumer_generation_id
        fetched, _ = await self._wait_next_records(timeout=1.0)
        if not fetched or self.should_stop:
            return None
        if not self.flow_active or self.app.consumer_generation_id != generation:
            # The fetch straddled a rebalance: whose records these are is unknown. Start again
            # from what is committed; whatever was processed already is recognised by its offset.
            await self._seek_to_committed()
            return None
        return self._chunk(fetched, generation)

    def _chunk(
        self, fetched: Mapping[TP, Sequence[ConsumerRecord]], generation: int
    ) -> Chunk | None:
        records: list[ConsumerRecord] = []
        next_offsets: dict[TP, int] = {}
        for tp, batch in fetched.items():
            expected = self._read_offset[tp] or 0
            fresh = [record for record in batch if record.offset >= expected]
            if fresh:
                records.extend(fresh)
                next_offsets[tp] = fresh[-1].offset + 1
        return Chunk(records, next_offsets, generation) if records else None

    async def _deliver(self, chunk: Chunk) -> None:
        self._in_flight.add(chunk)
        if len(self._in_flight) >= MAX_CHUNKS_IN_FLIGHT:
            self._room.clear()
        await self.wait_first(self.callback(self._message(chunk)), self.suspend_flow.wait())
        self._read_offset.update(chunk.next_offsets)

    def _message(self, chunk: Chunk) -> ConsumerMessage:
        last = chunk.records[-1]
        tp = TP(last.topic, last.partition)
        return ConsumerMessage(
            last.topic,
            last.partition,
            last.offset,
            (last.timestamp or 0) / 1000.0,
            last.timestamp_type,
            (),
            None,
            chunk,
            None,
            0,
            0,
            tp,
            generation_id=chunk.generation,
        )

    def _leave(self, chunk: Chunk) -> None:
        self._in_flight.discard(chunk)
        if len(self._in_flight) < MAX_CHUNKS_IN_FLIGHT:
            self._room.set()

    async def _seek_to_committed(self) -> None:
        """Go back to what is committed, and to the beginning where nothing is.

        aiokafka leaves a partition of which nothing is committed where it is: behind what the
        fetch brought, which would never be seen.
        """
        generation = self.app.consumer_generation_id
        try:
            await self.perform_seek()
            untouched = [tp for tp in self.assignment() if not self._read_offset[tp]]
            if untouched:
                await self._thread.seek_to_beginning(*map(driver.ensure_aiokafka_TP, untouched))
        except Exception as exc:  # during a rebalance there may be nothing to seek;
            # the new assignment then starts from the committed offsets by itself.
            if self.flow_active and self.app.consumer_generation_id == generation:
                raise
            self.log.warning("no seek during the rebalance: %r", exc)


class ChunkTransport(driver.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with the consumer above."""

    Consumer: ClassVar[type] = ChunkConsumer
