"""Hours in minutes: a simulated fleet at a steady rate, and a fault every half minute.

    python -m bench.soak [--minutes 30] [--rate 1000] [--seed 1]

Starts a broker, Valkey and two workers. The first worker is never harmed, so that its memory can
be watched; the second is killed, frozen and restarted, and the backends are frozen, locked and
emptied.
At the end every reading must have its verdict, and every run's scores, verdicts and alerts must
equal the batch path's. Exit code 1 if anything differs.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from common.kafka import ensure_topics, started
from common.settings import KafkaSettings, RedisSettings, load_settings
from deploy.local.programs import broker_command, free_port, valkey_command
from detector.tools.parity import parity_report
from producer.simulator import simulate
from tests.support.backends import server, wait_until
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages

ENGINES = 600
FAULT_EVERY_S = 30.0
FAULT_LASTS_S = 4.0
PATIENT = {"SURGELINE_REDIS__OP_TIMEOUT_S": "2", "SURGELINE_SCORES__OP_TIMEOUT_S": "2"}


@dataclass
class Soak:
    """One soak: what runs, and what has happened."""

    bench: DetectorBench
    valkey: subprocess.Popen[bytes]
    chance: random.Random
    witness: subprocess.Popen[bytes]
    victim: subprocess.Popen[bytes]
    faults: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)

    def new_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker whose status page has a free port."""
        return self.bench.start(SURGELINE_DETECTOR__HTTP_PORT="0", **PATIENT)

    async def kill(self) -> None:
        """Kill the victim, and start another."""
        self.victim.kill()
        self.victim.wait()
        self.victim = self.new_worker()

    async def restart(self) -> None:
        """Stop the victim politely, and start another."""
        self.victim.send_signal(signal.SIGTERM)
        await asyncio.to_thread(self.victim.wait, 60)
        self.victim = self.new_worker()

    async def freeze_worker(self) -> None:
        """Freeze the victim past its session."""
        await self._frozen(self.victim.pid)

    async def freeze_valkey(self) -> None:
        """Freeze Valkey."""
        await self._frozen(self.valkey.pid)

    async def lock_scores(self) -> None:
        """Lock the score store for a while."""
        lock = sqlite3.connect(self.bench.scores.sqlite_path, timeout=30, check_same_thread=False)
        await asyncio.to_thread(lock.execute, "BEGIN IMMEDIATE")
        await asyncio.sleep(FAULT_LASTS_S)
        lock.rollback()
        lock.close()

    async def empty_valkey(self) -> None:
        """Delete every state: all must come back from the topic."""
        async with Redis.from_url(self.bench.redis.url.get_secret_value()) as redis:
            await redis.flushall()

    async def _frozen(self, pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(FAULT_LASTS_S)
        os.kill(pid, signal.SIGCONT)

    async def harm(self, until: float) -> None:
        """Do something nasty every half minute."""
        kinds: list[Callable[[], Awaitable[None]]] = [
            self.kill,
            self.restart,
            self.freeze_worker,
            self.freeze_valkey,
            self.lock_scores,
            self.empty_valkey,
        ]
        while time.monotonic() + FAULT_EVERY_S < until:
            await asyncio.sleep(FAULT_EVERY_S)
            fault = self.chance.choice(kinds)
            self.faults[fault.__name__] += 1
            await fault()

    async def feed(self, rate: int, until: float) -> None:
        """Send ``rate`` readings a second, in one burst a second: few, large batches."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bench.kafka.bootstrap_servers,
            linger_ms=200,
            max_batch_size=1024 * 1024,
            max_request_size=4 * 1024 * 1024,
        )
        async with started(producer):
            seed = 0
            while time.monotonic() < until:
                seed += 1
                run_id = f"simulated-soak-{seed}"
                fleet = await asyncio.to_thread(simulate, ENGINES, seed)
                messages = await asyncio.to_thread(fleet_messages, fleet, run_id)
                for first in range(0, len(messages), rate):
                    began = time.monotonic()
                    if began >= until:
                        return
                    burst = messages[first : first + rate]
                    for key, value in burst:
                        await producer.send(self.bench.topics.readings, value, key=key)
                    await producer.flush()
                    self.sent[run_id] += len(burst)
                    await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))

    async def watch(self, minutes: float) -> None:
        """Print how it stands, and the witness's memory."""
        began = time.monotonic()
        while True:
            done = await self.bench.verdict_total()
            print(
                f"{(time.monotonic() - began) / 60:5.1f} min  sent {self.sent.total():>9,}  "
                f"verdicts {done:>9,}  behind {self.sent.total() - done:>7,}  "
                f"RSS {resident_mb(self.witness.pid):.0f} MB  faults {self.faults.total()}",
                flush=True,
            )
            await asyncio.sleep(min(60.0, minutes * 60 / 6))


def resident_mb(pid: int) -> float:
    """Return a process's resident memory, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def compare(soak: Soak) -> bool:
    """Compare every run with the batch path, and print one line each."""
    environment = soak.bench.environment() | {"SURGELINE_LOG__LEVEL": "ERROR"}
    settings = load_settings({k: v for k, v in environment.items() if k.startswith("SURGELINE_")})
    equal = True
    for run_id in soak.sent:
        report = await parity_report(run_id, settings)
        print(f"{run_id}: {report.line()}", flush=True)
        equal &= report.equal
    return equal


async def soak_for(soak: Soak, minutes: float, rate: int) -> bool:
    """Run one soak to its end."""
    until = time.monotonic() + minutes * 60
    watching = asyncio.create_task(soak.watch(minutes))
    async with asyncio.TaskGroup() as group:
        group.create_task(soak.feed(rate, until))
        group.create_task(soak.harm(until))
    total = soak.sent.total()
    await soak.bench.wait_for_verdicts(total, timeout_s=1200)
    watching.cancel()
    done = await soak.bench.verdict_total()
    print(f"faults: {dict(soak.faults)}")
    print(f"sent {total:,}, verdicts {done:,}, RSS {resident_mb(soak.witness.pid):.0f} MB")
    await asyncio.sleep(5)  # the last batch's alerts follow its verdicts
    return await compare(soak) and done == total


def main(
    minutes: Annotated[float, typer.Option(help="How long to feed.")] = 30.0,
    rate: Annotated[int, typer.Option(help="Readings a second.")] = 1000,
    seed: Annotated[int, typer.Option(help="Which faults, in which order.")] = 1,
) -> None:
    """Soak the system."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ports = free_port(), free_port()
        with (
            server(broker_command(ports[0]), ports[0], folder / "broker.log"),
            server(valkey_command(ports[1], folder), ports[1], folder / "valkey.log") as valkey,
        ):
            bench = DetectorBench(
                KafkaSettings(bootstrap_servers=f"127.0.0.1:{ports[0]}"),
                RedisSettings.model_validate({"url": f"redis://127.0.0.1:{ports[1]}/0"}),
                folder,
            )
            asyncio.run(ensure_topics(bench.kafka))
            witness = bench.start(**PATIENT)
            victim = bench.start(SURGELINE_DETECTOR__HTTP_PORT="0", **PATIENT)
            soak = Soak(bench, valkey, random.Random(seed), witness, victim)
            try:
                wait_until(lambda: bench.ready(witness), "a worker is ready", timeout_s=60)
                equal = asyncio.run(soak_for(soak, minutes, rate))
            finally:
                for process in (soak.witness, soak.victim):
                    process.kill()
                    process.wait()
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    typer.run(main)
