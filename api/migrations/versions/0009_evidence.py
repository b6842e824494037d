"""What alerts rest on.

The way back takes it away; on the way up again it is read from its topic, as far as that reaches.

Revision: 0009, after: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert_evidence",
        sa.Column("evidence_id", sa.String(), nullable=False),
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("asset_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("cycle", sa.BigInteger(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("evidence_id"),
    )
    op.create_index("alert_evidence_by_alert", "alert_evidence", ["alert_id"])
    op.create_index("alert_evidence_by_run", "alert_evidence", ["asset_id", "run_id", "cycle"])


def downgrade() -> None:
    op.drop_table("alert_evidence")
    op.execute("DELETE FROM feed_positions WHERE source LIKE '%.evidence'")
