"""Which role may call which route. A route that is not in the table is the admins' alone.

A test compares the table with the routes: whoever adds a route says here who may call it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from api.access.roles import Role

Needed: TypeAlias = Role | None
"""None: anybody, without a key."""

ANYBODY: Final = None
_V1: Final = "/api/v1"

ASKING: Final = frozenset(
    f"{_V1}/{name}" for name in ("detect", "detect/batch", "detect/csv", "predict", "whatif")
)
"""Paths that are posted to and change nothing: what is asked is too long for a URL. A viewer may,
since nothing is stored and no alarm raised; how often is limited apart, and the audit log, which is
of changes, does not have them unless they are refused."""

RIGHTS: Final[Mapping[tuple[str, str], Needed]] = {
    ("GET", "/"): ANYBODY,
    ("GET", "/console"): ANYBODY,  # its files hold nothing; what they ask for needs a key
    ("GET", "/health"): ANYBODY,
    ("GET", "/ready"): ANYBODY,
    ("POST", f"{_V1}/login"): ANYBODY,
    ("POST", f"{_V1}/logout"): ANYBODY,
    ("GET", f"{_V1}/session"): ANYBODY,
    ("GET", "/info"): Role.VIEWER,
    ("GET", "/metrics"): Role.VIEWER,
    ("GET", "/docs"): Role.VIEWER,
    ("GET", "/docs/oauth2-redirect"): Role.VIEWER,
    ("GET", "/openapi.json"): Role.VIEWER,
    ("GET", "/static-offline-docs"): Role.VIEWER,
    ("GET", f"{_V1}/assets"): Role.VIEWER,
    ("GET", f"{_V1}/assets/{{asset_id}}/runs"): Role.VIEWER,
    ("GET", f"{_V1}/assets/{{asset_id}}/labels"): Role.VIEWER,
    ("GET", f"{_V1}/scores"): Role.VIEWER,
    ("GET", f"{_V1}/scores/plot"): Role.VIEWER,
    ("GET", f"{_V1}/readings"): Role.VIEWER,
    ("GET", f"{_V1}/alerts"): Role.VIEWER,
    ("GET", f"{_V1}/alerts/stream"): Role.VIEWER,
    ("GET", f"{_V1}/alerts/ws"): Role.VIEWER,
    ("GET", f"{_V1}/alerts/gaps"): Role.VIEWER,
    ("GET", f"{_V1}/alerts/{{alert_id}}"): Role.VIEWER,
    ("GET", f"{_V1}/alerts/{{alert_id}}/evidence"): Role.VIEWER,
    ("GET", f"{_V1}/alarms"): Role.VIEWER,
    ("GET", f"{_V1}/alarms/stream"): Role.VIEWER,
    ("GET", f"{_V1}/alarms/ws"): Role.VIEWER,
    ("GET", f"{_V1}/alarms/kpis"): Role.VIEWER,
    ("GET", f"{_V1}/alarms/{{alarm_id}}"): Role.VIEWER,
    ("POST", f"{_V1}/alarms/acknowledge"): Role.OPERATOR,
    ("POST", f"{_V1}/alarms/{{alarm_id}}/acknowledge"): Role.OPERATOR,
    ("POST", f"{_V1}/alarms/{{alarm_id}}/comment"): Role.OPERATOR,
    ("POST", f"{_V1}/alarms/{{alarm_id}}/shelve"): Role.OPERATOR,
    ("POST", f"{_V1}/alarms/{{alarm_id}}/unshelve"): Role.OPERATOR,
    ("POST", f"{_V1}/alarms/{{alarm_id}}/close"): Role.OPERATOR,
    ("POST", f"{_V1}/alarms/{{alarm_id}}/verdict"): Role.OPERATOR,
    ("GET", f"{_V1}/maintenance"): Role.VIEWER,
    ("POST", f"{_V1}/maintenance"): Role.OPERATOR,  # of a fleet: admin, see the route
    ("GET", f"{_V1}/maintenance/{{maintenance_id}}"): Role.VIEWER,
    ("PATCH", f"{_V1}/maintenance/{{maintenance_id}}"): Role.OPERATOR,
    ("POST", f"{_V1}/maintenance/{{maintenance_id}}/end"): Role.OPERATOR,
    ("GET", f"{_V1}/anomaly_events"): Role.VIEWER,
    ("GET", f"{_V1}/machines"): Role.VIEWER,
    ("GET", f"{_V1}/machines/{{fleet}}"): Role.VIEWER,
    ("GET", f"{_V1}/notifications"): Role.VIEWER,
    ("GET", f"{_V1}/silence"): Role.VIEWER,
    ("GET", f"{_V1}/dead-letters"): Role.OPERATOR,  # reasons quote what came: it may be anything
    ("GET", f"{_V1}/replays"): Role.VIEWER,
    ("POST", f"{_V1}/replays"): Role.OPERATOR,
    ("GET", f"{_V1}/replays/{{replay_id}}"): Role.VIEWER,
    ("DELETE", f"{_V1}/replays/{{replay_id}}"): Role.OPERATOR,
    **{("POST", path): Role.VIEWER for path in ASKING},
    ("GET", f"{_V1}/keys"): Role.ADMIN,
    ("POST", f"{_V1}/keys"): Role.ADMIN,
    ("DELETE", f"{_V1}/keys/{{prefix}}"): Role.ADMIN,
    ("GET", f"{_V1}/audit"): Role.ADMIN,
}
"""By method and path, as the route has it."""

UNKNOWN_PATH: Final = Role.VIEWER
"""Needed to be told that there is no such page: strangers are not told what there is."""


def needed_for(method: str, path: str) -> Needed:
    """Return who may call a route."""
    return RIGHTS.get((method, path), Role.ADMIN)
