"""The fleet of each alert; those before are of the fleet of all who name none.

Revision: 0003, after: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "alerts", sa.Column("fleet", sa.String(), nullable=False, server_default="default")
    )


def downgrade() -> None:
    op.drop_column("alerts", "fleet")
