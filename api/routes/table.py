"""Every router of the api, in the order of its description."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends
from starlette.routing import BaseRoute

from api.http.problems import documented
from api.http.queries import refuse_repeated
from api.routes import access, alerts, letters, notifications, replays, system
from api.routes.alarms import actions, anomaly_events, lists, maintenance
from api.routes.assets import labels, machines, readings, scores, silence, states
from api.routes.scoring import detect, whatif

RESOURCES: Final[tuple[APIRouter, ...]] = (
    states.router,
    labels.router,
    scores.router,
    readings.router,
    alerts.router,
    lists.router,
    actions.router,
    maintenance.router,
    anomaly_events.router,
    machines.router,
    detect.router,
    whatif.router,
    silence.router,
    letters.router,
    replays.router,
    notifications.router,
    access.router,
)
"""What is below ``/api/v1``."""


def _routes() -> tuple[BaseRoute, ...]:
    ours = APIRouter()
    ours.include_router(system.router)
    for router in RESOURCES:
        ours.include_router(
            router,
            dependencies=[Depends(refuse_repeated)],
            responses=documented(403, 422),
        )
    return tuple(ours.routes)


ROUTES: Final[tuple[BaseRoute, ...]] = _routes()
"""All of them, as an app takes them.

What FastAPI works out for each when the first request comes, it keeps with them: it takes 60 ms,
once in a process, however many apps there are.
"""
