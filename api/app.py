"""Composition root: puts adapters behind ports, and ports behind routes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import httpx
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import BaseRoute, Mount, Route

from api.access.door import Door
from api.access.guard import Guard
from api.access.ports import AccessStore
from api.adapters.artifact_fleet_catalogue import ArtifactFleetCatalogue, FleetReader
from api.adapters.http_detector_probe import HttpDetectorProbe
from api.adapters.kafka.alert_feed import KafkaAlertFeed
from api.adapters.kafka.evidence_feed import KafkaEvidenceFeed
from api.adapters.kafka.group_probe import KafkaGroupProbe
from api.adapters.kafka.letter_reader import KafkaLetterReader
from api.adapters.process_replay_launcher import ProcessReplayLauncher
from api.adapters.receivers.opening import open_ways
from api.adapters.redis_ring_reader import RedisRingReader
from api.adapters.scoring.process import ProcessScoring
from api.adapters.sql.access import SqlAccessStore
from api.adapters.sql.alarms.store import SqlAlarmStore
from api.adapters.sql.alerts.evidence import SqlEvidenceStore
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import open_database
from api.adapters.sql.outbox.store import SqlOutbox
from api.adapters.sql.replay_records import SqlReplayRecords
from api.adapters.sql.silence import SqlSilenceStore
from api.alarms.desk import AlarmDesk
from api.alarms.ports import AlarmStore
from api.assets import AssetList
from api.console.files import CONSOLE_PATH, console_files
from api.detection.metered import MeteredScoring
from api.detection.ports import Scoring
from api.detection.uploads import Uploads
from api.evidence import EvidenceFeed, EvidenceStore
from api.http import problems
from api.http.bodies import bodies
from api.http.body_gate import BodyGate
from api.http.defects import Defects
from api.http.gate import Gate, ours
from api.http.heads import HeadAsGet
from api.http.openapi import DESCRIPTION, TAGS, describe_problems
from api.http.security_headers import SecurityHeaders
from api.labels import LabelTable
from api.letters import LetterReader
from api.live.arriving import Arriving
from api.live.change_signal import ChangeSignal
from api.live.keeping import keep_within, keeping
from api.live.pages import ActionPages, StreamPages
from api.live.projection import Projection
from api.metrics import ApiMetrics, TimedRequests
from api.notifications.dispatcher import Dispatcher, patience
from api.notifications.ports import Outbox, Way
from api.notifications.receivers import load_receivers
from api.ports import AlertFeed, AlertHistory, DetectorProbe, FleetCatalogue, GroupProbe
from api.readiness import Check, reading_stopped
from api.readings import RingReader
from api.replays.ports import ReplayLauncher, ReplayRecords
from api.replays.running import Replays
from api.routes import system
from api.routes.table import RESOURCES, ROUTES
from api.services import Services
from api.silence.ports import SilenceStore
from api.silence.watch import SilenceWatch
from api.views.alarms.alarms import ActionView
from common.background import running
from common.clock import Clock, SystemClock
from common.scorestore.factory import open_score_store
from common.scorestore.port import ScoreStore
from common.settings import Settings
from models.tracking.resolve import registry_folder


@dataclass(frozen=True, slots=True)
class Adapters:
    """What stands behind the ports of one app."""

    scores: ScoreStore
    history: AlertHistory
    alarms: AlarmStore
    access: AccessStore
    silence: SilenceStore
    feed: AlertFeed
    evidence: EvidenceStore
    evidence_feed: EvidenceFeed
    rings: RingReader
    letters: LetterReader
    detector: DetectorProbe
    group: GroupProbe
    records: ReplayRecords
    launcher: ReplayLauncher
    catalogue: FleetCatalogue
    scoring: Scoring
    clock: Clock
    outbox: Outbox
    ways: Mapping[str, Way]


OpenAdapters = Callable[[Settings, AsyncExitStack], Awaitable[Adapters]]


async def open_adapters(settings: Settings, stack: AsyncExitStack) -> Adapters:
    """Open the real ones; ``stack`` closes them.

    Stores must be there; the broker and the detector may come later, ``/ready`` tells.

    Raises:
        SurgelineError: If a store cannot be opened.
    """
    receivers = load_receivers(settings)
    engine = await stack.enter_async_context(open_database(settings.alerts))
    scores = await stack.enter_async_context(open_score_store(settings.scores))
    client = await stack.enter_async_context(
        httpx.AsyncClient(timeout=settings.api.probe_timeout_s, trust_env=False)
    )
    clock = SystemClock()
    group = KafkaGroupProbe(settings.kafka, settings.detector.group_id, clock)
    stack.push_async_callback(group.close)
    catalogue = ArtifactFleetCatalogue(FleetReader(settings, registry_folder), clock)
    stack.push_async_callback(catalogue.close)
    ways = await stack.enter_async_context(open_ways(receivers, settings.notify, clock))
    scoring = ProcessScoring(settings.api)
    stack.push_async_callback(scoring.close)
    return Adapters(
        scores=scores,
        history=SqlAlertHistory(engine, receivers),
        alarms=SqlAlarmStore(engine),
        access=SqlAccessStore(engine),
        silence=SqlSilenceStore(engine, receivers),
        feed=KafkaAlertFeed(settings.kafka, settings.retention),
        evidence=SqlEvidenceStore(engine),
        evidence_feed=KafkaEvidenceFeed(settings.kafka, settings.retention),
        rings=await stack.enter_async_context(RedisRingReader(settings.redis)),
        letters=KafkaLetterReader(settings.kafka),
        detector=HttpDetectorProbe(client, settings.api.detector_url),
        group=group,
        records=SqlReplayRecords(engine),
        launcher=ProcessReplayLauncher(settings),
        catalogue=catalogue,
        scoring=scoring,
        clock=clock,
        outbox=SqlOutbox(engine),
        ways=ways,
    )


def create_app(settings: Settings, open_them: OpenAdapters = open_adapters) -> FastAPI:
    """Return the api.

    Args:
        settings: All settings.
        open_them: Opens the adapters when the app starts; tests give fakes.
    """
    metrics = ApiMetrics()
    app = FastAPIOffline(
        title="Surgeline",
        version=system.VERSION,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        redoc_url=None,
        routes=[*ROUTES],
        lifespan=partial(_lifespan, settings=settings, open_them=open_them, metrics=metrics),
    )
    app.mount(CONSOLE_PATH, console_files())
    # the last one added is the first to see a request
    app.add_middleware(BodyGate, bodies=bodies(settings.api), routes=routes_of(app))
    app.add_middleware(Door, access=_access, routes=routes_of(app))
    app.add_middleware(Gate, is_ours=ours(settings.api))
    app.add_middleware(Defects)
    app.add_middleware(TimedRequests, metrics=metrics)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HeadAsGet)
    problems.install(app)
    describe_problems(app)
    return app


def routes_of(app: FastAPI) -> list[BaseRoute]:
    """Return every route, of routers too: versions of FastAPI keep them in different ways."""
    own = [route for route in app.routes if isinstance(route, Route | Mount)]
    routed = [route for router in (system.router, *RESOURCES) for route in router.routes]
    return [*own, *routed]


def _access(app: FastAPI) -> tuple[Guard, AccessStore, Clock]:
    services: Services = app.state.services
    return services.guard, services.access, services.clock


@asynccontextmanager
async def _lifespan(
    app: FastAPI, settings: Settings, open_them: OpenAdapters, metrics: ApiMetrics
) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        adapters = await open_them(settings, stack)
        changed = ChangeSignal()
        pages = StreamPages(adapters.history, changed)
        replays = await stack.enter_async_context(
            Replays(
                adapters.records,
                adapters.launcher,
                adapters.clock,
                settings.api.max_concurrent_replays,
                metrics,
            )
        )
        checks = {
            "broker": Check(adapters.feed.ping, needed=True),
            "score_store": Check(adapters.scores.ping, needed=True),
            "alert_history": Check(adapters.history.ping, needed=True),
            "detector": Check(adapters.detector.ping, needed=False),
            "detector_group": Check(adapters.group.ping, needed=False),
        }
        silence = SilenceWatch(
            settings.silence,
            adapters.scores,
            adapters.silence,
            adapters.records,
            adapters.catalogue,
            lambda: reading_stopped(
                checks["detector_group"], checks["detector"], settings.api.probe_timeout_s
            ),
            adapters.clock,
            changed.notify,
            metrics,
        )
        app.state.services = Services(
            settings=settings,
            scores=adapters.scores,
            assets=AssetList(adapters.scores, adapters.alarms),
            history=adapters.history,
            evidence=adapters.evidence,
            rings=adapters.rings,
            labels=LabelTable(settings.data_dir),
            letters=adapters.letters,
            alarms=adapters.alarms,
            access=adapters.access,
            guard=Guard(settings.api, adapters.access, adapters.clock),
            desk=AlarmDesk(adapters.alarms, adapters.clock, changed.notify),
            catalogue=adapters.catalogue,
            scoring=MeteredScoring(adapters.scoring, metrics),
            uploads=Uploads(),
            replays=replays,
            changed=changed,
            pages=pages,
            action_pages=ActionPages(
                adapters.alarms, changed, lambda event: ActionView.of(event).model_dump_json()
            ),
            outbox=adapters.outbox,
            receivers=tuple(adapters.ways),
            metrics=metrics,
            checks=checks,
            silence=silence,
            clock=adapters.clock,
        )
        await adapters.outbox.register(list(adapters.ways), adapters.clock.now())
        clock = adapters.clock
        arriving = Arriving(adapters.history, pages)
        alerts = Projection("alerts", adapters.feed, arriving, metrics.alerts, clock)
        evidence = Projection(
            "evidence", adapters.evidence_feed, adapters.evidence, metrics.evidence, clock
        )
        await stack.enter_async_context(running(alerts.run(), "projection"))
        await stack.enter_async_context(running(evidence.run(), "evidence-projection"))
        if adapters.ways:
            dispatcher = Dispatcher(
                adapters.outbox,
                adapters.ways,
                adapters.catalogue,
                patience(settings.notify),
                changed,
                metrics,
                adapters.clock,
            )
            await stack.enter_async_context(running(dispatcher.run(), "notifications"))
        bounds, every_s = keeping(settings.retention), settings.retention.every_s
        removal = keep_within(adapters.history, adapters.evidence, bounds, every_s, adapters.clock)
        await stack.enter_async_context(running(removal, "alert-retention"))
        await stack.enter_async_context(running(silence.run(), "silence-watch"))
        stack.callback(changed.close)
        yield
