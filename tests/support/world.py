"""A topic, the stores, and workers that come and go: the service on fakes, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from common.clock import SystemClock
from common.records.readings import SensorReading
from common.records.verdicts import ScoreRecord
from common.retry import Backoff
from common.scorestore.memory import MemoryScoreStore
from common.scorestore.port import ScoreQuery
from detector.adapters.memory import MemoryHistory, MemoryPublisher, MemoryStateStore
from detector.core.fleet import Fleets
from detector.core.policy import InputPolicy
from detector.core.reading.source import SourceBatch, SourceRecord, Span
from detector.delivery.service import DetectorPolicy, DetectorPorts, DetectorService
from detector.failpoints import Point, PointListener, ignore_points
from detector.metrics import DetectorMetrics
from detector.worker.health import Health
from models.alarm import AlarmPolicy
from models.scoring.scorer import WindowScorer
from tests.support.builders import INPUTS, MeanScorer, fleets_of, record

ALARM = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.0)


class Killed(BaseException):
    """The process is gone."""


def dies_at(point: Point, count: int = 1) -> PointListener:
    """Return a listener that ends the worker the n-th time it reaches a point."""
    left = [count]

    def listen(reached: Point) -> None:
        left[0] -= reached is point
        if reached is point and not left[0]:
            raise Killed

    return listen


@dataclass
class Worker:
    """One process."""

    service: DetectorService
    metrics: DetectorMetrics

    def metric(self, name: str, **labels: str) -> float:
        """What it has counted."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@dataclass
class World:
    """What outlives the workers."""

    scorer: WindowScorer = field(default_factory=MeanScorer)
    topic: dict[int, list[SourceRecord]] = field(default_factory=dict)
    history: MemoryHistory = field(default_factory=MemoryHistory)
    scores: MemoryScoreStore = field(default_factory=MemoryScoreStore)
    publisher: MemoryPublisher = field(default_factory=MemoryPublisher)

    def __post_init__(self) -> None:
        """Make the state store."""
        self.states = MemoryStateStore()

    def worker(
        self,
        at: PointListener = ignore_points,
        *,
        scorer: WindowScorer | None = None,
        alarm: AlarmPolicy = ALARM,
        inputs: InputPolicy = INPUTS,
        fleets: Fleets | None = None,
    ) -> Worker:
        """Start a worker, of one fleet if no others are named."""
        scorer = scorer or self.scorer
        states = MemoryStateStore()
        states.values, states.progress = self.states.values, self.states.progress
        states.intents, states.ledgers = self.states.intents, self.states.ledgers
        metrics = DetectorMetrics()
        ports = DetectorPorts(states, self.scores, self.publisher, self.history, SystemClock())
        policy = DetectorPolicy(Backoff(0.001, 0.001), inputs.follow_after)
        fleets = fleets or fleets_of(scorer, inputs, alarm)
        return Worker(DetectorService(fleets, ports, policy, metrics, Health(), at), metrics)

    def send(self, values: Iterable[SensorReading | bytes | None], partition: int = 0) -> None:
        """Put readings, or bytes, on the topic."""
        there = self.topic.setdefault(partition, [])
        for value in values:
            there.append(record(value, len(there), partition))
        self.history.records = [item for items in self.topic.values() for item in items]

    def fetch(self, spans: Mapping[int, tuple[int, int]]) -> SourceBatch:
        """Return what a fetch of these stretches brings."""
        return SourceBatch(
            [
                item
                for number, (begin, end) in spans.items()
                for item in self.topic[number][begin:end]
            ],
            {number: Span(begin, end) for number, (begin, end) in spans.items()},
        )

    def everything(self, partitions: Sequence[int] | None = None) -> SourceBatch:
        """Return all there is on some partitions, or on all."""
        chosen = self.topic if partitions is None else partitions
        return self.fetch({number: (0, len(self.topic[number])) for number in chosen})

    def make_anew(self) -> None:
        """Delete the topic, and make it again with nothing on it."""
        self.topic.clear()
        self.history.records = []

    async def rows(self) -> list[ScoreRecord]:
        """Return all verdicts on cycles."""
        return list((await self.scores.query(ScoreQuery(limit=10_000))).records)

    async def counts(self) -> dict[str, int]:
        """Return how many readings got each verdict."""
        counted = await self.scores.verdict_counts()
        return {status.value: count for status, count in counted.items() if count}
