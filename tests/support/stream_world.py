"""A detector on fakes over a generated stream, and everything anyone could have seen of it."""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

from msgspec import structs

from common.clock import SystemClock
from common.records.alerts import Alert
from common.records.letters import DeadLetter
from common.records.verdicts import FinalScore, ScoreRecord, SourcePosition
from common.retry import Backoff
from common.scorestore.memory import MemoryScoreStore
from common.scorestore.port import ScoreStore
from detector.adapters.memory import MemoryHistory, MemoryPublisher, MemoryStateStore
from detector.core.policy import InputPolicy
from detector.core.reading.source import dense
from detector.delivery.service import DetectorPolicy, DetectorPorts, DetectorService
from detector.failpoints import PointListener, ignore_points
from detector.metrics import DetectorMetrics
from detector.ports import OutputPublisher, StateStore
from detector.worker.health import Health
from detector.worker.lanes import Lanes
from models.alarm import AlarmPolicy
from tests.support.builders import fleets_of
from tests.support.streams import MAX_BYTES, Topic, WeighingScorer

SCORER = WeighingScorer()
ALARM = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.0)
NOWHERE = SourcePosition("", 0, 0)

P = ParamSpec("P")
T = TypeVar("T")


class AtOnce(ThreadPoolExecutor):
    """Does what it is given in the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it now."""
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as exc:  # noqa: BLE001 - whoever waits for it gets it
            done.set_exception(exc)
        return done


def run(story: Coroutine[Any, Any, T]) -> T:
    """Run a story of worlds without threads.

    A world takes one batch after the other, so nothing is done meanwhile; to pass thousands of
    small batches to threads and back takes several times as long as the work.
    """

    async def told() -> T:
        asyncio.get_running_loop().set_default_executor(AtOnce())
        return await story

    return asyncio.run(told())


@dataclass
class Seen:
    """What anyone could have seen, by the message that caused it; repeats must be identical."""

    topic: Topic
    verdicts: dict[int, ScoreRecord] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    dead_letters: dict[int, DeadLetter] = field(default_factory=dict)

    def verdict(self, item: ScoreRecord) -> None:
        number = self.topic.number_of[item.source.partition, item.source.offset]
        item = structs.replace(item, source=NOWHERE)
        assert self.verdicts.setdefault(number, item) == item

    def alert(self, item: Alert) -> None:
        assert self.alerts.setdefault(item.alert_id, item) == item

    def dead_letter(self, item: DeadLetter) -> None:
        number = self.topic.number_of[item.partition, item.offset]
        item = item.model_copy(update={"partition": 0, "offset": 0})
        assert self.dead_letters.setdefault(number, item) == item

    def everything(self) -> tuple[object, ...]:
        return self.verdicts, self.alerts, self.dead_letters


class Hesitant:
    """A port of which every call lets others have some turns, before and after it.

    Args:
        port: Does the work.
        turns: Says how many.
    """

    def __init__(self, port: object, turns: Callable[[], int]) -> None:
        self._port, self._turns = port, turns

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        async def called(*args: Any) -> Any:
            await some(self._turns())
            found = await call(*args)
            await some(self._turns())
            return found

        return called


async def some(turns: int) -> None:
    """Let others go on for so many turns of the loop."""
    for _ in range(turns):
        await asyncio.sleep(0)


class WatchedStore(MemoryScoreStore):
    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen = seen

    async def write(
        self, records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = ()
    ) -> None:
        for item in records:
            self._seen.verdict(item)
        await super().write(records, finals)


class WatchedPublisher(MemoryPublisher):
    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen = seen

    async def publish(self, alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]) -> None:
        for alert in alerts:
            self._seen.alert(alert)
        for letter in dead_letters:
            self._seen.dead_letter(letter)


class World:
    """A detector on fakes, over a topic."""

    def __init__(
        self,
        topic: Topic,
        bridge_cycles: int,
        alarm: AlarmPolicy = ALARM,
        *,
        store: StateStore | None = None,
        at: PointListener = ignore_points,
        turns: Callable[[], int] | None = None,
    ) -> None:
        self.topic = topic
        self.seen = Seen(topic)
        self.states = MemoryStateStore()
        everything = [record for records in topic.records.values() for record in records]
        ports = DetectorPorts(
            store or self.states,
            WatchedStore(self.seen),
            WatchedPublisher(self.seen),
            MemoryHistory(everything, batch=7),
            SystemClock(),
        )
        if turns is not None:
            ports = replace(
                ports,
                states=cast("StateStore", Hesitant(ports.states, turns)),
                scores=cast("ScoreStore", Hesitant(ports.scores, turns)),
                publisher=cast("OutputPublisher", Hesitant(ports.publisher, turns)),
            )
        inputs = InputPolicy(MAX_BYTES, bridge_cycles=bridge_cycles)
        policy = DetectorPolicy(Backoff(), inputs.follow_after)
        fleets = fleets_of(SCORER, inputs, alarm)
        self.service = DetectorService(fleets, ports, policy, DetectorMetrics(), Health(), at)

    async def take_whole(self) -> Seen:
        """Take in every partition as one batch."""
        await self.service.process(dense([r for part in self.topic.records.values() for r in part]))
        return self.seen

    async def take(self, chance: random.Random, largest: int) -> Seen:
        """Take the topic in batches of any partitions; batches come again, states are lost."""
        done = dict.fromkeys(self.topic.records, 0)
        while left := [p for p, records in self.topic.records.items() if done[p] < len(records)]:
            ends = {
                partition: done[partition] + chance.randint(1, largest)
                for partition in chance.sample(left, chance.randint(1, len(left)))
            }
            before = self._stored()
            await self.service.process(
                dense([r for p, end in ends.items() for r in self.topic.records[p][done[p] : end]])
            )
            match chance.choice(
                ["", "", "", "crash before states", "crash before offsets", "loss"]
            ):
                case "crash before states":
                    states = self.states
                    states.values, states.progress, states.intents, states.ledgers = before
                    continue
                case "crash before offsets":
                    continue
                case "loss":
                    self.states.values, self.states.progress = {}, {}
            done |= {p: min(end, len(self.topic.records[p])) for p, end in ends.items()}
        return self.seen

    async def take_side_by_side(self, chance: random.Random, largest: int) -> Seen:
        """Take the topic in batches of any partitions, two at once; again and again all stops.

        What was under way is given up wherever it stands, and comes again.
        """
        ends = {partition: len(records) for partition, records in self.topic.records.items()}
        done = dict.fromkeys(ends, 0)
        while done != ends:
            taken = dict(done)
            async with Lanes(2) as lanes:
                while left := [
                    partition for partition in ends if taken[partition] < ends[partition]
                ]:
                    batch = {
                        partition: (
                            taken[partition],
                            min(ends[partition], taken[partition] + chance.randint(1, largest)),
                        )
                        for partition in chance.sample(left, chance.randint(1, min(2, len(left))))
                    }
                    lanes.add(batch, partial(self._carry_out, batch, done))
                    taken |= {partition: end for partition, (_, end) in batch.items()}
                for _ in range(chance.choice([20, 200, 2_000_000])):
                    if done == ends:
                        break
                    await asyncio.sleep(0)
        return self.seen

    async def _carry_out(self, batch: dict[int, tuple[int, int]], done: dict[int, int]) -> None:
        await self.service.process(
            dense(
                [r for p, (begin, end) in batch.items() for r in self.topic.records[p][begin:end]]
            )
        )
        done |= {partition: end for partition, (_, end) in batch.items()}

    def _stored(self) -> tuple[Any, ...]:
        states = self.states
        return copy.deepcopy((states.values, states.progress, states.intents, states.ledgers))
