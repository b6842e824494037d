"""The api over fakes: an app whose every dependency is in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.adapters.memory.access import MemoryAccessStore
from api.adapters.memory.alarms import MemoryAlarmStore
from api.adapters.memory.alerts import MemoryAlertHistory, MemoryFeed
from api.adapters.memory.evidence import MemoryEvidenceStore
from api.adapters.memory.letters import MemoryLetterReader
from api.adapters.memory.outbox import MemoryOutbox
from api.adapters.memory.replays import (
    MemoryFleetCatalogue,
    MemoryProbe,
    MemoryReplayLauncher,
    MemoryReplayRecords,
)
from api.adapters.memory.rings import MemoryRingReader
from api.adapters.memory.scoring import MemoryScoring
from api.adapters.memory.silence import MemorySilenceStore
from api.alarms.ports import AlarmStore
from api.app import Adapters, create_app
from api.evidence import EvidenceStore, WireEvidence
from api.notifications.ports import Way
from api.notifications.receivers import Receiver
from api.ports import WireAlert
from api.routes import system
from api.routes.table import RESOURCES
from api.services import Services
from api.silence.ports import SilenceStore
from common.clock import Clock, SystemClock
from common.records.verdicts import Level, ScoreRecord, Verdict
from common.scorestore.memory import MemoryScoreStore
from common.settings import ApiSettings, NotifySettings, Settings
from tests.support.alerts import START

NOWHERE: Final = Path("/nonexistent/data")
"""A folder of data that is not there."""


@dataclass(slots=True)
class Fakes:
    """What stands behind the app."""

    scores: MemoryScoreStore = field(default_factory=MemoryScoreStore)
    history: MemoryAlertHistory = field(default_factory=MemoryAlertHistory)
    feed: MemoryFeed[WireAlert] = field(default_factory=MemoryFeed)
    evidence: EvidenceStore = field(init=False)
    evidence_feed: MemoryFeed[WireEvidence] = field(default_factory=MemoryFeed)
    rings: MemoryRingReader = field(default_factory=MemoryRingReader)
    letters: MemoryLetterReader = field(default_factory=MemoryLetterReader)
    detector: MemoryProbe = field(default_factory=MemoryProbe)
    group: MemoryProbe = field(default_factory=MemoryProbe)
    records: MemoryReplayRecords = field(default_factory=MemoryReplayRecords)
    launcher: MemoryReplayLauncher = field(default_factory=MemoryReplayLauncher)

    catalogue: MemoryFleetCatalogue = field(default_factory=MemoryFleetCatalogue)
    scoring: MemoryScoring = field(default_factory=MemoryScoring)
    alarms: AlarmStore = field(init=False)
    silence: SilenceStore = field(init=False)
    access: MemoryAccessStore = field(default_factory=MemoryAccessStore)
    clock: Clock = field(default_factory=SystemClock)
    receivers: tuple[Receiver, ...] = ()
    ways: Mapping[str, Way] = field(default_factory=dict)
    outbox: MemoryOutbox = field(init=False)

    def __post_init__(self) -> None:
        """Put the alarms, and the outbox, beside the alerts."""
        self.alarms = MemoryAlarmStore(self.history)
        self.outbox = MemoryOutbox(self.history, self.alarms, self.receivers)
        self.silence = MemorySilenceStore(self.history)
        self.evidence = MemoryEvidenceStore(self.history)

    async def opened(self, _settings: Settings, stack: AsyncExitStack) -> Adapters:
        """Hand the fakes to the app."""
        await stack.enter_async_context(self.scores)
        return Adapters(
            scores=self.scores,
            history=self.history,
            alarms=self.alarms,
            access=self.access,
            silence=self.silence,
            feed=self.feed,
            evidence=self.evidence,
            evidence_feed=self.evidence_feed,
            rings=self.rings,
            letters=self.letters,
            detector=self.detector,
            group=self.group,
            records=self.records,
            launcher=self.launcher,
            catalogue=self.catalogue,
            scoring=self.scoring,
            clock=self.clock,
            outbox=self.outbox,
            ways=self.ways,
        )


@dataclass(frozen=True, slots=True)
class Running:
    """A started app, its fakes and a client."""

    app: FastAPI
    fakes: Fakes
    client: httpx.AsyncClient

    @property
    def services(self) -> Services:
        """What the app's routes work with."""
        found = self.app.state.services
        assert isinstance(found, Services)
        return found


@asynccontextmanager
async def running(
    fakes: Fakes | None = None,
    settings: ApiSettings | None = None,
    notify: NotifySettings | None = None,
    data_dir: Path = NOWHERE,
) -> AsyncIterator[Running]:
    """Start an app over fakes; stop it at the end."""
    used = fakes or Fakes()
    app = create_app(
        Settings(
            api=settings or ApiSettings(), notify=notify or NotifySettings(), data_dir=data_dir
        ),
        used.opened,
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield Running(app, used, client)


def api_routes() -> list[APIRoute]:
    """Return every route of ours."""
    routers = [system.router, *RESOURCES]
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


ROUNDS: Final = 200
"""Of the event loop: by then all that only computes is done."""


async def eventually(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Let the event loop work until ``condition`` holds.

    What takes longer than some rounds waits for something outside: it is not asked all the time.
    """
    rounds = 0
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0 if rounds < ROUNDS else 0.001)
            rounds += 1


def score(
    cycle: int,
    *,
    asset_id: str = "a",
    run_id: str = "run-1",
    level: Level = Level.NONE,
    status: Verdict = Verdict.SCORED,
) -> ScoreRecord:
    """Return a verdict whose time is its cycle, in seconds after the start."""
    scored = status is Verdict.SCORED
    return ScoreRecord(
        asset_id=asset_id,
        run_id=run_id,
        cycle=cycle,
        ts=START + timedelta(seconds=cycle),
        status=status,
        model="fd001@1",
        score=cycle / 10 if scored else None,
        warning_threshold=0.5 if scored else None,
        critical_threshold=0.8 if scored else None,
        level=level,
        shares={"T50": 0.75, "Ps30": 0.25} if scored else {},
        detail="" if scored else "12 of 30 cycles",
    )


def utc(text: str) -> datetime:
    """Return the moment of RFC 3339 text."""
    return datetime.fromisoformat(text).astimezone(UTC)


def stream_events(text: str) -> list[dict[str, str]]:
    """Return the events of a finished stream, each as its fields; comments as ``comment``."""
    return [
        {
            name or "comment": value.removeprefix(" ")
            for name, _, value in (line.partition(":") for line in block.split("\r\n"))
        }
        for block in text.split("\r\n\r\n")
        if block
    ]
