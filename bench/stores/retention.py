"""A full SQLite score store that is kept within its bounds while a worker writes.

    python -m bench.stores.retention                  90 days of 1,000 assets, one reading an hour
    python -m bench.stores.retention --assets 100 --every-s 60 --days 7

Fills a store with the past, as old as it says, then writes the present, batch after batch, at a
worker's pace: with nothing removed; at the bound, where as much is removed as is written; while a
lower bound is made true; and at that one. Prints how long a write takes, and how large the file is.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Annotated

import typer

from common.clock import SystemClock
from common.records.verdicts import Level, ScoreRecord, Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.paging import epoch_us
from common.scorestore.port import Keeping, ScoreStore
from common.scorestore.retention import DAY_US, MIB, keep_within
from common.scorestore.sqlite.retention import FILL
from common.settings import ScoreStoreSettings

NOW = datetime(2026, 6, 1, tzinfo=UTC)
CHANNELS = tuple(f"T{number}" for number in range(14))
FILL_ROWS = 10_000


@dataclass(frozen=True)
class Past:
    """What the store holds before the worker writes.

    Attributes:
        assets: How many.
        days: How far back it goes.
        every_s: Time between two readings of an asset.
    """

    assets: int
    days: float
    every_s: float

    @property
    def cycles(self) -> int:
        """Readings of each asset."""
        return int(self.days * 86_400 / self.every_s)

    def moment(self, cycle: int) -> datetime:
        """When a cycle was read; that of the past's end is now."""
        return NOW - timedelta(seconds=(self.cycles - cycle) * self.every_s)

    def rows(self, first: int, last: int) -> Iterator[ScoreRecord]:
        """Yield the verdicts of some cycles, as a fleet's readings come: asset after asset."""
        draw = Random(first)
        shares = dict.fromkeys(CHANNELS, 1 / len(CHANNELS))
        for cycle in range(first, last):
            ts = self.moment(cycle)
            for number in range(self.assets):
                yield ScoreRecord(
                    asset_id=f"pump-{number:05}",
                    run_id="since-overhaul",
                    cycle=cycle + 1,
                    ts=ts,
                    status=Verdict.SCORED,
                    model="pumps@1.0.0",
                    score=draw.random(),
                    warning_threshold=1.25,
                    critical_threshold=2.5,
                    level=Level.NONE,
                    severity=0.5,
                    shares=shares,
                )


def batches(rows: Iterator[ScoreRecord], size: int) -> Iterator[list[ScoreRecord]]:
    """Cut rows into batches."""
    while batch := [row for _, row in zip(range(size), rows, strict=False)]:
        yield batch


async def fill(store: ScoreStore, past: Past, path: Path) -> float:
    """Write the past, and note when it was stored, as a service that ran all the while would."""
    begin = time.perf_counter()
    for batch in batches(past.rows(0, past.cycles), FILL_ROWS):
        await store.write(batch)
    seconds = time.perf_counter() - begin
    with closing(sqlite3.connect(path)) as connection:
        per_day = past.assets * past.cycles / past.days
        connection.executemany(
            "INSERT INTO arrival VALUES (?, ?)",
            (
                (int(per_day * day), epoch_us(NOW - timedelta(days=past.days - day)))
                for day in range(1, int(past.days) + 1)
            ),
        )
        connection.commit()
    return past.assets * past.cycles / seconds


@dataclass
class Present:
    """A worker that writes from now on."""

    store: ScoreStore
    past: Past
    path: Path
    cycle: int

    async def write(self, seconds: float, size: int, pause_s: float) -> dict[str, str]:
        """Write batches for so long, with a pause after each; return what a write took."""
        end = time.perf_counter() + seconds
        took_ms: list[float] = []
        largest = 0
        rows = self.past.rows(self.cycle, self.cycle + 10**9)
        while time.perf_counter() < end:
            batch = [next(rows) for _ in range(size)]
            begin = time.perf_counter()
            await self.store.write(batch)
            took_ms.append((time.perf_counter() - begin) * 1000)
            largest = max(largest, self.path.stat().st_size)
            await asyncio.sleep(pause_s)
        self.cycle += len(took_ms) * size // self.past.assets + 1
        took_ms.sort()
        part = {name: took_ms[int(len(took_ms) * at)] for name, at in (("p50", 0.5), ("p99", 0.99))}
        return {
            "writes": f"{len(took_ms):10,} of {size} rows",
            **{name: f"{value:10.1f} ms" for name, value in part.items()},
            "longest": f"{took_ms[-1]:10.1f} ms",
            "file at most": f"{largest / MIB:10.1f} MiB",
        }


class Simulated(SystemClock):
    """The machine's clock, set to the end of the past."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def now(self) -> datetime:
        """Return the time."""
        return NOW + timedelta(seconds=time.monotonic() - self._begin)


def show(title: str, table: dict[str, str], path: Path) -> None:
    """Print one table, and how large the file is and what is in it."""
    print(f"\n{title}")
    with closing(sqlite3.connect(path)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (rows,) = connection.execute("SELECT sum(n_scored) FROM run").fetchone()
        (oldest,) = connection.execute("SELECT min(ts_us) FROM verdict").fetchone()
    days = (NOW.timestamp() * 1e6 - oldest) / DAY_US
    table |= {
        "rows": f"{rows:10,}, the oldest {days:.1f} days",
        "file": f"{path.stat().st_size / MIB:10.1f} MiB, {free / pages:.0%} of it free",
    }
    for name, value in table.items():
        print(f"  {name:14} {value}")


async def bench(
    path: Path, past: Past, later: Keeping, seconds: float, size: int, pause_s: float
) -> None:
    """Fill; write with nothing removed, at the bound, and while a lower bound is made true."""
    async with open_score_store(ScoreStoreSettings(sqlite_path=path)) as store:
        rate = await fill(store, past, path)
        title = f"{past.days:g} days of {past.assets:,} assets, a reading every {past.every_s:g} s"
        show(title, {"filled at": f"{rate:10,.0f} rows/s"}, path)
        present = Present(store, past, path, past.cycles)
        show("nothing removed", await present.write(seconds, size, pause_s), path)
        bound = int(path.stat().st_size / FILL)  # noqa: ASYNC240 - nothing else runs
        for title, keep in (
            (f"at its bound of {bound / MIB:.1f} MiB", Keeping(None, bound)),
            ("while a lower bound is made true", later),
            ("at the lower bound", later),
        ):
            removing = asyncio.create_task(keep_within(store, keep, 0.5, Simulated()))
            show(title, await present.write(seconds, size, pause_s), path)
            if title.startswith("while"):
                await asyncio.sleep(seconds)
            removing.cancel()


def main(
    assets: Annotated[int, typer.Option(help="How many assets.")] = 1000,
    days: Annotated[float, typer.Option(help="How many days are stored.")] = 90,
    every_s: Annotated[float, typer.Option(help="Time between two readings of an asset.")] = 3600,
    keep_days: Annotated[float, typer.Option(help="The lower bound, by age.")] = 75,
    keep_mib: Annotated[float, typer.Option(help="The lower bound, by size.")] = 600,
    seconds: Annotated[float, typer.Option(help="How long each part writes.")] = 30,
    batch: Annotated[int, typer.Option(help="Rows in one write.")] = 1000,
    pause_ms: Annotated[float, typer.Option(help="Pause after a write.")] = 100,
) -> None:
    """Measure what retention costs a writer on this machine."""
    lower = Keeping(int(keep_days * DAY_US), int(keep_mib * MIB))
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "scores.db"
        past = Past(assets, days, every_s)
        asyncio.run(bench(path, past, lower, seconds, batch, pause_ms / 1000))


if __name__ == "__main__":
    typer.run(main)
