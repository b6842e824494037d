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
    detect,
    machines,
    maintenance,
    notifications,
    readings,
    replays,
    scores,
    silence,
    whatif,
)

RESOURCES: Final[tuple[APIRouter, ...]] = (
    assets.router,
    scores.router,
    readings.router,
    alerts.router,
    alarms.router,
    alarm_actions.router,
    maintenance.router,
    anomaly_events.router,
    machines.router,
    detect.router,
    whatif.router,
    silence.router,
    replays.router,
    notifications.router,
    access.router,
)
"""What is below ``/api/v1``."""
