"""A healthy fleet among strangers: hostile records, batches, values and topics, all at once.

    python -m bench.trials.hostile [--minutes 5] [--rate 400] [--seed 1] [--json summary.json]

Starts a broker, Valkey and two workers. A fleet of 200 simulated assets streams steadily, and all
the while strangers send what ``feed.py`` holds: random bytes, stamps, keys, headers, sizes, every
codec, damaged batches, decompression bombs, foreign values in Redis. Twice the
readings topic is deleted and made anew, and once a worker is killed.

At the end every healthy reading must have its verdict, every run must equal the batch path, no
worker may have ended but the one that was killed, memory must have stayed below a bound, and all
must be served within 30 s of the last provocation. Exit code 1 if not.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from bench.support.memory import resident_mb
from bench.trials.hostile.feed import Stranger
from common.links.kafka import ensure_topics, started
from common.logs import configure_logging
from common.scorestore.factory import open_score_store
from common.settings import KafkaSettings, LogSettings, RedisSettings, load_settings
from common.topics import StateKeys
from deploy.local.programs import broker_command, free_port, valkey_command
from detector.tools.parity.report import parity_report
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import asset_name, fleet_messages
from tests.support.servers.backends import server, wait_until
from tests.support.topics import make_anew

ASSETS: Final = 200
LIVES: Final = 3
"""The topic's: it is made anew between two of them."""

MEMORY_BOUND_MB: Final = 500.0
SERVED_WITHIN_S: Final = 30.0
GIVE_UP_S: Final = 240.0
STRANGERS_EVERY_S: Final = 0.25
STRANGERS_AT_ONCE: Final = 5
BATCHES_EVERY: Final = 4
PLANTS_EVERY: Final = 12
BOMBS_EVERY: Final = 60
"""In rounds of strangers."""


@dataclass
class Siege:
    """One soak.

    Attributes:
        bench: Topics, keys, stores.
        workers: The two workers.
        chance: Decides everything.
        sent: Healthy readings, by run.
        equal: Whether a run equals the batch path.
        served_s: How long after the last provocation of each life everything was done.
        peak_mb: Highest memory of any worker.
        strangers: What was sent beside.
        ended: Exit codes of workers that ended unprovoked.
    """

    bench: DetectorBench
    workers: list[subprocess.Popen[bytes]]
    chance: random.Random
    sent: Counter[str] = field(default_factory=Counter)
    equal: dict[str, bool] = field(default_factory=dict)
    served_s: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    strangers: Counter[str] = field(default_factory=Counter)
    ended: list[int] = field(default_factory=list)

    async def live(self, life: int, seconds: float, rate: int) -> None:
        """Feed one life of the topic, and look what came of it."""
        run_id = f"simulated-siege-{life}"
        fleet = await asyncio.to_thread(simulate, ASSETS, life)
        messages = await asyncio.to_thread(fleet_messages, fleet, run_id)
        victims = [asset_name(fleet, unit) for unit in range(1, ASSETS + 1)]
        stranger = Stranger(self.bench.kafka, self.chance, victims)
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            group.create_task(self._feed(run_id, messages, rate, until))
            group.create_task(self._provoke(stranger, run_id, until))
            if life == 1:
                group.create_task(self._kill(until - seconds / 2))
        self.strangers.update(stranger.sent)
        print(
            f"life {life} of the topic: {self.sent[run_id]:,} healthy readings, "
            f"{stranger.sent.total():,} hostile things",
            flush=True,
        )
        await self._compare(run_id)

    async def _compare(self, run_id: str) -> None:
        """Wait until all is served, and compare the run with the batch path."""
        last = time.monotonic()
        settings = load_settings(
            {k: v for k, v in self.bench.environment().items() if k.startswith("SURGELINE_")}
        )
        while await self._verdicts(run_id) < self.sent[run_id]:
            if time.monotonic() - last > GIVE_UP_S:
                break
            await asyncio.sleep(0.2)
        while True:
            served_s = time.monotonic() - last
            report = await parity_report(run_id, settings)
            if report.equal or served_s > SERVED_WITHIN_S:  # alerts follow their verdicts
                break
            await asyncio.sleep(0.5)
        self.served_s.append(served_s)
        self.equal[run_id] = report.equal and report.compared > 0
        print(f"  all served {served_s:.1f} s after the last; {report.line()}", flush=True)

    async def _verdicts(self, run_id: str) -> int:
        async with open_score_store(self.bench.scores) as store:
            counts = await store.verdict_counts(run_id)
        return sum(count for status, count in counts.items() if not status.of_message)

    async def _feed(
        self, run_id: str, messages: list[tuple[bytes, bytes]], rate: int, until: float
    ) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bench.kafka.bootstrap_servers, linger_ms=100
        )
        async with started(producer):
            for first in range(0, len(messages), rate):
                began = time.monotonic()
                if began >= until:
                    return
                for key, value in messages[first : first + rate]:
                    await producer.send(self.bench.topics.readings, value, key=key)
                await producer.flush()
                self.sent[run_id] += len(messages[first : first + rate])
                await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))

    async def _provoke(self, stranger: Stranger, run_id: str, until: float) -> None:
        keys = StateKeys(self.bench.redis.key_prefix)
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bench.kafka.bootstrap_servers,
            linger_ms=50,
            max_request_size=1024 * 1024,
        )
        redis = Redis.from_url(self.bench.redis.url.get_secret_value())
        async with started(producer), redis:
            number = 0
            while time.monotonic() < until:
                number += 1
                await stranger.send_records(producer, STRANGERS_AT_ONCE)
                if number % BATCHES_EVERY == 0:
                    await stranger.send_batches()
                if number % PLANTS_EVERY == 0:
                    await stranger.plant(redis, keys, run_id)
                if number % BOMBS_EVERY == 0:
                    await stranger.send_bomb()
                await asyncio.sleep(STRANGERS_EVERY_S)
            await producer.flush()

    async def _kill(self, at: float) -> None:
        await asyncio.sleep(max(0.0, at - time.monotonic()))
        victim = self.workers.pop()
        victim.kill()
        await asyncio.to_thread(victim.wait)
        self.workers.append(self.bench.start(SURGELINE_DETECTOR__HTTP_PORT="0"))

    async def watch(self) -> None:
        """Keep an eye on the workers' memory, and on whether they are there."""
        while True:
            for worker in list(self.workers):
                code = worker.poll()
                if code is None:
                    self.peak_mb = max(self.peak_mb, resident_mb(worker.pid))
                elif worker in self.workers and code != -signal.SIGKILL:
                    self.ended.append(code)
                    self.workers.remove(worker)
            await asyncio.sleep(0.5)


async def withstand(siege: Siege, minutes: float, rate: int) -> dict[str, object]:
    """Run the whole soak, and return its summary."""
    watching = asyncio.create_task(siege.watch())
    for life in range(1, LIVES + 1):
        if life > 1:
            await make_anew(siege.bench.kafka)
            siege.strangers["topic made anew"] += 1
        await siege.live(life, minutes * 60 / LIVES, rate)
    watching.cancel()
    letters = Counter(letter.reason for letter in await siege.bench.dead_letters())
    good = (
        all(siege.equal.values())
        and not siege.ended
        and siege.peak_mb < MEMORY_BOUND_MB
        and max(siege.served_s) < SERVED_WITHIN_S
    )
    print("hostile:", _listed(siege.strangers))
    print("dead letters:", _listed(letters))
    print(
        f"{siege.sent.total():,} healthy readings in {len(siege.equal)} runs, "
        f"{sum(siege.equal.values())} of them equal to the batch path; "
        f"{len(siege.ended)} workers ended unprovoked; at most {siege.peak_mb:.0f} MB "
        f"(bound {MEMORY_BOUND_MB:.0f}); served within {max(siege.served_s):.1f} s "
        f"(bound {SERVED_WITHIN_S:.0f}): {'held' if good else 'NOT HELD'}"
    )
    return {
        "held": good,
        "minutes": minutes,
        "healthy": dict(siege.sent),
        "equal": siege.equal,
        "hostile": dict(siege.strangers),
        "dead_letters": dict(letters),
        "workers_ended": siege.ended,
        "peak_mb": round(siege.peak_mb, 1),
        "memory_bound_mb": MEMORY_BOUND_MB,
        "served_s": [round(seconds, 1) for seconds in siege.served_s],
    }


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in counts.most_common())


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.kill()
        worker.wait()


def main(
    minutes: Annotated[float, typer.Option(help="How long to feed.")] = 5.0,
    rate: Annotated[int, typer.Option(help="Healthy readings a second.")] = 400,
    seed: Annotated[int, typer.Option(help="What strangers send, and when.")] = 1,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Where to write the summary.")
    ] = None,
) -> None:
    """Let strangers at the system."""
    configure_logging(LogSettings(level="ERROR"), "bench")
    port, valkey_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        bench = DetectorBench(
            KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}"),
            RedisSettings.model_validate({"url": f"redis://127.0.0.1:{valkey_port}/0"}),
            folder,
        )
        stack.enter_context(server(broker_command(port), port, folder / "broker.log"))
        valkey = valkey_command(valkey_port, folder)
        stack.enter_context(server(valkey, valkey_port, folder / "valkey.log"))
        asyncio.run(ensure_topics(bench.kafka))
        workers = [bench.start(), bench.start(SURGELINE_DETECTOR__HTTP_PORT="0")]
        stack.callback(_end, workers)
        wait_until(lambda: bench.ready(workers[0]), "a worker is ready", timeout_s=60)
        summary = asyncio.run(withstand(Siege(bench, workers, random.Random(seed)), minutes, rate))
        if not summary["held"]:
            print(bench.log()[-5000:], file=sys.stderr)
    if json_path is not None:
        json_path.write_text(json.dumps(summary, indent=2) + "\n")
    sys.exit(0 if summary["held"] else 1)


if __name__ == "__main__":
    typer.run(main)
