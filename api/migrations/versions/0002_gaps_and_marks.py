"""Gaps in the history, and what each position's last record was.

Revision: 0002, after: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("feed_positions", sa.Column("mark", sa.String(), nullable=True))
    op.create_table(
        "alert_gaps",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("from_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", "partition", "from_offset", "to_offset"),
    )


def downgrade() -> None:
    op.drop_table("alert_gaps")
    op.drop_column("feed_positions", "mark")
