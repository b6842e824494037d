"""Hours in minutes: a simulated fleet at a steady rate, and a fault every half minute.

    python -m bench.trials.soak [--minutes 30] [--rate 1000] [--every 30] [--seed 1]
                                [--faults kill_worker,cut_line] [--json summary.json]

Starts a broker behind a bad line, Valkey and two workers. The first worker is left alone, so that
its memory can be watched; the second is killed, frozen and restarted; and the backends are killed,
frozen, locked, emptied and cut off (``faults.py``). Faults come in random order, each as often as
the others.
At the end every reading must have its verdict, and every run's scores, verdicts and alerts must
equal the batch path's. Exit code 1 if anything differs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer

from bench.support.memory import resident_mb
from bench.trials.soak.faults import FAULTS, PATIENT, Target
from common.links.kafka import ensure_topics, started
from common.settings import KafkaSettings, RedisSettings, load_settings
from deploy.local.programs import broker_command, free_port
from detector.tools.parity.report import parity_report
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages
from tests.support.servers.backends import server, wait_until
from tests.support.servers.tcp_proxy import TcpProxy

ENGINES = 600
MEMORY_AT_MIN = (1, 5, 15, 30)


@dataclass
class Soak:
    """One soak: what it is to be, and what has happened.

    Attributes:
        target: What is harmed.
        witness: The worker that is left alone.
        faults: Which faults.
        every_s: A fault starts this long after the last one ended, s.
        chance: In which order.
        met: Faults so far.
        sent: Readings sent, by run.
        memory_mb: The witness's memory, by minute.
    """

    target: Target
    witness: subprocess.Popen[bytes]
    faults: list[str]
    every_s: float
    chance: random.Random
    met: Counter[str] = field(default_factory=Counter)
    sent: Counter[str] = field(default_factory=Counter)
    memory_mb: dict[int, float] = field(default_factory=dict)

    async def harm(self, until: float) -> None:
        """Do something nasty again and again, each thing once before any comes twice."""
        bag: list[str] = []
        while time.monotonic() + self.every_s < until:
            await asyncio.sleep(self.every_s)
            bag = bag or self.chance.sample(self.faults, len(self.faults))
            name = bag.pop()
            self.met[name] += 1
            await getattr(self.target, name)()

    async def feed(self, rate: int, until: float) -> None:
        """Send ``rate`` readings a second, in one burst a second: few, large batches."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.target.bench.kafka.bootstrap_servers,
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
                    await self._send(producer, run_id, messages[first : first + rate])
                    await asyncio.sleep(max(0.0, began + 1 - time.monotonic()))

    async def _send(
        self, producer: AIOKafkaProducer, run_id: str, burst: list[tuple[bytes, bytes]]
    ) -> None:
        async with self.target.line:  # only between two bursts does the line get bad
            for key, value in burst:
                await producer.send(self.target.bench.topics.readings, value, key=key)
            await producer.flush()
        self.sent[run_id] += len(burst)

    async def watch(self, minutes: float) -> None:
        """Print how it stands, and the witness's memory."""
        began = shown = time.monotonic()
        while True:
            now = time.monotonic()
            for minute in MEMORY_AT_MIN:
                if now - began >= minute * 60:
                    self.memory_mb.setdefault(minute, resident_mb(self.witness.pid))
            if now >= shown:
                shown = now + min(60.0, minutes * 60 / 6)
                done = await self.target.bench.verdict_total()
                print(
                    f"{(now - began) / 60:5.1f} min  sent {self.sent.total():>9,}  "
                    f"verdicts {done:>9,}  behind {self.sent.total() - done:>7,}  "
                    f"RSS {resident_mb(self.witness.pid):.0f} MB  faults {self.met.total()}",
                    flush=True,
                )
            await asyncio.sleep(1)


async def compare(soak: Soak) -> dict[str, bool]:
    """Compare every run with the batch path, print one line each, and return which are equal."""
    environment = soak.target.bench.environment() | {"SURGELINE_LOG__LEVEL": "ERROR"}
    settings = load_settings({k: v for k, v in environment.items() if k.startswith("SURGELINE_")})
    equal = {}
    for run_id in soak.sent:
        report = await parity_report(run_id, settings)
        print(f"{run_id}: {report.line()}", flush=True)
        equal[run_id] = report.equal
    return equal


async def soak_for(soak: Soak, minutes: float, rate: int) -> dict[str, object]:
    """Run one soak to its end, and return its summary."""
    began = time.monotonic()
    until = began + minutes * 60
    watching = asyncio.create_task(soak.watch(minutes))
    async with asyncio.TaskGroup() as group:
        group.create_task(soak.feed(rate, until))
        group.create_task(soak.harm(until))
    total = soak.sent.total()
    await soak.target.bench.wait_for_verdicts(total, timeout_s=1200)
    behind_s = max(0.0, time.monotonic() - until)
    watching.cancel()
    done = await soak.target.bench.verdict_total()
    end_mb = resident_mb(soak.witness.pid)
    await soak.target.bench.settled()  # the last batch's alerts follow its verdicts
    runs = await compare(soak)
    print(f"faults: {dict(soak.met)}")
    marks = [(f"{minute} min", mb) for minute, mb in soak.memory_mb.items()]
    memory = ", ".join(f"{mb:.0f} MB at {mark}" for mark, mb in [*marks, ("the end", end_mb)])
    print(f"sent {total:,}, verdicts {done:,}, {behind_s:.0f} s behind at the end; RSS {memory}")
    return {
        "equal": all(runs.values()) and done == total,
        "minutes": minutes,
        "rate": rate,
        "sent": total,
        "verdicts": done,
        "behind_s": round(behind_s, 1),
        "faults": dict(soak.met),
        "memory_mb": {str(at): mb for at, mb in soak.memory_mb.items()} | {"end": end_mb},
        "runs": runs,
    }


def chosen(names: str) -> list[str]:
    """Return the faults a person asked for; all of them for nothing.

    Raises:
        BadParameter: If there is no such fault.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := sorted(set(wanted) - set(FAULTS)):
        raise typer.BadParameter(f"{', '.join(unknown)}; there are {', '.join(FAULTS)}")
    return wanted or list(FAULTS)


def main(
    minutes: Annotated[float, typer.Option(help="How long to feed.")] = 30.0,
    rate: Annotated[int, typer.Option(help="Readings a second.")] = 1000,
    every: Annotated[float, typer.Option(help="Seconds between two faults.")] = 30.0,
    seed: Annotated[int, typer.Option(help="In which order faults come.")] = 1,
    faults: Annotated[str, typer.Option(help="Which faults, by comma; all if left out.")] = "",
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Where to write the summary.")
    ] = None,
) -> None:
    """Soak the system."""
    kinds = chosen(faults)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the line does get cut
    port, line_port, valkey_port = free_port(), free_port(), free_port()
    command = broker_command(port)
    place = command.index("--advertised-listener-url") + 1
    command[place] = command[place].replace(str(port), str(line_port))
    proxy = TcpProxy(line_port, port)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        bench = DetectorBench(
            KafkaSettings(bootstrap_servers=f"127.0.0.1:{line_port}"),
            RedisSettings.model_validate({"url": f"redis://127.0.0.1:{valkey_port}/0"}),
            folder,
        )
        stack.enter_context(server(command, port, folder / "broker.log"))
        stack.enter_context(proxy.listening())
        asyncio.run(ensure_topics(bench.kafka))
        target = Target(bench, proxy, valkey_port)
        stack.enter_context(target.running())
        witness = bench.start(**PATIENT)
        stack.callback(witness.wait)
        stack.callback(witness.kill)
        wait_until(lambda: bench.ready(witness), "a worker is ready", timeout_s=60)
        soak = Soak(target, witness, kinds, every, random.Random(seed))
        summary = asyncio.run(soak_for(soak, minutes, rate))
    if json_path is not None:
        json_path.write_text(json.dumps(summary, indent=2) + "\n")
    sys.exit(0 if summary["equal"] else 1)


if __name__ == "__main__":
    typer.run(main)
