"""Every router of the api, in the order of its description."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api.routes import access, alerts, letters, notifications, replays
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
