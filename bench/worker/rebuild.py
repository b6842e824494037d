"""What a rebuild of lost states costs, beside taking the same readings through the whole core.

    python -m bench.worker.rebuild [RUNS]

Starts a broker and Valkey, puts one partition's past on the topic, and brings the states back
twice: by the rebuild, and by scoring and concluding every batch as a live one is. Once for a fleet
in its youth, when no alarm is open, and once for the same fleet run to failure, when all are.
Prints processor time, since machines are shared, and ratios, since machines differ.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from redis.asyncio import Redis

from bench.support.installation import Installation
from bench.support.memory import resident_mb
from bench.support.messages import fleet_messages
from bench.support.stage import stage
from common.logs import configure_logging
from common.records.ids import DEFAULT_FLEET
from common.settings import DetectorSettings, LogSettings
from detector.adapters.kafka_history import KafkaHistory
from detector.adapters.redis_state_store import RedisStateStore
from detector.core.conclusion.conclude import conclude
from detector.core.fleet import one_fleet
from detector.core.pipeline import decode_batch, prepare
from detector.core.policy import InputPolicy
from detector.core.state.known import States
from detector.delivery.recovery import StateRebuilder
from models.alarm import AlarmPolicy
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from producer.simulator.simulate import simulate

ENGINES = 75
"""What one of eight partitions has of 600 engines."""

YOUTH_CYCLES = 100
"""All engines' first cycles come first."""

Messages = list[tuple[bytes, bytes]]


@dataclass
class Cost:
    """What something cost a reading.

    Attributes:
        cpu_us: Processor time, µs.
        wall_us: Time, µs.
        grown_mb: How much more memory this process holds than before.
    """

    cpu_us: float
    wall_us: float
    grown_mb: float


async def cost_of(work: Callable[[], Awaitable[None]], rows: int) -> Cost:
    """Measure."""
    before, wall, cpu = resident_mb(), time.perf_counter(), time.process_time()
    await work()
    return Cost(
        (time.process_time() - cpu) / rows * 1e6,
        (time.perf_counter() - wall) / rows * 1e6,
        resident_mb() - before,
    )


class Subject:
    """One partition's past, and the two ways back."""

    def __init__(self, bench: Installation, rows: int) -> None:
        settings = DetectorSettings()
        self._rows = rows
        self._redis = bench.redis
        self._fleets = one_fleet(
            open_scorer(load_artifact("fd001")),
            AlarmPolicy(**settings.alarm.model_dump()),
            InputPolicy(**settings.input.model_dump()),
        )
        self._history = KafkaHistory(bench.kafka, settings.max_batch_rows)

    async def rebuild(self) -> None:
        """Rebuild into an empty store."""
        async with Redis.from_url(self._redis.url.get_secret_value()) as redis:
            await redis.flushall()
        async with RedisStateStore(self._redis) as states:
            rebuilder = StateRebuilder(self._fleets, states, self._history)
            await rebuilder.rebuild(0, None, self._rows)
            assert (await states.read([], [0])).progress[0].next_offset == self._rows

    async def through_the_core(self) -> None:
        """Score and conclude everything; nothing is stored."""
        states = States()
        async with aclosing(self._history.read(0, None, self._rows)) as history:
            async for records in history:
                batch = decode_batch(records, self._fleets)
                fleet = self._fleets[DEFAULT_FLEET]
                plan = prepare(batch, states, fleet)
                scores = await asyncio.to_thread(fleet.scorer.score, plan.windows)
                outcome = conclude(plan, scores, fleet)
                states.update(outcome.states.after)


async def compare(name: str, bench: Installation, messages: Messages) -> None:
    """Print what both ways cost for one fleet."""
    await bench.send(messages)
    subject = Subject(bench, len(messages))
    rebuild = await cost_of(subject.rebuild, len(messages))
    core = await cost_of(subject.through_the_core, len(messages))
    for what, cost in (("rebuild", rebuild), ("the whole core", core)):
        print(
            f"{name}, {len(messages):,} readings, {what:<15}{cost.cpu_us:6.1f} µs of processor, "
            f"{cost.wall_us:6.1f} µs a reading, memory {cost.grown_mb:+.0f} MB"
        )
    print(f"{name}: ratio whole core : rebuild = {core.cpu_us / rebuild.cpu_us:.1f}", flush=True)


def main() -> None:
    """Measure and print."""
    configure_logging(LogSettings(level="ERROR"), "bench")
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    fleets = [fleet_messages(simulate(ENGINES, seed=n), f"run-{n}") for n in range(runs)]
    lives = [message for fleet in fleets for message in fleet]
    young = [message for fleet in fleets for message in fleet[: ENGINES * YOUTH_CYCLES]]
    for name, messages in (("young", young), ("to failure", lives)):
        with stage(partitions=1) as bench:
            asyncio.run(compare(name, bench, messages))


if __name__ == "__main__":
    main()
