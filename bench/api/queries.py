"""How long the console's questions take: 1 million scores, 10,000 assets, 10,000 alarms.

``python -m bench.api.queries`` fills two SQLite files (about three minutes), asks the api's own
routes in this process, and prints the median and the 99th percentile of each question, ms, beside
the processor's time for the median one. One asset has a day of readings at 1 Hz, eleven more have
nearly as many, and 10,000 have few. ``--folder F`` keeps the files there, and uses them again.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Annotated

import httpx
import typer
from pydantic import SecretStr

from api.adapters.sql.alarms.store import SqlAlarmStore
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import open_database
from api.app import Adapters, create_app
from api.serve import spare_what_is_loaded
from bench.support.alarm_history import ALARMS, alerts_of
from bench.support.alerts import START, batch
from bench.support.stored_scores import WARM_UP, record_at
from common.records.verdicts import ScoreRecord
from common.scorestore.factory import open_score_store
from common.scorestore.port import ScoreStore
from common.settings import AlertHistorySettings, ScoreStoreSettings, Settings
from tests.support.api import Fakes

DAY_S = 86_400
LONG_RUNS = 12
SCORES = 1_000_000
ASSETS = 10_000
BATCH = 5_000
TRIES = 50
QUESTIONS = (
    "/api/v1/scores/plot?asset_id=long-00",
    "/api/v1/scores/plot?asset_id=long-00&points=5000",
    "/api/v1/scores/plot?asset_id=asset-00007",
    "/api/v1/scores?asset_id=long-00",
    "/api/v1/assets",
    "/api/v1/assets?limit=1000",
    "/api/v1/assets?order=urgency",
    "/api/v1/assets?order=urgency&limit=50",
    "/api/v1/assets?state=not_scored",
    "/api/v1/alarms",
    "/api/v1/alarms/kpis?since=2026-01-01T00:00:00Z&until=2026-12-31T00:00:00Z",
)

app = typer.Typer(add_completion=False)


def records() -> Iterator[ScoreRecord]:
    """Yield scores as they come: long runs reading by reading, with few of many assets between."""
    draw = Random(7)
    few = (SCORES - (LONG_RUNS - 1) * DAY_S) // ASSETS + 1
    written = 0
    for second in range(DAY_S):
        at = [(f"long-{number:02}", second + 1) for number in range(LONG_RUNS - 1)]
        if second < few:
            at += [(f"asset-{number:05}", second + 1) for number in range(ASSETS)]
        for asset_id, cycle in at:
            scored = cycle > WARM_UP or asset_id >= "asset-01000"
            severity = draw.random() ** 2 + (draw.random() < 0.001)
            yield record_at(second, asset_id, cycle, scored=scored, severity=severity)
            written += 1
            if written == SCORES:
                return


async def fill_scores(store: ScoreStore) -> None:
    """Write the scores, unless they are there."""
    if await store.verdict_counts():
        return
    rows: list[ScoreRecord] = []
    for record in records():
        rows.append(record)
        if len(rows) == BATCH:
            await store.write(rows)
            rows = []
    await store.write(rows)


async def fill_alarms(history: SqlAlertHistory) -> None:
    """Store the alarms, unless they are there; every fourth asset has four."""
    if await history.last() is not None:
        return
    for start in range(0, ALARMS, 500):
        alerts = [one for number in range(start, start + 500) for one in alerts_of(number)]
        await history.store(batch(alerts, next_offset=start), START + timedelta(minutes=start))


async def measure(folder: Path) -> None:
    """Fill what is missing, and print how long each question takes."""
    scores_path, alerts_path = folder / "scores.db", folder / "alerts.db"
    async with AsyncExitStack() as stack:
        began = time.perf_counter()
        scores = await stack.enter_async_context(
            open_score_store(ScoreStoreSettings(sqlite_path=scores_path))
        )
        url = SecretStr(f"sqlite+aiosqlite:///{alerts_path}")
        engine = await stack.enter_async_context(open_database(AlertHistorySettings(url=url)))
        history, alarms = SqlAlertHistory(engine), SqlAlarmStore(engine)
        await fill_scores(scores)
        await fill_alarms(history)
        print(f"filled in {time.perf_counter() - began:.0f} s")
        for path in (scores_path, alerts_path):
            print(f"{path.name}: {path.stat().st_size / 1e6:.0f} MB")
        fakes = Fakes()

        async def opened(settings: Settings, inner: AsyncExitStack) -> Adapters:
            found = await fakes.opened(settings, inner)
            return replace(found, scores=scores, history=history, alarms=alarms)

        api = create_app(Settings(), opened)
        await stack.enter_async_context(api.router.lifespan_context(api))
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://localhost")
        )
        print(f"medians of {TRIES} times: by the clock and the processor, ms; the answer, kB")
        print(f"{'wall':>8} {'p99':>8} {'cpu':>8} {'answer':>9}  question")
        spare_what_is_loaded()
        for question in QUESTIONS:
            await ask(client, question)


async def ask(client: httpx.AsyncClient, question: str) -> None:
    """Print how long one question takes."""
    times: list[float] = []
    works: list[float] = []
    size = 0
    for _ in range(TRIES):
        began, worked = time.perf_counter(), time.process_time()
        answer = await client.get(question)
        times.append(1000 * (time.perf_counter() - began))
        works.append(1000 * (time.process_time() - worked))
        assert answer.status_code == 200, answer.text
        size = len(answer.content)
    p99 = sorted(times)[int(0.99 * TRIES) - 1]
    print(
        f"{statistics.median(times):8.1f} {p99:8.1f} {statistics.median(works):8.1f} "
        f"{size / 1000:9.1f}  {question}"
    )


@app.command()
def main(
    folder: Annotated[Path | None, typer.Option(help="Keep the files here.")] = None,
) -> None:
    """Measure."""
    if folder is not None:
        asyncio.run(measure(folder))
        return
    with tempfile.TemporaryDirectory() as made:
        asyncio.run(measure(Path(made)))


if __name__ == "__main__":
    app()
