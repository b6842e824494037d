"""What figures count of an alarm, beside its other copies: how often it flapped, and its channel.

Filled from the alerts that are there.

Revision: 0010, after: 0009
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOST_FLAPS = 1_000_000


def upgrade() -> None:
    op.add_column("alarms", sa.Column("flaps", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("alarms", sa.Column("channel", sa.String(), nullable=True))
    op.create_index("alarms_by_coming", "alarms", ["arrived_at"])
    _fill(op.get_bind())


def downgrade() -> None:
    op.drop_index("alarms_by_coming", "alarms")
    op.drop_column("alarms", "channel")
    op.drop_column("alarms", "flaps")


def _fill(bind: sa.Connection) -> None:
    """Note the most flaps of each alarm's alerts, and the first channel of its first alert."""
    alerts = sa.text("SELECT alarm_id, body FROM alerts ORDER BY alarm_id, cycle, sequence")
    rows: dict[str, dict[str, Any]] = {}
    for alert in bind.execute(alerts):
        try:
            body = json.loads(alert.body)
            flaps, channels = int(body.get("flaps", 0)), body.get("channels") or ()
            channel = str(channels[0]["name"]).replace("\0", "\ufffd") if channels else None
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
            continue  # a stored alert that cannot be read is left out everywhere
        row = rows.setdefault(
            alert.alarm_id, {"id": alert.alarm_id, "flaps": 0, "channel": channel}
        )
        row["flaps"] = max(row["flaps"], min(flaps, MOST_FLAPS))
    if rows:
        told = sa.text("UPDATE alarms SET flaps = :flaps, channel = :channel WHERE alarm_id = :id")
        bind.execute(told, list(rows.values()))
