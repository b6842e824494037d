"""The detector's composition root: Faust around the service, adapters from the settings.

The only importer of Faust beside ``adapters/faust_chunks.py``, which it configures.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack

import faust
from common.scorestore.factory import open_score_store
from faust.app import BootStrategy
from faust.types import TP
from models.artifact import load_artifact

from common.clock import SystemClock
from common.errors import BackendError
from common.kafka import ensure_topics
from common.logs import get_logger
from common.records import SourcePosition
from common.retry import Backoff
from common.settings import KafkaSettings, Settings
from common.topics import Topics
from detector.adapters.faust_chunks import Chunk, ChunkTransport, RawSchema
from detector.adapters.http_status import HttpStatus
from detector.adapters.kafka_publisher import KafkaPublisher
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.alarm import AlarmPolicy
from detector.core.decoding import SourceRecord
from detector.core.state import model_digest
from detector.metrics import DetectorMetrics
from detector.service import DetectorPolicy, DetectorPorts, DetectorService, Health
from models.serving import open_scorer

logger = get_logger(__name__)
NOT_JOINED = "waiting for partitions of the readings topic"


class HeadlessBoot(BootStrategy):  # type: ignore[misc]
    """Faust without its web server, which would listen on every address."""

    enable_web = False


class DetectorApp(faust.App):  # type: ignore[misc]
    """A Faust app that starts no web server."""

    BootStrategy = HeadlessBoot


def build_faust_app(kafka: KafkaSettings, group_id: str, max_batch_rows: int) -> faust.App:
    """Return the Faust app: group membership and fetching, nothing stored, nothing served."""
    app = DetectorApp(
        group_id,
        broker=[f"kafka://{server}" for server in kafka.bootstrap_servers.split(",")],
        store="memory://",
        key_serializer="raw",
        value_serializer="raw",
        topic_disable_leader=True,
        topic_allow_declare=False,
        web_enabled=False,
        broker_session_timeout=6.0,
        broker_heartbeat_interval=1.0,
        broker_commit_interval=1.0,
        broker_max_poll_records=max_batch_rows,
        broker_request_timeout=kafka.op_timeout_s,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=True,
    )
    app.transport = ChunkTransport(app.conf.broker_consumer, app)
    return app


def add_agent(
    app: faust.App,
    topic: str,
    service: DetectorService,
    health: Health,
    fatal: asyncio.Future[None],
) -> None:
    """Let the service process every chunk; only what it finished becomes committable."""
    readings = app.topic(topic, schema=RawSchema(), key_type=bytes, value_type=bytes)

    @app.on_partitions_assigned.connect(weak=False)  # type: ignore[untyped-decorator]
    async def joined(sender: faust.App, assigned: set[TP], **_: object) -> None:
        health.problems.pop("group", None)
        logger.info("joined the group", partitions=sorted(tp.partition for tp in assigned))

    @app.agent(readings, concurrency=1)  # type: ignore[untyped-decorator]
    async def detect(stream: faust.Stream) -> None:
        async for event in stream.noack().events():
            try:
                await service.process(source_records(event.value))
            except Exception as exc:  # noqa: BLE001 - Faust would go on without it: stop instead
                if not fatal.done():
                    fatal.set_exception(exc)
                await asyncio.Event().wait()  # until the process ends; nothing is acknowledged
            app.consumer.mark_processed(event.value)
            event.ack()


def source_records(chunk: Chunk) -> list[SourceRecord]:
    """Return a chunk's records as the core takes them."""
    return [
        SourceRecord(
            SourcePosition(record.topic, record.partition, record.offset),
            record.timestamp or 0,
            record.key,
            record.value,
        )
        for record in chunk.records
    ]


async def run(settings: Settings) -> None:
    """Run one worker until SIGTERM or SIGINT.

    Raises:
        UserError: If the artifact, a setting or a backend address is wrong.
        BackendRefusedError: If a backend refuses for good. Nothing unprocessed is acknowledged.
    """
    detector = settings.detector
    scorer = open_scorer(load_artifact(detector.artifact), threads=detector.inference_threads)
    metrics, health = DetectorMetrics(), Health({"group": NOT_JOINED})
    digest = model_digest(scorer.ref.sha256)
    stop, fatal = asyncio.Event(), asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(HttpStatus(detector.http_host, detector.http_port, metrics, health))
        await ensure_topics(settings.kafka)
        ports = DetectorPorts(
            states=await enter(RedisStateStore(settings.redis, digest, len(scorer.channels))),
            scores=await enter(open_score_store(settings.scores)),
            publisher=await enter(KafkaPublisher(settings.kafka)),
            clock=SystemClock(),
        )
        policy = DetectorPolicy(
            AlarmPolicy(**detector.alarm.model_dump()),
            Backoff(detector.retry_initial_s, detector.retry_max_s),
            detector.max_reading_bytes,
        )
        service = DetectorService(scorer, ports, policy, metrics, health)
        app = build_faust_app(settings.kafka, detector.group_id, detector.max_batch_rows)
        add_agent(app, Topics(settings.kafka.topic_prefix).readings, service, health, fatal)
        await _run_until_stopped(app, stop, fatal)


async def _run_until_stopped(
    app: faust.App, stop: asyncio.Event, fatal: asyncio.Future[None]
) -> None:
    app.finalize()
    await app.start()
    stopping = asyncio.create_task(stop.wait())
    crashed = asyncio.create_task(app.wait_until_stopped())
    await asyncio.wait({stopping, crashed, fatal}, return_when=asyncio.FIRST_COMPLETED)
    if fatal.done():
        fatal.result()
    if app.crash_reason is not None:
        raise BackendError(f"The stream stopped: {app.crash_reason!r}") from app.crash_reason
    logger.info("stopping")
    await app.stop()
    crashed.cancel()
