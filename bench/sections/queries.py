"""(f) The console's questions to a real api, as its score store grows to ten million verdicts."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Final

import httpx
from pydantic import SecretStr

from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import open_database
from bench.suite.failures import MeasurementError
from bench.suite.figures import Findings
from bench.suite.section import Context, Section
from bench.support.alarm_history import ALARMS, alerts_of
from bench.support.alerts import START, batch
from bench.support.api import alerts_url, api_running
from bench.support.installation import Installation
from bench.support.memory import cpu_seconds, resident_mb
from bench.support.stage import servers
from bench.support.stored_scores import multiply, write_base
from common.settings import AlertHistorySettings

BASE: Final = 100_000
TIMES: Final = (1, 10, 100)
QUICK_BASE: Final = 4_000
QUICK_TIMES: Final = (1, 5)
TRIES: Final = 10
QUICK_TRIES: Final = 3
AT_ONCE: Final = 500

YEAR: Final = "since=2026-01-01T00:00:00Z&until=2026-12-31T00:00:00Z"
QUESTIONS: Final = {
    "plot of a day at 1 Hz": "/api/v1/scores/plot?asset_id=long",
    "page of scores of an asset": "/api/v1/scores?asset_id=long",
    "page of a thousand assets": "/api/v1/assets?limit=1000",
    "first page of assets": "/api/v1/assets",
    "assets by urgency": "/api/v1/assets?order=urgency&limit=50",
    "assets not scored": "/api/v1/assets?state=not_scored",
    "first page of alarms": "/api/v1/alarms",
    "figures of alarms": f"/api/v1/alarms/kpis?{YEAR}",
}


def run(context: Context) -> Findings:
    """Measure."""
    return asyncio.run(_run(context))


async def _run(context: Context) -> Findings:
    found = Findings()
    base, times = (QUICK_BASE, QUICK_TIMES) if context.quick else (BASE, TIMES)
    with servers() as running:
        place = running.installation()
        path = place.scores.sqlite_path
        context.tell("filling")
        await write_base(path, base)
        await fill_alarms(place, ALARMS // (20 if context.quick else 1))
        for number in times:
            context.tell(f"{base * number:,} verdicts")
            begin = time.perf_counter()
            rows = multiply(path, number)
            found.notes.append(
                f"{rows:,} verdicts: {path.stat().st_size / 1e6:,.0f} MB, made in "
                f"{time.perf_counter() - begin:.0f} s"
            )
            with api_running(place) as api:
                for name, question in QUESTIONS.items():
                    tries = QUICK_TRIES if context.quick else TRIES
                    took, worked = ask(api.url, api.pid, question, tries)
                    found.add(f"{rows:,} verdicts: {name}", "ms", *took)
                    if worked:
                        found.add(f"{rows:,} verdicts: {name}, processor", "ms", worked)
                found.add(f"{rows:,} verdicts: memory of the api", "MB", resident_mb(api.pid))
    return found


async def fill_alarms(place: Installation, alarms: int) -> None:
    """Store alarms."""
    settings = AlertHistorySettings(url=SecretStr(alerts_url(place)))
    async with open_database(settings) as engine:
        history = SqlAlertHistory(engine)
        for start in range(0, alarms, AT_ONCE):
            numbers = range(start, min(alarms, start + AT_ONCE))
            alerts = [one for number in numbers for one in alerts_of(number)]
            await history.store(batch(alerts, next_offset=start), START + timedelta(minutes=start))


def ask(url: str, pid: int, question: str, tries: int) -> tuple[list[float], float]:
    """Return how long a question takes, each time, and the api's processor time for one, ms.

    Raises:
        MeasurementError: If the answer is no answer.
    """
    took: list[float] = []
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        client.get(question)
        worked = cpu_seconds(pid)
        for _ in range(tries):
            begin = time.perf_counter()
            answer = client.get(question)
            took.append(1000 * (time.perf_counter() - begin))
            if answer.status_code != 200 or len(answer.content) < 2:
                raise MeasurementError(
                    f"{question} was answered {answer.status_code}: {answer.text[:200]}"
                )
    return took, 1000 * (cpu_seconds(pid) - worked) / tries


SECTION: Final = Section(
    "queries",
    "The api's answers as the score store grows",
    "the console's questions at 100,000, a million and ten million verdicts, 10,000 alarms",
    lambda context: 1 + len(QUICK_TIMES if context.quick else TIMES),
    run,
)
