"""Alarms, the log of what operators do about them, shelves and maintenance windows.

The alarms of the alerts that are there are made from them, all unacknowledged; when they arrived
nobody knows. The way back takes the log away: what operators did is lost then.

Revision: 0005, after: 0004
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQLITE_GUARD = """
CREATE TRIGGER alarm_events_no_{name} BEFORE {name} ON alarm_events
BEGIN SELECT RAISE(ABORT, 'alarm_events is append-only'); END
"""
POSTGRESQL_GUARD = (
    """
CREATE FUNCTION alarm_events_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'alarm_events is append-only'; END $$
""",
    """
CREATE TRIGGER alarm_events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON alarm_events
FOR EACH STATEMENT EXECUTE FUNCTION alarm_events_is_append_only()
""",
)


def upgrade() -> None:
    _make_tables()
    bind = op.get_bind()
    counter = sa.table("alert_sequence", sa.column("name"), sa.column("value"))
    op.bulk_insert(counter, [{"name": "alarm_events", "value": 0}])
    if bind.dialect.name == "postgresql":
        for statement in POSTGRESQL_GUARD:
            op.execute(statement)
    else:
        for name in ("UPDATE", "DELETE"):
            op.execute(SQLITE_GUARD.format(name=name))
    _fill_alarms(bind)


def downgrade() -> None:
    op.drop_table("maintenance_windows")
    op.drop_table("alarm_shelves")
    op.drop_table("alarm_events")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION alarm_events_is_append_only()")
    op.drop_table("alarms")
    op.execute("DELETE FROM alert_sequence WHERE name = 'alarm_events'")


def _make_tables() -> None:
    op.create_table(
        "alarms",
        sa.Column("alarm_id", sa.String(), nullable=False),
        sa.Column("asset_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("fleet", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("level_rank", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("acknowledged", sa.Boolean(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("severity", sa.Float(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("alarm_id"),
    )
    op.create_index("alarms_by_urgency", "alarms", ["rank", "severity", "sequence"])
    op.create_index("alarms_by_arrival", "alarms", ["sequence"])
    op.create_index("alarms_by_asset", "alarms", ["asset_id", "rank"])
    op.create_table(
        "alarm_events",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("alarm_id", sa.String(), nullable=True),
        sa.Column("asset_id", sa.String(), nullable=True),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("fleet", sa.String(), nullable=True),
        sa.Column("window_id", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
    for name in ("alarm", "asset", "window"):
        op.create_index(f"alarm_events_by_{name}", "alarm_events", [f"{name}_id", "sequence"])
    op.create_index(
        "alarm_events_by_request", "alarm_events", ["alarm_id", "request_id"], unique=True
    )
    op.create_table(
        "alarm_shelves",
        sa.Column("asset_id", sa.String(), nullable=False),
        sa.Column("alarm_id", sa.String(), nullable=False),
        sa.Column("level_rank", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_on_recovery", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("asset_id"),
    )
    op.create_table(
        "maintenance_windows",
        sa.Column("window_id", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("window_id"),
        sa.UniqueConstraint("sequence"),
    )
    op.create_index("maintenance_windows_by_end", "maintenance_windows", ["ends_at"])


def _fill_alarms(bind: sa.Connection) -> None:
    """Make each alarm's row from its alerts, as the api does when an alert arrives."""
    alerts = sa.text(
        "SELECT alarm_id, asset_id, run_id, fleet, level, state, cycle, sequence, body FROM alerts"
        " ORDER BY alarm_id, cycle, sequence"
    )
    rows: dict[str, dict[str, Any]] = {}
    for alert in bind.execute(alerts):
        try:
            severity = _severity(json.loads(alert.body))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # a stored alert that cannot be read is left out everywhere
        row = rows.setdefault(
            alert.alarm_id,
            {
                "alarm_id": alert.alarm_id,
                "asset_id": alert.asset_id,
                "run_id": alert.run_id,
                "fleet": alert.fleet,
                "level": "warning",
                "acknowledged": False,
                "severity": -severity,
                "sequence": alert.sequence,
                "arrived_at": None,
            },
        )
        if alert.level == "critical":
            row["level"] = "critical"
        row["is_active"] = alert.state != "cleared"
        row["severity"] = min(row["severity"], -severity)
        row["sequence"] = min(row["sequence"], alert.sequence)
    for row in rows.values():
        row["state"] = "active" if row["is_active"] else "cleared"
        row["standing"] = True
        row["level_rank"] = 2 if row["level"] == "critical" else 1
        row["rank"] = 2 * (2 - row["level_rank"])
    if rows:
        names = list(next(iter(rows.values())))
        table = sa.table("alarms", *(sa.column(name) for name in names))
        bind.execute(table.insert(), list(rows.values()))


def _severity(alert: dict[str, Any]) -> float:
    severity = alert.get("severity")
    if severity is None:
        threshold = float(alert["threshold"])
        severity = float(alert["score"]) / threshold if threshold > 0 else 0.0
    return float(severity)
