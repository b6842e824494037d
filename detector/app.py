"""The detector's composition root: the service behind the stream, adapters from the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import faust

from common.clock import SystemClock
from common.errors import BackendError
from common.links.kafka import ensure_topics
from common.links.kafka_access import refusal
from common.logs import get_logger
from common.retry import Backoff
from common.scorestore.factory import open_score_store
from common.scorestore.retention import retaining
from common.settings import Settings
from common.topics import Topics
from common.tracebacks import one_line
from detector.adapters.faust_pulse import watch_consumer
from detector.adapters.faust_stream import add_agent, build_faust_app
from detector.adapters.http_status import HttpStatus
from detector.adapters.kafka_history import KafkaHistory
from detector.adapters.kafka_publisher import KafkaPublisher
from detector.adapters.redis_state_store import RedisStateStore
from detector.adapters.scoring.beside import ScoringBeside
from detector.delivery.scoring import ScoringHere
from detector.delivery.service import DetectorPolicy, DetectorPorts, DetectorService
from detector.failpoints import KillAt, Point, PointListener, ignore_points
from detector.fleets import open_fleets
from detector.metrics import DetectorMetrics
from detector.ports import Scoring
from detector.worker import ending as deadlines
from detector.worker.cores import cores
from detector.worker.ending import Ending
from detector.worker.health import Health
from detector.worker.heap import keep_heap_small
from detector.worker.reloading import FleetWatch
from models.tracking.resolve import registry_folder

CANCEL_EVERY_S: Final = 0.1

CORES_FOR_TWO: Final = 2
"""Processors from which on a worker may have a second process."""

logger = get_logger(__name__)


async def run(settings: Settings, ending: Ending) -> None:
    """Run one worker until it is asked to stop. However it ends, it leaves the group first.

    Args:
        settings: All settings.
        ending: Told what goes wrong, as soon as it does.

    Raises:
        UserError: If the artifact, a setting or a backend address is wrong.
        BackendError: If a backend refuses for good, or Faust gives up. Nothing unprocessed is
            acknowledged.
    """
    keep_heap_small()
    health, stop = Health(), asyncio.Event()
    worker = Worker(settings, ending, health)
    health.fails("group", "it has not joined yet")
    loop = asyncio.get_running_loop()
    ending.listen(lambda times: _pass_on(loop, times, stop, worker.abandon))
    async with AsyncExitStack() as stack:
        with ending.noting():
            serving = asyncio.create_task(worker.serve(stack))
            stopping = asyncio.create_task(stop.wait())
            ends: set[asyncio.Future[None] | asyncio.Task[bool]] = {serving, worker.fatal, stopping}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            await worker.leave(serving)


def _pass_on(
    loop: asyncio.AbstractEventLoop, times: int, stop: asyncio.Event, abandon: asyncio.Event
) -> None:
    """Tell the loop what the watching thread has heard: asked twice, the batch is given up."""
    loop.call_soon_threadsafe(stop.set)
    if times > 1:
        loop.call_soon_threadsafe(abandon.set)


class Worker:
    """The stream and what stands behind it, from opening to leaving.

    Attributes:
        abandon: Set to give up the batch in hand.
        fatal: Gets what ends the worker.
    """

    def __init__(self, settings: Settings, ending: Ending, health: Health) -> None:
        self._settings = settings
        self._ending = ending
        self._health = health
        self.fatal: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._app: faust.App | None = None
        self._at: PointListener = ignore_points
        self._publishing: Callable[[], None] | None = None
        self._started = False
        self.abandon = asyncio.Event()
        if kill_at := settings.detector.test_kill_at:
            self._at = KillAt(kill_at)
            self._publishing = partial(self._at, Point.PUBLISHING)

    async def serve(self, stack: AsyncExitStack) -> None:
        """Open everything, join the group, and process batches until something fails."""
        service = await self._open_service(stack)
        app = build_faust_app(self._settings.kafka, self._settings.detector)
        app.on_rebalance = self._health.rebalances
        add_agent(
            app,
            Topics(self._settings.kafka.topic_prefix).readings,
            service.process,
            partial(self._joined, service),
            lambda: self._at(Point.REVOKED),
            self.fatal,
            self.abandon,
        )
        self._at(Point.STARTING)
        app.finalize()
        self._app = app
        pulse = asyncio.create_task(self._watch(app))
        pulse.add_done_callback(self._ends_the_start)
        try:
            await app.start()
        except BaseException:
            pulse.cancel()
            raise
        self._started = True
        self._ending.serving()
        crashed = asyncio.create_task(app.wait_until_stopped())
        watch = FleetWatch(self._settings, registry_folder, service.serve, service.metrics)
        reloading = asyncio.create_task(watch.run())
        try:
            ends = {crashed, pulse, self.fatal, reloading}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            reloading.cancel()
            crashed.cancel()
            pulse.cancel()
        if self.fatal.done():
            self.fatal.result()
        if pulse.done() and app.crash_reason is None:
            pulse.result()
        if reloading.done() and not reloading.cancelled() and app.crash_reason is None:
            reloading.result()
        reason = app.crash_reason
        why = "by itself" if reason is None else one_line(reason)
        raise BackendError(f"The stream stopped: {why}") from reason

    async def leave(self, serving: asyncio.Task[None]) -> None:
        """Leave the group, so that others serve its partitions at once.

        Raises:
            Exception: What ended ``serving``, or what the batch in hand raised meanwhile.
        """
        asked = not (serving.done() or self.fatal.done())
        while not serving.done():
            serving.cancel()  # again and again: Faust, when it starts, swallows the first
            await asyncio.wait({serving}, timeout=CANCEL_EVERY_S)
        failure = None if serving.cancelled() else serving.exception()
        if failure is None and self.fatal.done():
            failure = self.fatal.exception()
        if failure is not None:
            self._ending.fails(failure)
        self._health.fails("ending", one_line(failure) if failure else "it was asked to stop")
        if asked:
            self._at(Point.STOPPING)
            logger.info("stopping")
        grace_s = self._settings.detector.stop_grace_s if asked else 0.0
        asyncio.get_running_loop().call_later(grace_s, self.abandon.set)
        if self._app is not None:
            await _stopped(self._app, grace_s + deadlines.LEAVE_S)
        if failure is not None:
            raise failure
        if self.fatal.done():
            self.fatal.result()

    async def _watch(self, app: faust.App) -> None:
        settings = self._settings
        timeout_s = settings.detector.session_timeout_s
        await watch_consumer(app, self._health, timeout_s, partial(refusal, settings.kafka))

    def _ends_the_start(self, pulse: asyncio.Task[None]) -> None:
        """End a worker whose consumer fails while Faust starts: Faust would wait for ever."""
        if not (self._started or self.fatal.done() or pulse.cancelled()):
            problem = pulse.exception()
            if problem is not None:
                self.fatal.set_exception(problem)

    def _joined(self, service: DetectorService, partitions: Collection[int]) -> None:
        self._health.owns(partitions)
        service.reassigned(partitions)
        self._at(Point.JOINED)

    async def _open_service(self, stack: AsyncExitStack) -> DetectorService:
        settings, detector = self._settings, self._settings.detector
        fleets = await asyncio.to_thread(open_fleets, settings, registry_folder)
        metrics = DetectorMetrics()
        enter = stack.enter_async_context
        await enter(HttpStatus(detector.http_host, detector.http_port, metrics, self._health))
        await ensure_topics(settings.kafka, settings.retention)
        scores = await enter(open_score_store(settings.scores))
        await enter(retaining(scores, settings.retention, SystemClock()))
        ports = DetectorPorts(
            states=await enter(RedisStateStore(settings.redis)),
            scores=scores,
            publisher=await enter(KafkaPublisher(settings.kafka, self._publishing)),
            history=KafkaHistory(settings.kafka, detector.max_batch_rows),
            clock=SystemClock(),
            scoring=await self._scoring(stack),
        )
        policy = DetectorPolicy(
            Backoff(detector.retry_initial_s, detector.retry_max_s), detector.input.follow_after
        )
        return DetectorService(fleets, ports, policy, metrics, self._health, self._at)

    async def _scoring(self, stack: AsyncExitStack) -> Scoring:
        wanted = self._settings.detector.scoring_process
        if wanted == "never" or (wanted == "auto" and cores() < CORES_FOR_TWO):
            return ScoringHere()
        return await stack.enter_async_context(ScoringBeside(ScoringHere()))


async def _stopped(app: faust.App, within_s: float) -> None:
    """Stop Faust, or say that it did not stop; the deadline of ``ending.py`` goes on meanwhile."""
    leaving = asyncio.create_task(app.stop())
    await asyncio.wait({leaving}, timeout=within_s)
    if not leaving.done():
        logger.warning("the group is not left", waited_s=within_s)
    elif leaving.cancelled():  # as what it awaits is, when the consumer's thread has died
        logger.warning("the group may not be left", error="leaving it was cancelled")
    elif (problem := leaving.exception()) is not None:
        logger.warning("the group may not be left", error=one_line(problem))
