"""How the api is: alive, ready, what it is, what it has counted."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.console.files import console_page
from api.readiness import ask
from api.routes.assets.silence import silence_notes
from api.services import Services, ServicesDep
from api.views.notifications import notes_of
from api.views.system import Health, Info, Landing, Readiness
from common.errors import BackendError
from common.redaction import without_credentials
from common.settings import Settings

VERSION: Final = version("surgeline")

router = APIRouter(tags=["system"])


@router.get("/", include_in_schema=False, response_model=None)
async def landing(request: Request) -> Response | Landing:
    """Show the console to browsers, and say where to go to all others."""
    if "text/html" in request.headers.get("accept", ""):
        return console_page()
    return Landing(
        version=VERSION,
        links={
            "console": "/console/index.html",
            "documentation": "/docs",
            "assets": "/api/v1/assets",
            "scores": "/api/v1/scores",
            "alerts": "/api/v1/alerts",
            "live alerts": "/api/v1/alerts/stream",
            "alarms": "/api/v1/alarms",
            "live alarms and actions": "/api/v1/alarms/stream",
            "maintenance": "/api/v1/maintenance",
            "anomaly events": "/api/v1/anomaly_events",
            "machines": "/api/v1/machines",
            "notifications": "/api/v1/notifications",
            "silence": "/api/v1/silence",
            "replays": "/api/v1/replays",
            "ready": "/ready",
            "metrics": "/metrics",
        },
    )


@router.get("/health", summary="Is the process alive?")
async def health() -> Health:
    """Answer at once, whatever the dependencies do. For liveness probes."""
    return Health()


@router.get(
    "/ready",
    summary="Can requests be served?",
    responses={503: {"model": Readiness, "description": "Something needed is down."}},
)
async def ready(services: ServicesDep, response: Response) -> Readiness:
    """Ask each dependency. 503 if one is down that the api needs, and `error` says why.

    The detector is asked too, but not needed: what is stored can be read without it, and then more
    than ever. It shows as `degraded`. `detector` is one worker's own word; `detector_group` is what
    the broker says of all workers: whether every partition is read, and none stands still.
    """
    timeout_s = services.settings.api.probe_timeout_s
    found = await ask(services.checks, services.clock, timeout_s)
    if found.status == "not_ready":
        response.status_code = 503
        return found
    return found.model_copy(update={"notes": await _notes(services)})


async def _notes(services: Services) -> list[str]:
    return [*await _gap_notes(services), *silence_notes(services)]


async def _gap_notes(services: Services) -> list[str]:
    try:
        async with asyncio.timeout(services.settings.api.probe_timeout_s):
            gaps = await services.history.gaps()
            standings = await services.outbox.standings() if services.receivers else []
    except (BackendError, TimeoutError):
        return []  # it answered a moment ago; the next question will tell
    told = notes_of(standings, services.clock.now())
    if not gaps:
        return told
    count = sum(gap.offsets.to_offset - gap.offsets.from_offset for gap in gaps)
    return [
        *told,
        f"Up to {count} alerts expired from the topic before they were read. "
        "GET /api/v1/alerts/gaps lists where.",
    ]


@router.get("/info", summary="What is running here?")
async def info(services: ServicesDep) -> Info:
    """Return version, artifact and settings. Secrets are masked."""
    return Info(
        version=VERSION,
        artifact=services.settings.detector.artifact,
        settings=shown_settings(services.settings),
    )


@router.get("/metrics", include_in_schema=False)
async def metrics(services: ServicesDep) -> Response:
    """Return the counts in Prometheus' text format."""
    return Response(
        generate_latest(services.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
    )


def shown_settings(settings: Settings) -> dict[str, object]:
    """Return the settings as JSON values, without secrets, nor names and passwords in URLs."""
    masked = _without_user_info(settings.model_dump(mode="json"))
    assert isinstance(masked, dict)  # noqa: S101 - a model dumps to a dictionary
    return masked


def _without_user_info(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_user_info(item) for name, item in value.items()}
    return without_credentials(value) if isinstance(value, str) else value
