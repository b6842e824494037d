"""The Faust app: group membership and fetching; each chunk goes to one callable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final

import faust
from faust.app import BootStrategy
from faust.types import TP

from common.links.kafka_access import credentials
from common.logs import get_logger
from common.settings import DetectorSettings, KafkaSettings
from detector.adapters.faust_chunks import ChunkTransport, RawSchema
from detector.adapters.source_records import source_batch
from detector.core.reading.source import SourceBatch
from detector.worker.lanes import Lanes

SIDE_BY_SIDE: Final = 3
"""Chunks of different partitions in hand at once: one's windows are with the model, one needs the
interpreter, one waits for a store."""

logger = get_logger(__name__)


class HeadlessBoot(BootStrategy):  # type: ignore[misc]
    """Faust without its web server, which would listen on every address."""

    enable_web = False


class DetectorApp(faust.App):  # type: ignore[misc]
    """A Faust app that starts no web server and keeps no files.

    Attributes:
        on_rebalance: Called from the consumer's thread when a rebalance begins.
    """

    BootStrategy = HeadlessBoot
    logger = logging.getLogger("faust.app")  # else Faust would narrate in our name
    on_rebalance: Callable[[], object] | None = None

    def on_rebalance_start(self) -> None:
        """Tell, then do what Faust does."""
        if self.on_rebalance is not None:
            self.on_rebalance()
        super().on_rebalance_start()

    def _create_directories(self) -> None:
        """Make none: nothing is stored, and the working directory may be read-only."""


def build_faust_app(kafka: KafkaSettings, detector: DetectorSettings) -> faust.App:
    """Return the Faust app: group membership and fetching, nothing stored, nothing served."""
    app = DetectorApp(
        detector.group_id,
        broker=[f"kafka://{server}" for server in kafka.bootstrap_servers.split(",")],
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        broker_session_timeout=detector.session_timeout_s,
        broker_heartbeat_interval=detector.session_timeout_s / 6,
        broker_commit_interval=1.0,
        broker_max_poll_records=detector.max_batch_rows,
        broker_request_timeout=kafka.op_timeout_s,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=True,
    )
    app.transport = ChunkTransport(
        app.conf.broker_consumer,
        app,
        max_chunk_bytes=detector.max_batch_bytes,
        credentials=credentials(kafka),
    )
    return app


def add_agent(
    app: faust.App,
    topic: str,
    process: Callable[[SourceBatch], Awaitable[object]],
    on_joined: Callable[[Collection[int]], object],
    on_revoked: Callable[[], object],
    fatal: asyncio.Future[None],
    abandon: asyncio.Event,
) -> None:
    """Hand every chunk to ``process``; only what it finished becomes committable.

    Chunks of one partition are processed one after the other, of different ones side by side.

    Args:
        app: The app.
        topic: The readings topic.
        process: Gives every record its verdict; on return the chunk may be committed.
        on_joined: Called with the partitions that have been assigned, maybe none.
        on_revoked: Called when partitions have been taken away, all work on them committed.
        fatal: Gets the exception ``process`` raised. Nothing is processed or committed after it,
            and the program should end: Faust by itself would go on with the next chunk.
        abandon: Set when the chunk in hand is to be given up, because the program is to end and a
            backend that is down, or a long rebuild, would hold it up.
    """
    readings = app.topic(topic, schema=RawSchema(), key_type=bytes, value_type=bytes)

    @app.on_partitions_assigned.connect(weak=False)  # type: ignore[untyped-decorator]
    async def joined(sender: faust.App, assigned: set[TP], **_: object) -> None:
        partitions = sorted(tp.partition for tp in assigned)
        on_joined(partitions)
        logger.info("joined the group", partitions=partitions)

    @app.on_partitions_revoked.connect(weak=False)  # type: ignore[untyped-decorator]
    async def left(sender: faust.App, revoked: set[TP], **_: object) -> None:
        if revoked:  # joining begins with the revocation of nothing
            on_revoked()

    async def take(event: faust.Event) -> None:
        if not (fatal.done() or abandon.is_set()):
            try:
                if await finished(process(source_batch(event.value.parts)), abandon):
                    app.consumer.mark_processed(event.value)
            except Exception as exc:  # noqa: BLE001 - whatever it is, nothing may follow it
                if not fatal.done():  # else of a chunk beside this one: one reason is enough
                    fatal.set_exception(exc)
        event.ack()  # lets Faust stop politely; says nothing about offsets

    @app.agent(readings, concurrency=1)  # type: ignore[untyped-decorator]
    async def detect(stream: faust.Stream) -> None:
        async with Lanes(SIDE_BY_SIDE) as lanes:
            async for event in stream.noack().events():
                partitions = {where.partition for where in event.value.parts}
                lanes.add(partitions, partial(take, event))


async def finished(work: Awaitable[object], abandon: asyncio.Event) -> bool:
    """Await the work until it is done, or until it is to be given up.

    Returns:
        Whether it was done. Work that was given up has been cancelled wherever it waited.

    Raises:
        Exception: What the work raised.
    """
    working = asyncio.ensure_future(work)
    giving_up = asyncio.ensure_future(abandon.wait())
    try:
        await asyncio.wait({working, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return True
        return False
    finally:
        giving_up.cancel()
        working.cancel()
        await asyncio.wait({working})
