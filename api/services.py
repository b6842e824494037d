"""What routes work with: one frozen bundle, made by ``app.py``, handed out per request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.access.guard import Guard
from api.access.ports import AccessStore
from api.alarms.desk import AlarmDesk
from api.alarms.ports import AlarmStore
from api.assets import AssetList
from api.detection.ports import Scoring
from api.detection.uploads import Uploads
from api.evidence import EvidenceStore
from api.labels import LabelTable
from api.letters import LetterReader
from api.live.change_signal import ChangeSignal
from api.live.pages import ActionPages, StreamPages
from api.metrics import ApiMetrics
from api.notifications.ports import Outbox
from api.ports import AlertHistory, FleetCatalogue
from api.readiness import Check
from api.readings import RingReader
from api.replays.running import Replays
from api.silence.watch import SilenceWatch
from common.clock import Clock
from common.scorestore.port import ScoreStore
from common.settings import Settings


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need.

    Attributes:
        settings: The settings of this process.
        scores: Where verdicts are read.
        assets: Lists assets.
        history: Where alerts are read.
        evidence: Where is read what they rest on.
        rings: Where the latest readings are.
        labels: Knows true anomalies of what is replayed.
        letters: Reads dead letters.
        alarms: Where alarms, and what operators did about them, are read.
        desk: Carries out what operators ask for.
        access: Where keys and the audit log are.
        guard: Knows whose a request is.
        catalogue: Which fleets there are, and what their machines report.
        scoring: Asks models.
        uploads: Keeps files that are sent to be scored.
        replays: Replays of this api.
        changed: Told when the history has grown.
        pages: What streams read of alerts.
        action_pages: What streams read of operators' actions.
        outbox: Where notes to receivers of notifications wait.
        receivers: Their names.
        metrics: Counts.
        checks: What ``/ready`` asks.
        silence: Knows which assets are silent, and which fleets hardly scored.
        clock: What time it is.
    """

    settings: Settings
    scores: ScoreStore
    assets: AssetList
    history: AlertHistory
    evidence: EvidenceStore
    rings: RingReader
    labels: LabelTable
    letters: LetterReader
    alarms: AlarmStore
    desk: AlarmDesk
    access: AccessStore
    guard: Guard
    catalogue: FleetCatalogue
    scoring: Scoring
    uploads: Uploads
    replays: Replays
    changed: ChangeSignal
    pages: StreamPages
    action_pages: ActionPages
    outbox: Outbox
    receivers: tuple[str, ...]
    metrics: ApiMetrics
    checks: Mapping[str, Check]
    silence: SilenceWatch
    clock: Clock


def _services(connection: HTTPConnection) -> Services:
    found = connection.app.state.services
    assert isinstance(found, Services)  # noqa: S101 - set by the lifespan
    return found


ServicesDep = Annotated[Services, Depends(_services)]
