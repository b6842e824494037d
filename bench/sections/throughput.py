"""(c) End to end: one worker and two behind a backlog, on both score stores.

In each round the scorer alone is measured too, so that a ratio is of one moment of this machine.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from typing import Final

from bench.sections.network import rate
from bench.suite.figures import Findings
from bench.suite.section import Context, Section
from bench.support.influx import InfluxServer, influx_server, is_installed
from bench.support.memory import cpu_seconds
from bench.support.stage import servers
from bench.support.taking import backlog, taken_by_workers
from bench.support.windows import MODEL, fleet_windows, scorer, total
from models.artifact.onnx_scorer import CHUNK, open_reconstructor
from models.artifact.store import load_artifact

ENGINES: Final = {1: 600, 2: 600}
"""By workers: some seconds' work, so that starting the scoring process is a small part of it."""

SQLITE: Final = "SQLite"
QUICK: Final = {1: 20, 2: 60}
WINDOWS: Final = 16_384
BACKLOG_WINDOWS: Final = 4_000
"""As many as a worker scores in one call, when it is behind."""


def run(context: Context) -> Findings:
    """Measure, round by round."""
    return asyncio.run(_run(context))


async def _run(context: Context) -> Findings:
    found = Findings()
    windows = fleet_windows(WINDOWS // 8 if context.quick else WINDOWS)
    network = open_reconstructor(load_artifact(MODEL))
    plumbing: list[float] = []
    with ExitStack() as stack:
        running = stack.enter_context(servers())
        stores: dict[str, InfluxServer | None] = {SQLITE: None}
        if is_installed():
            stores["InfluxDB"] = stack.enter_context(influx_server(running.folder))
        else:
            found.not_measured["InfluxDB"] = "influxd is not installed (apt-get install influxdb)"
        sizes = QUICK if context.quick else ENGINES
        waiting = {number: await backlog(running, size) for number, size in sizes.items()}
        for number in range(context.rounds):
            context.tell(f"the scorer alone, round {number + 1}")
            alone = rate(scorer().score, windows, BACKLOG_WINDOWS)
            found.add("scorer alone", "windows/s", alone)
            worked = time.process_time()
            found.add("network alone", "windows/s", rate(network.reconstruct, windows, CHUNK))
            network_us = (time.process_time() - worked) / len(windows) * 1e6
            found.add("processor time of the network", "µs/window", network_us)
            for name, store in stores.items() if number == 0 else ((SQLITE, None),):
                for workers, readings in waiting.items():
                    context.tell(f"{name}, {workers} of 2 workers, round {number + 1}")
                    installation = running.beside(readings.kafka)
                    if store is not None:
                        installation.scores = store.new_bucket()
                    beside = {
                        "the broker": running.broker_pid,
                        "Valkey": running.redis_pid,
                        **({} if store is None else {"InfluxDB": store.pid}),
                    }
                    before = {what: cpu_seconds(pid) for what, pid in beside.items()}
                    taken = await taken_by_workers(
                        installation, readings.expected, workers, extra=context.workers
                    )
                    found.add(title_of(name, workers), "scores/s", taken.scores_per_s)
                    if store is None:
                        busy = taken.cpu_us * taken.scores_per_s / 1e6
                        found.add(f"processors in use, {counted_workers(workers)}", "cores", busy)
                    if workers > 1:
                        continue
                    for what, pid in beside.items():
                        if (name == SQLITE) != (what == "InfluxDB"):
                            spent = (cpu_seconds(pid) - before[what]) / readings.readings
                            found.add(f"processor time of {what}", "µs/reading", spent * 1e6)
                    if store is None:
                        found.add("processor time of a worker", "µs/score", taken.cpu_us)
                        found.add("memory of a worker after a backlog", "MB", taken.resident_mb)
                        size = installation.scores.sqlite_path.stat().st_size
                        found.add("a verdict in SQLite", "bytes", size / readings.readings)
                        found.add("a reading on the wire", "bytes", readings.bytes_each)
                        scored = total(readings.expected) / readings.readings
                        plumbing.append((taken.cpu_us - network_us) * scored)
    one, two = (found.figures[title_of(SQLITE, number)].values for number in (1, 2))
    found.compare("e2e_over_scoring", one, found.figures["scorer alone"].values)
    found.compare("two_workers_over_one", two, one)
    found.plumbing_us = tuple(plumbing)
    return found


def title_of(store: str, workers: int) -> str:
    """Return what a figure is called."""
    return f"{store}, {counted_workers(workers)}"


def counted_workers(number: int) -> str:
    """Return so many workers, in words."""
    return f"{number} worker{'s' * (number > 1)}"


SECTION: Final = Section(
    "throughput",
    "End to end",
    "scores stored a second by one worker and two, in SQLite and in InfluxDB",
    lambda context: 3 * context.rounds + 2 * is_installed(),
    run,
)
