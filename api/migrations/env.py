"""Alembic's entry: migrates over the connection that ``adapters/sql/database.py`` hands in.

A test compares the migrated schema with the models and names what a new revision must bring.
"""

from __future__ import annotations

from alembic import context

from api.adapters.sql.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite cannot alter most things in place
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
