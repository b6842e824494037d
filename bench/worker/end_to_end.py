"""One worker end to end, beside the model alone: how much the stream around it costs.

    python -m bench.worker.end_to_end [ENGINES]

Starts a broker, Valkey and one real detector process, puts a simulated fleet's readings on the
topic beforehand, and lets the worker eat them. Prints ratios, since machines differ and are noisy.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
import urllib.request

import numpy as np

from bench.support.installation import Installation
from bench.support.memory import resident_mb
from bench.support.messages import fleet_messages
from bench.support.stage import stage
from common.metering.names import STEP_SECONDS
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from producer.simulator.simulate import simulate

STEP = re.compile(rf'{STEP_SECONDS.name}_sum\{{step="(\w+)"\}} (\S+)')


def model_alone_per_s(rows: int) -> float:
    """Return windows per second of the shipped model, one thread, large batches."""
    scorer = open_scorer(load_artifact("fd001"))
    windows = np.random.default_rng(0).normal(
        size=(min(rows, 20_000), scorer.spec.window_length, len(scorer.spec.channels))
    )
    scorer.score(windows[:500].astype(np.float32))
    begin = time.perf_counter()
    scorer.score(windows.astype(np.float32))
    return len(windows) / (time.perf_counter() - begin)


def step_seconds(port: int) -> dict[str, float]:
    """Return what a worker says it spent in each step, s."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        found = STEP.findall(answer.read().decode())
    return {name: float(value) for name, value in found if float(value)}


async def stream_per_s(bench: Installation, messages: list[tuple[bytes, bytes]]) -> float:
    """Return readings per second of one worker that starts behind a full topic."""
    await bench.send(messages[:1])
    with bench.running() as worker:
        await bench.wait_for_verdicts(1)
        idle = resident_mb(worker.pid)
        await bench.send(messages[1:])
        begin = time.perf_counter()
        start = await bench.verdict_total()
        await bench.wait_for_verdicts(len(messages))
        took = time.perf_counter() - begin
        steps = await asyncio.to_thread(step_seconds, bench.http_port)
        print(f"memory: {idle:.0f} MB before, {resident_mb(worker.pid):.0f} MB after the backlog")
    total = sum(steps.values())
    print("time in each step of the protocol:")
    for name, seconds in sorted(steps.items(), key=lambda item: -item[1]):
        print(f"  {name:<14}{seconds / total:>7.1%}{seconds / len(messages) * 1e6:>9.1f} µs a row")
    return (len(messages) - start) / took


def main() -> None:
    """Measure and print."""
    engines = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    messages = fleet_messages(simulate(engines, seed=1), "bench")
    with stage() as bench:
        stream = asyncio.run(stream_per_s(bench, messages))
    alone = model_alone_per_s(len(messages))
    print(f"{len(messages):,} readings: stream {stream:,.0f} rows/s, model alone {alone:,.0f}/s")
    print(f"ratio stream : model alone = {stream / alone:.2f}")


if __name__ == "__main__":
    main()
