"""How many series a fleet makes in InfluxDB, and what they cost it.

    python -m bench.stores.influx_series --assets 1000,10000,100000
    python -m bench.stores.influx_series --assets 10000 --tag-thousand     as versions before did

Writes some readings of every asset, far apart in cycles as those of a long run are, to a server of
its own (Debian's influxd 1.6.7, default limits), and prints series, memory and how long reads take.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import httpx
import typer

from bench.support.influx import InfluxServer, influx_server
from bench.support.memory import resident_mb
from common.errors import BackendError
from common.records.verdicts import Level, ScoreRecord, Verdict
from common.scorestore.factory import open_score_store
from common.scorestore.influx.lines import verdict_lines
from common.scorestore.port import ScoreQuery, ScoreStore

START = datetime(2026, 1, 1, tzinfo=UTC)
CYCLES_APART = 12_960
"""Ten readings so far apart span 90 days of one a minute."""

BATCH = 5000
CYCLE = re.compile(r" cycle=(\d+)i")


def records(assets: int, readings: int) -> Iterator[ScoreRecord]:
    """Yield verdicts: each asset once, then each once more."""
    for number in range(readings):
        cycle = 1 + number * CYCLES_APART
        for asset in range(assets):
            yield ScoreRecord(
                asset_id=f"pump-{asset:06}",
                run_id="since-overhaul",
                cycle=cycle,
                ts=START + timedelta(minutes=cycle),
                status=Verdict.SCORED,
                model="pumps@1.0.0",
                score=0.5,
                warning_threshold=1.25,
                critical_threshold=2.5,
                level=Level.NONE,
                severity=0.4,
            )


def with_thousand(line: str) -> str:
    """Return a line with the tag that told each thousand cycles of a run apart."""
    found = CYCLE.search(line)
    assert found is not None
    thousand = int(found[1]) // 1000
    return line.replace(" cycle", f",thousand={thousand} cycle", 1) if thousand else line


def write_all(
    server: InfluxServer, bucket: str, assets: int, readings: int, change: Callable[[str], str]
) -> str:
    """Write everything; return rows a second, or what the server said instead."""
    begin = time.perf_counter()
    rows = records(assets, readings)
    with httpx.Client(base_url=server.engine_url, timeout=120) as client:
        while batch := [row for _, row in zip(range(BATCH), rows, strict=False)]:
            lines = "\n".join(map(change, verdict_lines(batch)))
            answer = client.post("/write", params={"db": bucket}, content=lines)
            if not answer.is_success:
                return f"{answer.status_code}: {answer.text.strip()[:120]}"
    return f"{assets * readings / (time.perf_counter() - begin):10,.0f} rows/s"


async def timed(call: Callable[[], Awaitable[object]]) -> str:
    """Return the fastest of three calls, or of one where it takes seconds; ms."""
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        try:
            await call()
        except BackendError as exc:
            return str(exc)[:60]
        best = min(best, time.perf_counter() - begin)
        if best > 3:
            break
    return f"{best * 1000:10.1f} ms"


async def reads(store: ScoreStore, last_day: datetime) -> dict[str, str]:
    """Return how long each kind of read takes."""
    one = "pump-000042"
    return {
        "one asset's page": await timed(lambda: store.query(ScoreQuery(asset_id=one))),
        "one asset's runs": await timed(lambda: store.runs(asset_id=one)),
        "runs of 100 assets": await timed(lambda: store.run_page(100)),
        "last day of all, 100": await timed(
            lambda: store.query(ScoreQuery(limit=100, newest_first=True, since=last_day))
        ),
        "newest 100 of all": await timed(
            lambda: store.query(ScoreQuery(limit=100, newest_first=True))
        ),
        "verdict_counts()": await timed(store.verdict_counts),
    }


def bench(assets: int, readings: int, tag_thousand: bool) -> None:
    """Fill one server and print what it costs."""
    with tempfile.TemporaryDirectory() as name, influx_server(Path(name)) as server:
        settings = server.new_bucket().model_copy(update={"op_timeout_s": 120.0})
        change = with_thousand if tag_thousand else str
        table = {"written at": write_all(server, settings.influx_bucket, assets, readings, change)}
        (series,) = server.ask(settings.influx_bucket, "SHOW SERIES CARDINALITY")
        table |= {
            "series": f"{series:10,}",
            "memory of influxd": f"{resident_mb(server.pid):10,.0f} MB",
        }

        last = START + timedelta(minutes=1 + (readings - 1) * CYCLES_APART)

        async def read() -> dict[str, str]:
            async with open_score_store(settings) as store:
                return await reads(store, last - timedelta(days=1))

        table |= asyncio.run(read())
    print(
        f"\n{assets:,} assets, {readings} readings each{', a tag a thousand cycles' * tag_thousand}"
    )
    for what, value in table.items():
        print(f"  {what:20} {value}")


def main(
    assets: Annotated[str, typer.Option(help="How many assets, several after commas.")] = (
        "1000,10000"
    ),
    readings: Annotated[int, typer.Option(help="Readings of each.")] = 10,
    tag_thousand: Annotated[
        bool, typer.Option("--tag-thousand", help="Tag each thousand cycles of a run.")
    ] = False,
) -> None:
    """Measure series on this machine."""
    for count in assets.split(","):
        bench(int(count), readings, tag_thousand)


if __name__ == "__main__":
    typer.run(main)
