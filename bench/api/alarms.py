"""How long lists of alarms take: 10,000 alarms behind the api's own routes.

    python -m bench.api.alarms                SQLite
    python -m bench.api.alarms postgres       a PostgreSQL server of this machine (`make setup`)

Prints the median and the longest of 15 answers, ms.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace

import httpx
from pydantic import SecretStr

from api.adapters.sql.alarms.store import SqlAlarmStore
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import open_database
from api.app import Adapters, create_app
from bench.support.alarm_history import ALARMS, alerts_of
from bench.support.alerts import batch
from common.settings import AlertHistorySettings, Settings
from tests.support.api import Fakes

BATCH = 500
TRIES = 15
QUESTIONS = (
    "/api/v1/alarms",
    "/api/v1/alarms?standing=true",
    "/api/v1/alarms?shelved=true",
    "/api/v1/alarms?acknowledged=false&level=warning",
    "/api/v1/alarms?state=cleared",
    "/api/v1/alarms?asset_id=asset-00007",
    "/api/v1/alarms?limit=500",
    "/api/v1/anomaly_events",
)


async def measure(url: str) -> None:
    """Fill a database and print how long each question takes."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(
            open_database(AlertHistorySettings(url=SecretStr(url)))
        )
        history, alarms = SqlAlertHistory(engine), SqlAlarmStore(engine)
        began = time.perf_counter()
        for start in range(0, ALARMS, BATCH):
            alerts = [one for number in range(start, start + BATCH) for one in alerts_of(number)]
            await history.store(batch(alerts, next_offset=start))
        print(f"storing {ALARMS} alarms: {time.perf_counter() - began:.1f} s")
        fakes = Fakes()

        async def opened(settings: Settings, inner: AsyncExitStack) -> Adapters:
            return replace(await fakes.opened(settings, inner), history=history, alarms=alarms)

        app = create_app(Settings(), opened)
        await stack.enter_async_context(app.router.lifespan_context(app))
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")
        )
        page = (await client.get("/api/v1/alarms?limit=500")).json()["items"]
        ids = [item["alarm_id"] for item in page]
        began = time.perf_counter()
        answer = await client.post("/api/v1/alarms/acknowledge", json={"alarm_ids": ids})
        assert answer.json()["acknowledged"] == len(ids)
        print(f"acknowledging {len(ids)} at once: {1000 * (time.perf_counter() - began):.0f} ms")
        for alarm_id in ids[:50]:
            await client.post(f"/api/v1/alarms/{alarm_id}/shelve", json={"reason": "measured"})
        for question in QUESTIONS:
            await ask(client, question)


async def ask(client: httpx.AsyncClient, question: str) -> None:
    """Print how long one question takes."""
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        answer = await client.get(question)
        times.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, answer.text
    print(f"{question}: median {statistics.median(times):.1f} ms, longest {max(times):.1f} ms")


if __name__ == "__main__":
    if sys.argv[1:] == ["postgres"]:
        from tests.support.servers.postgres import postgres_server

        with postgres_server() as server:
            asyncio.run(measure(server))
    else:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(f"sqlite+aiosqlite:///{folder}/alerts.db"))
