"""How fast the score stores write and read: `python -m bench.stores.scores [--influx]`.

Prints rates and, because those depend on the machine, ratios between ways on the same machine.
Rows are what a detector of 14 channels writes, from engines whose readings interleave. With
``--influx`` it runs the tests' InfluxDB engine (1.6.7 behind their HTTP front).
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from influxdb_client import Point

from bench.support.influx import influx_server
from common.machines.turbofan import SENSOR_NAMES
from common.records.verdicts import Level, ScoreRecord, Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.influx.lines import verdict_lines
from common.scorestore.port import ScoreQuery, ScoreStore
from common.settings import ScoreStoreSettings

CHANNELS = SENSOR_NAMES[:14]
ENGINES = 100
CYCLES_PER_RUN = 200
START = datetime(2026, 1, 1, tzinfo=UTC)


def records(total: int) -> Iterator[ScoreRecord]:
    """Yield rows as a fleet's replays bring them: all engines' cycle 1, then all engines' cycle 2.

    After ``CYCLES_PER_RUN`` the fleet starts a new run.
    """
    draw = random.Random(7)
    shares = [draw.random() / 7 for _ in range(997)]
    for number in range(total):
        moment, engine = divmod(number, ENGINES)
        run, cycle = divmod(moment, CYCLES_PER_RUN)
        warming_up = cycle < 29
        start = number % 900
        yield ScoreRecord(
            asset_id=f"FD001-test-{engine + 1:03}",
            run_id=f"replay-{run:05}",
            cycle=cycle + 1,
            ts=START + timedelta(seconds=moment),
            status=Verdict.WARMING_UP if warming_up else Verdict.SCORED,
            model="fd001@1.0.0",
            score=None if warming_up else draw.random(),
            warning_threshold=None if warming_up else 1.25,
            critical_threshold=None if warming_up else 2.5,
            level=Level.WARNING if cycle > 190 else Level.NONE,
            shares={}
            if warming_up
            else dict(zip(CHANNELS, shares[start : start + len(CHANNELS)], strict=True)),
            detail=f"{cycle + 1} of 30 cycles" if warming_up else "",
        )


def batches(total: int, size: int) -> Iterator[list[ScoreRecord]]:
    """Yield the rows in batches."""
    rows = records(total)
    for _ in range(0, total, size):
        yield [row for _, row in zip(range(size), rows, strict=False)]


async def write_all(store: ScoreStore, total: int, size: int) -> float:
    """Return rows a second, the making of the rows left out."""
    spent = 0.0
    for batch in batches(total, size):
        start = time.perf_counter()
        await store.write(batch)
        spent += time.perf_counter() - start
    return total / spent


async def milliseconds(call: Callable[[], Awaitable[object]], repeats: int = 5) -> float:
    """Return the fastest of a few calls, ms."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        await call()
        best = min(best, time.perf_counter() - start)
    return best * 1000


async def read_some(store: ScoreStore, total: int) -> dict[str, float]:
    """Return how long each kind of read takes, ms."""
    last_run = f"replay-{(total - 1) // (ENGINES * CYCLES_PER_RUN):05}"
    queries = {
        "page of 1000, all": ScoreQuery(),
        "page of 1000, newest": ScoreQuery(newest_first=True),
        "page of 1000, one asset": ScoreQuery(asset_id="FD001-test-042", newest_first=True),
        "one asset's run (200)": ScoreQuery(asset_id="FD001-test-042", run_id=last_run),
        "page of 1000, one run id": ScoreQuery(run_id=last_run),
        "page of 100, warnings": ScoreQuery(min_level=Level.WARNING, limit=100),
        "page of 100, warming up": ScoreQuery(status=Verdict.WARMING_UP, limit=100),
        "none found, status gap": ScoreQuery(status=Verdict.GAP),
    }
    times = {
        name: await milliseconds(lambda query=query: store.query(query))  # type: ignore[misc]  # binds the loop's variable
        for name, query in queries.items()
    }
    times["runs(), all"] = await milliseconds(store.runs)
    times["runs(), one run id"] = await milliseconds(lambda: store.runs(run_id=last_run))
    times["verdict_counts()"] = await milliseconds(store.verdict_counts)
    return times


def naive_runs_ms(path: Path) -> float:
    """Return how long the same summary takes without the summary table, ms."""
    with closing(sqlite3.connect(path)) as connection:
        start = time.perf_counter()
        connection.execute(
            "SELECT run_key, status, count(*), min(cycle), max(cycle), max(score) FROM verdict "
            "GROUP BY run_key, status"
        ).fetchall()
        return (time.perf_counter() - start) * 1000


def point_of(record: ScoreRecord) -> str:
    """Return a line made by the client's own builder."""
    point = Point("score").tag("asset_id", record.asset_id).tag("run_id", record.run_id)
    point.tag("model", record.model).field("cycle", record.cycle).field("score", record.score)
    point.field("level", record.level.value).field("status", record.status.value)
    for name, share in record.shares.items():
        point.field(f"share_{name}", share)
    line: str = point.time(record.ts).to_line_protocol()
    return line


def show(title: str, rates: dict[str, str]) -> None:
    """Print one table."""
    print(f"\n{title}")
    for name, value in rates.items():
        print(f"  {name:28} {value}")


async def bench_sqlite(path: Path, total: int, size: int) -> float:
    """Print SQLite's numbers; return its rows a second."""
    async with open_score_store(ScoreStoreSettings(sqlite_path=path)) as store:
        rate = await write_all(store, total, size)
        again = await write_all(store, min(total, 100_000), size)
        times = await read_some(store, total)
    small = path.with_name("small.db")
    async with open_score_store(ScoreStoreSettings(sqlite_path=small)) as store:
        tiny = await write_all(store, min(total, 20_000), 100)
    naive = naive_runs_ms(path)
    size_bytes = path.stat().st_size  # noqa: ASYNC240 - nothing else runs
    table = {
        f"write, batches of {size}": f"{rate:10,.0f} rows/s",
        "the same rows again": f"{again:10,.0f} rows/s = {again / rate:.2f} x",
        "write, batches of 100": f"{tiny:10,.0f} rows/s = {tiny / rate:.2f} x",
        "file": f"{size_bytes / total:10,.0f} bytes/row",
    }
    table |= {name: f"{value:10.2f} ms" for name, value in times.items()}
    table["runs() by GROUP BY"] = f"{naive:10.2f} ms = {naive / times['runs(), all']:.1f} x"
    show(f"SQLite, {total:,} rows", table)
    return rate


async def bench_influx(folder: Path, total: int, size: int, sqlite_rate: float) -> None:
    """Print InfluxDB's numbers."""
    sample = next(batches(size + 3000, size + 3000))[3000:]
    start = time.perf_counter()
    verdict_lines(sample)
    by_hand = len(sample) / (time.perf_counter() - start)
    start = time.perf_counter()
    for record in sample:
        point_of(record)
    by_point = len(sample) / (time.perf_counter() - start)
    with influx_server(folder) as server:
        async with open_score_store(server.new_bucket()) as store:
            rate = await write_all(store, total, size)
            times = await read_some(store, total)
    table = {
        "lines by hand": f"{by_hand:10,.0f} rows/s",
        "lines by the client's Point": f"{by_point:10,.0f} rows/s = {by_point / by_hand:.2f} x",
        f"write, batches of {size}": f"{rate:10,.0f} rows/s = {rate / sqlite_rate:.2f} x SQLite",
    }
    table |= {name: f"{value:10.2f} ms" for name, value in times.items()}
    show(f"InfluxDB 1.6.7 behind the tests' front, {total:,} rows", table)


def main(
    rows: Annotated[int, typer.Option(help="Rows in SQLite.")] = 1_000_000,
    batch: Annotated[int, typer.Option(help="Rows in one write.")] = 4000,
    influx: Annotated[bool, typer.Option("--influx", help="InfluxDB too.")] = False,
    influx_rows: Annotated[int, typer.Option(help="Rows in InfluxDB.")] = 200_000,
) -> None:
    """Measure the score stores on this machine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rate = asyncio.run(bench_sqlite(folder / "scores.db", rows, batch))
        if influx:
            asyncio.run(bench_influx(folder, influx_rows, batch, rate))


if __name__ == "__main__":
    typer.run(main)
