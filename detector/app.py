"""The detector's composition root: the service behind the stream, adapters from the settings."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import faust

from common.clock import SystemClock
from common.errors import BackendError
from common.kafka import ensure_topics
from common.logs import get_logger
from common.retry import Backoff
from common.scorestore.factory import open_score_store
from common.settings import Settings
from common.topics import Topics
from detector.adapters.faust_stream import add_agent, build_faust_app
from detector.adapters.http_status import HttpStatus
from detector.adapters.kafka_history import KafkaHistory
from detector.adapters.kafka_publisher import KafkaPublisher
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.policy import InputPolicy
from detector.core.state import model_digest
from detector.health import Health
from detector.heap import keep_heap_small
from detector.metrics import DetectorMetrics
from detector.protocol import KillAt, Point, PointListener, ignore_points
from detector.service import DetectorPolicy, DetectorPorts, DetectorService
from models.alarm import AlarmPolicy
from models.artifact import load_artifact
from models.serving import open_scorer

logger = get_logger(__name__)


async def run(settings: Settings) -> None:
    """Run one worker until SIGTERM or SIGINT.

    Raises:
        UserError: If the artifact, a setting or a backend address is wrong.
        BackendRefusedError: If a backend refuses for good. Nothing unprocessed is acknowledged.
    """
    keep_heap_small()
    detector = settings.detector
    scorer = open_scorer(load_artifact(detector.artifact), threads=detector.inference_threads)
    metrics, health = DetectorMetrics(), Health()
    health.fails("group", "waiting for partitions of the readings topic")
    digest = model_digest(scorer.ref.sha256)
    stop, fatal = asyncio.Event(), asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    at: PointListener = ignore_points
    publishing: Callable[[], None] | None = None
    if detector.test_kill_at:
        at = KillAt(detector.test_kill_at)
        publishing = partial(at, Point.PUBLISHING)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(HttpStatus(detector.http_host, detector.http_port, metrics, health))
        await ensure_topics(settings.kafka)
        ports = DetectorPorts(
            states=await enter(RedisStateStore(settings.redis, digest, len(scorer.channels))),
            scores=await enter(open_score_store(settings.scores)),
            publisher=await enter(KafkaPublisher(settings.kafka, publishing)),
            history=KafkaHistory(settings.kafka, detector.max_batch_rows),
            clock=SystemClock(),
        )
        policy = DetectorPolicy(
            AlarmPolicy(**detector.alarm.model_dump()),
            Backoff(detector.retry_initial_s, detector.retry_max_s),
            InputPolicy(**detector.input.model_dump()),
        )
        service = DetectorService(scorer, ports, policy, metrics, health, at)
        app = build_faust_app(settings.kafka, detector)
        topic = Topics(settings.kafka.topic_prefix).readings

        def joined() -> None:
            health.works("group")
            service.reassigned()
            at(Point.JOINED)

        abandon = asyncio.Event()
        add_agent(app, topic, service.process, joined, lambda: at(Point.REVOKED), fatal, abandon)
        at(Point.STARTING)
        await _start(app, stop, fatal)
        at(Point.STOPPING)
        logger.info("stopping")
        asyncio.get_running_loop().call_later(detector.stop_grace_s, abandon.set)
        await app.stop()


async def _start(app: faust.App, stop: asyncio.Event, fatal: asyncio.Future[None]) -> None:
    """Start the stream, and return when it is time to stop.

    Raises:
        BackendError: If Faust gave up by itself, or a batch could not be processed.
    """
    app.finalize()
    await app.start()
    stopping = asyncio.create_task(stop.wait())
    crashed = asyncio.create_task(app.wait_until_stopped())
    await asyncio.wait({stopping, crashed, fatal}, return_when=asyncio.FIRST_COMPLETED)
    crashed.cancel()
    stopping.cancel()
    if fatal.done():
        fatal.result()
    if app.crash_reason is not None:
        raise BackendError(f"The stream stopped: {app.crash_reason!r}") from app.crash_reason
