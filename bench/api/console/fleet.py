"""A fleet for the console to show: machines, their scores, and alarms in all their states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

import httpx
from pydantic import SecretStr

from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import open_database
from bench.support.alerts import batch, make_alert
from common.machines.turbofan import SENSOR_NAMES
from common.records.alerts import Alert, Transition
from common.records.verdicts import Level, ScoreRecord, Verdict
from common.scorestore.factory import open_score_store
from common.settings import AlertHistorySettings, ScoreStoreSettings

CHANNELS: Final = SENSOR_NAMES[:14]
AT_ONCE: Final = 500
"""Alarms of one stored batch, and of one bulk acknowledgement."""

OLDER_CYCLES: Final = 40
"""Readings of a machine's older run, where it has one; the rest are of its latest."""

WARM_UP: Final = 9
WARNING: Final = 1.25
CRITICAL: Final = 2.5

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the stores are to hold.

    Attributes:
        assets: How many machines.
        alarms: How many alarms. Three in five are of older runs, and cleared.
        scores: How many verdicts, spread evenly over the machines.
        now: When the last reading was.
    """

    assets: int
    alarms: int
    scores: int
    now: datetime

    @property
    def cycles(self) -> int:
        """Readings of each machine."""
        return max(1, self.scores // self.assets)

    def asset(self, number: int) -> str:
        """Return a machine's name."""
        return f"FD001-test-{number % self.assets:05}"

    def runs(self) -> tuple[tuple[str, int], ...]:
        """Return the runs of each machine, the latest last, each with its readings."""
        older = min(OLDER_CYCLES, self.cycles // 2)
        return (("overhaul-1", older), ("overhaul-2", self.cycles - older))

    def records(self, first: int, last: int) -> Iterator[ScoreRecord]:
        """Yield the verdicts of some machines, one after the other."""
        for number in range(first, min(last, self.assets)):
            draw = Random(number)
            worst = draw.choice((0.4, 0.7, 0.9, 1.3, 2.6))
            shares = {name: draw.random() / 7 for name in CHANNELS}
            ts = self.now - timedelta(minutes=self.cycles)
            for run_id, cycles in self.runs():
                for cycle in range(1, cycles + 1):
                    ts += timedelta(minutes=1)
                    severity = worst * (0.3 + 0.7 * cycle / cycles) * (0.9 + 0.2 * draw.random())
                    yield _verdict(self.asset(number), run_id, cycle, ts, severity, shares)

    def alerts(self, number: int) -> list[Alert]:
        """Return what was said of one alarm: raised, in a third escalated, in most cleared."""
        latest = number % 5 < 2
        run_id, cycles = self.runs()[1 if latest else 0]
        onset = max(1, cycles - 12)
        asset_id = self.asset(number if latest else number * 7)
        said = [(onset + 2, Transition.RAISED, Level.WARNING)]
        if number % 3 == 0:
            said.append((onset + 5, Transition.ESCALATED, Level.CRITICAL))
        if not latest or number % 20 == 0:
            said.append((onset + 9, Transition.CLEARED, Level.WARNING))
        return [
            make_alert(
                cycle,
                asset_id=asset_id,
                run_id=run_id,
                state=state,
                level=Level.CRITICAL if level is Level.CRITICAL else Level.WARNING,
                # alarms of one run differ by their onset
                onset_cycle=onset,
            ).model_copy(update={"ts": self.now - timedelta(minutes=60 - cycle % 60)})
            for cycle, state, level in said
        ]


def _verdict(
    asset_id: str, run_id: str, cycle: int, ts: datetime, severity: float, shares: dict[str, float]
) -> ScoreRecord:
    scored = cycle > WARM_UP
    level = Level.NONE if severity < 1 else Level.WARNING if severity < 2 else Level.CRITICAL
    return ScoreRecord(
        asset_id=asset_id,
        run_id=run_id,
        cycle=cycle,
        ts=ts,
        status=Verdict.SCORED if scored else Verdict.WARMING_UP,
        model="fd001@1.0.0",
        score=severity * WARNING if scored else None,
        warning_threshold=WARNING if scored else None,
        critical_threshold=CRITICAL if scored else None,
        level=level if scored else Level.NONE,
        severity=severity if scored else None,
        shares=shares if scored else {},
        detail="" if scored else f"{cycle} of {WARM_UP + 1} cycles",
    )


async def fill(fleet: Fleet, folder: Path, stored: Progress, raised: Progress) -> None:
    """Fill the stores of an api in ``folder`` through their own code."""
    alerts_url = SecretStr(f"sqlite+aiosqlite:///{folder}/alerts.db")
    async with AsyncExitStack() as stack:
        settings = ScoreStoreSettings(sqlite_path=folder / "scores.db")
        scores = await stack.enter_async_context(open_score_store(settings))
        engine = await stack.enter_async_context(
            open_database(AlertHistorySettings(url=alerts_url))
        )
        history = SqlAlertHistory(engine)
        at_once = max(1, 10_000 // fleet.cycles)
        for first in range(0, fleet.assets, at_once):
            records = list(fleet.records(first, first + at_once))
            await scores.write(records)
            stored(len(records))
        for first in range(0, fleet.alarms, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, fleet.alarms))
            alerts = [one for number in numbers for one in fleet.alerts(number)]
            await history.store(batch(alerts, next_offset=first + AT_ONCE))
            raised(len(numbers))


def act(url: str) -> None:
    """Do what operators do: acknowledge many, shelve some, judge one."""
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        page = _json(client.get("/alarms", params={"limit": AT_ONCE}))
        ids = [item["alarm_id"] for item in page["items"]]
        _json(client.post("/alarms/acknowledge", json={"alarm_ids": ids[::3], "note": "seen"}))
        for alarm_id in ids[1:60:3]:
            _json(client.post(f"/alarms/{alarm_id}/shelve", json={"reason": "parts are ordered"}))


def acknowledge_one(url: str) -> None:
    """Acknowledge the most urgent alarm that nobody has seen."""
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        page = _json(client.get("/alarms", params={"acknowledged": "false", "limit": 1}))
        ids = [item["alarm_id"] for item in page["items"]]
        _json(client.post("/alarms/acknowledge", json={"alarm_ids": ids, "note": "seen"}))


def _json(answer: httpx.Response) -> dict[str, list[dict[str, str]]]:
    assert answer.is_success, answer.text
    found: dict[str, list[dict[str, str]]] = answer.json()
    return found


def new_fleet(assets: int, alarms: int, scores: int) -> Fleet:
    """Return a fleet whose last reading was just now."""
    return Fleet(assets, alarms, scores, datetime.now(UTC))
