"""Faust, delivering one event per fetch instead of one per record.

Stock Faust spends two tasks and a wait on every record, which caps a worker at a few thousand
records a second. Here the consumer hands over everything one fetch brought as a single event whose
value is a :class:`Chunk`, and commits what the detector says it has processed, nothing else. It
reads through :mod:`common.intake`: committed data only, and past whatever cannot be decoded.

* a chunk's offsets become committable by :meth:`ChunkConsumer.mark_processed` alone. Faust's own
  acknowledgements also fire for events it skips during a rebalance, which would commit records
  that nobody has seen;
* a chunk fetched under an older group generation is never committed: its partitions may have been
  somebody else's in between;
* what aiokafka delivers is handed over, also below what was delivered before: the core knows a
  record that comes again by its offset, and a topic that was made anew begins at its own offset 0;
* a chunk is closed at so many records or bytes, and nothing is fetched while
  ``MAX_CHUNKS_IN_FLIGHT`` chunks wait unprocessed: memory is bounded, and a slow detector makes
  larger chunks, not longer queues. Behind a small fetch nothing is fetched until all else is done:
  who waits for an alert waits for one batch;
* a large fetch of several partitions becomes two chunks that have none in common, so that the
  detector can work on both at once.

This needs private names of Faust and aiokafka. Both are pinned exactly in ``pyproject.toml``, and
``tests/contract/test_faust_chunks.py`` fails loudly when an upgrade moves one of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import faust
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import ConsumerStoppedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

from common.intake.consumer import IntakeConsumer
from common.intake.fetcher import Parts
from common.links.kafka import FETCH_MAX_BYTES, FETCH_MAX_WAIT_MS

faust_logger = logging.getLogger("faust.chunks")
"""Faust gives subclasses a logger of their module's name, and would narrate in ours."""

MAX_CHUNKS_IN_FLIGHT: Final = 4
"""Three being processed, and what is fetched meanwhile."""

AHEAD_FROM: Final = 0.25
"""A fetch is large if it holds this part of the most records it may hold. While a small one is
processed nothing is fetched: it would only wait, and what comes after it for a batch more."""

LEAST_RECORDS: Final = 256
"""A chunk is not cut smaller: what a batch costs however small it is would be paid twice."""

TOP_UP_S: Final = 0.03
"""How long to wait for what came behind the records that lay ready. A round trip takes 3 ms, and on
a busy machine ten times that; without it these records would wait for a batch of their own."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What one fetch brought, up to the limits of a chunk.

    Attributes:
        parts: By partition: records, how far the fetch reached, what cannot be read. A part may
            hold no record; its offsets count as processed all the same.
        generation: The group generation under which they were fetched.
    """

    parts: Parts
    generation: int


def cut(parts: Parts) -> list[Parts]:
    """Cut a fetch in two of about as many records, no partition in both; small ones stay whole."""
    sizes = {where: len(part.records) for where, part in parts.items()}
    total, half, taken = sum(sizes.values()), set[TP](), 0
    for where in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if taken + sizes[where] <= total - taken or not half:
            half.add(where)
            taken += sizes[where]
    if min(taken, total - taken) < LEAST_RECORDS:
        return [parts]
    return [
        {where: part for where, part in parts.items() if (where in half) is in_half}
        for in_half in (True, False)
    ]


class RawSchema(faust.Schema):  # type: ignore[misc]
    """Hands keys and values over untouched: decoding is the detector's own work."""

    def loads_key(self, app: Any, message: Message, **_: Any) -> Any:
        """Return the key as it came."""
        return message.key

    def loads_value(self, app: Any, message: Message, **_: Any) -> Any:
        """Return the value as it came: a :class:`Chunk`."""
        return message.value


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """Faust's consumer thread on a consumer of ours."""

    logger = faust_logger

    def on_crash(self, msg: str, *fmt: Any, **kwargs: Any) -> None:
        """Say it in the log; Faust prints the traceback past it."""
        self.log.error(msg.format(*fmt))

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Find nothing amiss with a partition.

        Faust judges by events of each partition, which are not what we deliver: an idle worker
        would be told, in thirteen lines a partition, that its stream has stopped. Whether the
        thread lives is watched by ``faust_pulse.py``, whether partitions move by the api's /ready.
        """

    def _create_worker_consumer(self, transport: Any) -> IntakeConsumer:
        conf = self.app.conf
        self._assignor = RoundRobinPartitionAssignor
        return IntakeConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            **transport.credentials,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            isolation_level="read_committed",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_bytes=FETCH_MAX_BYTES,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
        )

    async def _fetch_records(
        self,
        consumer: IntakeConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> Parts:
        if not self.consumer.flow_active:
            return {}
        if consumer._closed or consumer._fetcher._closed:
            raise ConsumerStoppedError
        with consumer._subscription.fetch_context():
            parts: Parts = await consumer._fetcher.parts(
                active_partitions,
                timeout or 0.0,
                max_records or consumer._max_poll_records,
                self.transport.max_chunk_bytes,
                TOP_UP_S,
            )
            return parts


class ChunkConsumer(driver.Consumer):  # type: ignore[misc]
    """Faust's aiokafka consumer, delivering chunks."""

    logger = faust_logger

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._processed: dict[TP, int] = {}
        self._in_flight: set[Chunk] = set()
        self._most_in_flight = MAX_CHUNKS_IN_FLIGHT
        self._room = asyncio.Event()
        self._room.set()

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def mark_processed(self, chunk: Chunk) -> None:
        """Make the chunk's offsets committable: its outputs and states are stored."""
        if chunk.generation == self.app.consumer_generation_id:
            self._processed.update({TP(*tp): part.end for tp, part in chunk.parts.items()})
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

    def _should_commit(self, tp: TP, offset: int) -> bool:
        return bool(self._committed_offset[tp] != offset)  # lower too: a topic made anew

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self.wait_first(self._room.wait(), self.suspend_flow.wait())
                generation = self.app.consumer_generation_id
                parts, _ = await self._wait_next_records(timeout=1.0)
                if parts and not self.should_stop:
                    await self._deliver_all(parts, generation)
                await self.sleep(0)
        except self.consumer_stopped_errors:
            if not self.transport.app.should_stop:
                raise
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:
                raise

    async def _deliver_all(self, fetched: Parts, generation: int) -> None:
        is_large = self._is_large(fetched)
        self._most_in_flight = MAX_CHUNKS_IN_FLIGHT if is_large else 1
        for parts in cut(fetched) if is_large else [fetched]:
            if not self.flow_active or self.app.consumer_generation_id != generation:
                # The fetch straddled a rebalance: whose records these are is unknown. Start again
                # from what is committed; whatever was processed already is recognised by its
                # offset.
                await self._seek_to_committed()
                return
            await self._deliver(Chunk(parts, generation))

    async def _deliver(self, chunk: Chunk) -> None:
        self._in_flight.add(chunk)
        if len(self._in_flight) >= self._most_in_flight:
            self._room.clear()
        await self.wait_first(self.callback(self._message(chunk)), self.suspend_flow.wait())

    def _message(self, chunk: Chunk) -> ConsumerMessage:
        where, part = next(iter(chunk.parts.items()))  # any: Faust routes by the topic
        return ConsumerMessage(
            where.topic,
            where.partition,
            part.end - 1,
            0.0,
            0,
            (),
            None,
            chunk,
            None,
            0,
            0,
            TP(where.topic, where.partition),
            generation_id=chunk.generation,
        )

    def _leave(self, chunk: Chunk) -> None:
        self._in_flight.discard(chunk)
        if len(self._in_flight) < self._most_in_flight:
            self._room.set()

    def _is_large(self, parts: Parts) -> bool:
        records = sum(len(part.records) for part in parts.values())
        return bool(records >= AHEAD_FROM * self.app.conf.broker_max_poll_records)

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


class SecuredProducer(driver.Producer):  # type: ignore[misc]
    """Faust's producer, let in as all our clients are."""

    logger = faust_logger  # else Faust would narrate in our name

    def _settings_auth(self) -> dict[str, Any]:
        credentials: dict[str, Any] = self.transport.credentials
        return credentials


class ChunkTransport(driver.Transport):  # type: ignore[misc]
    """Faust's aiokafka transport with the consumer above.

    Attributes:
        max_chunk_bytes: A chunk is closed when its keys and values are this large.
        credentials: Arguments of aiokafka that say who the broker is, and who we are.
    """

    Consumer: ClassVar[type] = ChunkConsumer
    Producer: ClassVar[type] = SecuredProducer

    def __init__(
        self, *args: Any, max_chunk_bytes: int, credentials: dict[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.max_chunk_bytes = max_chunk_bytes
        self.credentials = credentials
