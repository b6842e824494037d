"""Rows that may be there already: both databases know what to do on a conflict."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from api.adapters.sql.models import Base


def upsert(connection: AsyncConnection) -> Any:
    """Return the dialect's ``insert``, which may say what to do on a conflict."""
    return postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert


async def put_rows(
    connection: AsyncConnection,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    kept: Collection[str] = (),
) -> None:
    """Write rows, each in place of the one with its primary key.

    Args:
        connection: A transaction.
        table: Which one.
        rows: At least one, all with the same columns.
        kept: Columns that stay as they are in a row that is there.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: If the database fails.
    """
    changed = frozenset(rows[0]) - frozenset(kept)
    await connection.execute(_statement(upsert(connection), table, changed), list(rows))


@lru_cache(maxsize=100)
def _statement(insert: Any, table: type[Base], changed: frozenset[str]) -> Any:
    """Return the statement; making it takes longer than the database needs to carry it out."""
    keys = [column.name for column in table.__table__.primary_key]
    statement = insert(table)
    values = {name: statement.excluded[name] for name in sorted(changed) if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=values)
