"""Removing alerts that are too old or too many, a slice at a time.

`alert_marks` notes now and then which sequence was the last, so that an alert's age is known
whatever its reading's time says. An alarm goes as a whole: what is left of it could not be
understood, and `is_open` of its alerts would speak of a part.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from api.adapters.sql.alarms.copies import forget_alarms
from api.adapters.sql.database import lock_sequence
from api.adapters.sql.models import COUNTER, AlertRow, EvidenceRow, MarkRow, RemovalRow
from api.adapters.sql.upsert import put_rows, upsert
from api.ports import AlertKeeping

MARKS: Final = 100
"""Marks are as far apart as the age is long, divided by this, or an hour."""

HOUR: Final = timedelta(hours=1)


async def trim_slice(
    connection: AsyncConnection, keep: AlertKeeping, now: datetime, most_rows: int
) -> int:
    """Remove at most ``most_rows`` alerts of alarms that are over; return how many."""
    last = await lock_sequence(connection)
    end = 0 if keep.max_rows is None else last - keep.max_rows
    if keep.max_age is not None:
        await _note(connection, last, now, min(HOUR, keep.max_age / MARKS))
        end = max(end, await _expired(connection, now - keep.max_age))
    if end <= 0:
        return 0
    other = aliased(AlertRow)
    is_held = exists().where(
        other.alarm_id == AlertRow.alarm_id, or_(other.is_open, other.sequence > end)
    )
    rows = (
        await connection.execute(
            select(AlertRow.sequence, AlertRow.ts, AlertRow.alarm_id, AlertRow.alert_id)
            .where(AlertRow.sequence <= end, ~is_held)
            .order_by(AlertRow.sequence)
            .limit(most_rows)
        )
    ).all()
    if rows:
        gone = [row.sequence for row in rows]
        await connection.execute(delete(AlertRow).where(AlertRow.sequence.in_(gone)))
        ids = [row.alert_id for row in rows]
        await connection.execute(delete(EvidenceRow).where(EvidenceRow.alert_id.in_(ids)))
        await forget_alarms(connection, {row.alarm_id for row in rows})
        await _remember(connection, max(row.ts for row in rows))
    return len(rows)


async def read_removed_until(connection: AsyncConnection) -> datetime | None:
    """Return the time of the latest reading whose alert was removed."""
    found = await connection.execute(select(RemovalRow.until).where(RemovalRow.name == COUNTER))
    return found.scalar_one_or_none()


async def _note(connection: AsyncConnection, last: int, now: datetime, apart: timedelta) -> None:
    newest = (
        await connection.execute(select(MarkRow).order_by(MarkRow.sequence.desc()).limit(1))
    ).one_or_none()
    if last and (newest is None or (newest.sequence < last and newest.noted_at <= now - apart)):
        statement = upsert(connection)(MarkRow).values(sequence=last, noted_at=now)
        await connection.execute(statement.on_conflict_do_nothing())


async def _expired(connection: AsyncConnection, before: datetime) -> int:
    """Return the highest sequence that was given out so long ago; forget the marks below it."""
    found = await connection.execute(
        select(func.max(MarkRow.sequence)).where(MarkRow.noted_at <= before)
    )
    expired = found.scalar_one() or 0
    await connection.execute(delete(MarkRow).where(MarkRow.sequence < expired))
    return expired


async def _remember(connection: AsyncConnection, until: datetime) -> None:
    before = await read_removed_until(connection)
    latest = until if before is None else max(before, until)
    await put_rows(connection, RemovalRow, [{"name": COUNTER, "until": latest}])
