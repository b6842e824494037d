"""Every router of the api, in the order of its description."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from api.routes import (
    access,
    alarm_actions,
    alarms,
    alerts,
    anomaly_events,
    assets,
    machines,
    maintenance,
    replays,
    scores,
    silence,
)

RESOURCES: Final[tuple[APIRouter, ...]] = (
    assets.router,
    scores.router,
    alerts.router,
    alarms.router,
    alarm_actions.router,
    maintenance.router,
    anomaly_events.router,
    machines.router,
    silence.router,
    replays.router,
    access.router,
)
"""What is below ``/api/v1``."""
