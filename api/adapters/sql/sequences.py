"""Counters beside that of alerts, under the same lock (``lock_sequence``).

So numbers have no gaps and become visible in their order, and what an action decides on is what it
changes: no alert comes in between.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from api.adapters.sql.models import SequenceRow

ACTIONS_SEQUENCE: Final = "alarm_events"

_PUT: Final = (
    update(SequenceRow)
    .where(SequenceRow.name == bindparam("counter"))
    .values(value=bindparam("given_out"))
)


async def last_sequence(connection: AsyncConnection, name: str) -> int:
    """Return the last sequence that was given out."""
    found = await connection.execute(select(SequenceRow.value).where(SequenceRow.name == name))
    return found.scalar_one()


async def put_sequence(connection: AsyncConnection, name: str, value: int) -> None:
    """Remember the last sequence that was given out."""
    await connection.execute(_PUT, {"counter": name, "given_out": value})
