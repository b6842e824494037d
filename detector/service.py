"""The delivery protocol, step by step (docs/architecture.md), over ports.

Promise: every reading that reached the topic gets exactly one verdict and every alert exactly one
id, whichever process dies when. The order of the steps is what keeps it: outputs first, then the
states, then the offsets. A crash in between repeats outputs with the same ids and values, because
the state was not yet moved on and everything in between is deterministic.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from common.clock import Clock
from common.errors import BackendError
from common.logs import get_logger
from common.records import Alert, DeadLetter, ScoreRecord
from common.retry import Backoff, retrying
from common.scorestore.port import ScoreStore
from detector.core.pipeline import (
    AssetRun,
    Outcome,
    conclude,
    decode_batch,
    prepare,
    unreadable_letter,
)
from detector.core.policy import InputPolicy
from detector.core.source import SourceBatch
from detector.health import Health
from detector.metrics import DetectorMetrics
from detector.ports import OutputPublisher, StateStore, Stored, TopicHistory
from detector.protocol import Point, PointListener, ignore_points
from detector.recovery import StateRebuilder, behind, next_progress
from detector.slices import slices
from models.alarm import AlarmPolicy
from models.serving import WindowScorer

T = TypeVar("T")
logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DetectorPorts:
    """The world, as the service sees it."""

    states: StateStore
    scores: ScoreStore
    publisher: OutputPublisher
    history: TopicHistory
    clock: Clock


@dataclass(frozen=True, slots=True)
class DetectorPolicy:
    """The rules, as the service needs them.

    Attributes:
        alarm: When scores become alarms.
        backoff: Waits between tries while a backend is down.
        input: What is made of readings that are not as they should be.
    """

    alarm: AlarmPolicy
    backoff: Backoff
    input: InputPolicy


class DetectorService:
    """Carries out what the core decides."""

    def __init__(
        self,
        scorer: WindowScorer,
        ports: DetectorPorts,
        policy: DetectorPolicy,
        metrics: DetectorMetrics,
        health: Health,
        at: PointListener = ignore_points,
    ) -> None:
        self._scorer = scorer
        self._ports = ports
        self._policy = policy
        self._metrics = metrics
        self._health = health
        self._at = at
        self._rebuilder = StateRebuilder(
            scorer, ports.states, ports.history, policy.alarm, policy.input, at
        )

    async def process(self, source: SourceBatch) -> Outcome:
        """Give every record its verdict; on return the records may be acknowledged.

        While a backend is down this waits and tries again, holding no more than these records.

        Args:
            source: What one fetch brought.

        Returns:
            What was written.

        Raises:
            BackendRefusedError: If a backend will never take it; nothing may be acknowledged.
        """
        with self._metrics.in_hand.track_inprogress():
            return await self._process(source)

    async def _process(self, source: SourceBatch) -> Outcome:
        records = source.records
        self._metrics.batch_rows.observe(len(records))
        self._at(Point.RECEIVED)
        with self._timed("decode"):
            batch = decode_batch(records, self._scorer, self._policy.input)
            dead_letters = [*batch.dead_letters, *map(unreadable_letter, source.unreadable)]
        self._at(Point.DECODED)
        stored = await self._read_states(list(batch.by_asset), source)
        self._at(Point.STATES_READ)
        with self._timed("assemble"):
            plan = prepare(batch, stored.states, self._scorer, self._policy.input)
        self._at(Point.ASSEMBLED)
        with self._timed("score"):
            scores = await asyncio.to_thread(self._scorer.score, plan.windows)
        self._at(Point.SCORED)
        with self._timed("conclude"):
            outcome = conclude(plan, scores, self._policy.alarm, self._scorer)
        verdicts = [*outcome.verdicts, *batch.rejected]
        self._at(Point.CONCLUDED)
        # Scores first: whoever receives an alert can already look up the score behind it.
        await self._try("write_scores", lambda: self._ports.scores.write(verdicts))
        self._at(Point.SCORES_WRITTEN)
        for part in slices(outcome.alerts, dead_letters):
            publish = partial(self._ports.publisher.publish, part.alerts, part.dead_letters)
            await self._try("publish", publish)
        self._at(Point.PUBLISHED)
        progress = next_progress(source.spans, stored.progress)
        stale = await self._try(
            "write_states", lambda: self._ports.states.write(outcome.states, progress)
        )
        if stale:
            self._metrics.stale_states.inc(len(stale))
            logger.warning("another worker has gone on with these assets", assets=list(stale)[:5])
        self._count(source, verdicts, outcome.alerts, dead_letters)
        self._at(Point.STATES_WRITTEN)
        return outcome

    async def _read_states(self, keys: Sequence[AssetRun], source: SourceBatch) -> Stored:
        """Return the states of a batch's assets, rebuilt first where the store has lost them."""
        first = {partition: span.begin for partition, span in source.spans.items()}
        states = self._ports.states
        while True:
            stored = await self._try("read_states", lambda: states.read(keys, list(first)))
            lost = behind(first, stored.progress)
            if not lost:
                return stored
            for partition, start in lost.items():
                end = first[partition]
                await self._try("rebuild", partial(self._rebuilder.rebuild, partition, start, end))
                self._metrics.rebuilds.inc()
            self._at(Point.REBUILT)

    async def _try(self, step: str, action: Callable[[], Awaitable[T]]) -> T:
        with self._timed(step):
            result = await retrying(
                action,
                self._policy.backoff,
                self._ports.clock,
                lambda error, wait_s: self._failed(step, error, wait_s),
            )
        if self._health.works(step):
            logger.info("works again", step=step)
            self._metrics.paused.set(1 if self._health.problems else 0)
        return result

    def _failed(self, step: str, error: BackendError, wait_s: float) -> None:
        self._health.fails(step, str(error))
        self._metrics.paused.set(1)
        self._metrics.retries.labels(step).inc()
        logger.warning("consumption waits", step=step, error=str(error), next_try_s=wait_s)

    @contextmanager
    def _timed(self, step: str) -> Iterator[None]:
        begin = self._ports.clock.monotonic()
        try:
            yield
        finally:
            self._metrics.step_seconds.labels(step).inc(self._ports.clock.monotonic() - begin)

    def _count(
        self,
        source: SourceBatch,
        verdicts: Sequence[ScoreRecord],
        alerts: Sequence[Alert],
        dead_letters: Sequence[DeadLetter],
    ) -> None:
        metrics = self._metrics
        for status, count in Counter(verdict.status for verdict in verdicts).items():
            metrics.verdicts.labels(status.value).inc(count)
        for alert in alerts:
            metrics.alerts.labels(alert.state.value, alert.level.value).inc()
        for letter in dead_letters:
            metrics.dead_letters.labels(letter.reason).inc()
        now_ms = self._ports.clock.now().timestamp() * 1000
        for record in source.records:
            metrics.latency.observe(max(0.0, now_ms - record.published_ts_ms) / 1000)
