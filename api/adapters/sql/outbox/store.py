"""The outbox of notifications in SQLite or PostgreSQL; ``filling.py`` fills it.

Notes are taken with one statement, so that two processes never take the same: SQLite has one writer
at a time, and PostgreSQL passes over rows that another has locked. A note that is taken is due when
its lease ends, so looking for what is due finds what a dead process has left, too.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import case, delete, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.adapters.sql.database import our_errors
from api.adapters.sql.models import NoteRow, ReceiverRow
from api.adapters.sql.upsert import upsert
from api.notifications.ports import Note, Settled, Standing
from api.notifications.rules import NoteState

_WAITS = NoteRow.state == NoteState.WAITING.value


class SqlOutbox:
    """Keeps notes in the database of ``open_database``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def register(self, receivers: Sequence[str], now: datetime) -> None:
        """Note when receivers were first seen; those that are known stay as they are."""
        if not receivers:
            return
        with our_errors("note receivers"):
            async with self._engine.begin() as connection:
                await connection.execute(
                    upsert(connection)(ReceiverRow).on_conflict_do_nothing(),
                    [{"name": name, "since": now} for name in receivers],
                )

    async def claim(
        self, receiver: str, most: int, now: datetime, lease: timedelta
    ) -> Sequence[Note]:
        """Take waiting notes that are due, the oldest alerts first."""
        ours = str(uuid.uuid4())
        due = (
            select(NoteRow.alert_id)
            .where(NoteRow.receiver == receiver, _WAITS, NoteRow.due_at <= now)
            .order_by(NoteRow.sequence)
            .limit(most)
            .with_for_update(skip_locked=True)
            .cte("due")  # looked for once, whatever the plan of the update is
        )
        taken = (
            update(NoteRow)
            .where(NoteRow.receiver == receiver, NoteRow.alert_id.in_(select(due.c.alert_id)))
            .values(lease=ours, due_at=now + lease, attempts=NoteRow.attempts + 1)
            .returning(
                NoteRow.sequence, NoteRow.alert_id, NoteRow.body, NoteRow.noted_at, NoteRow.attempts
            )
        )
        with our_errors("hand out notes"):
            async with self._engine.begin() as connection:
                rows = (await connection.execute(taken)).all()
        return [
            Note(receiver, row.alert_id, row.body, row.noted_at, row.attempts, ours)
            for row in sorted(rows, key=lambda row: row.sequence)
        ]

    async def next_due(self, receiver: str) -> datetime | None:
        """Return when a waiting note of this receiver may be taken; none if none waits."""
        statement = (
            select(NoteRow.due_at)
            .where(NoteRow.receiver == receiver, _WAITS)
            .order_by(NoteRow.due_at)
            .limit(1)
        )
        with our_errors("look for notes"):
            async with self._engine.connect() as connection:
                return (await connection.execute(statement)).scalar()

    async def settle(self, settled: Sequence[Settled], now: datetime) -> None:
        """Note what came of notes that were taken; see the port."""
        with our_errors("settle notes"):
            async with self._engine.begin() as connection:
                for each in settled:
                    await _settle(connection, each, now)

    async def give_up(self, noted_before: datetime, now: datetime) -> int:
        """Give up what waits since before then and nobody has."""
        statement = (
            update(NoteRow)
            .where(_WAITS, NoteRow.noted_at < noted_before)
            .where(or_(NoteRow.lease.is_(None), NoteRow.due_at <= now))
            .values(state=NoteState.GIVEN_UP.value, settled_at=now, lease=None)
        )
        with our_errors("give notes up"):
            async with self._engine.begin() as connection:
                return (await connection.execute(statement)).rowcount

    async def trim(self, settled_before: datetime, most_rows: int) -> int:
        """Remove notes that were settled before then."""
        old = (
            select(NoteRow.receiver, NoteRow.alert_id)
            .where(NoteRow.settled_at < settled_before)
            .limit(most_rows)
        )
        statement = delete(NoteRow).where(tuple_(NoteRow.receiver, NoteRow.alert_id).in_(old))
        with our_errors("remove old notes"):
            async with self._engine.begin() as connection:
                return (await connection.execute(statement)).rowcount

    async def standings(self) -> Sequence[Standing]:
        """Return how the notes of each receiver stand."""
        with our_errors("count notes"):
            async with self._engine.connect() as connection:
                return await _standings(connection)


async def _settle(connection: AsyncConnection, settled: Settled, now: datetime) -> None:
    note, over = settled.note, settled.state is not NoteState.WAITING
    statement = update(NoteRow).where(
        NoteRow.receiver == note.receiver, NoteRow.alert_id == note.alert_id
    )
    if settled.state is not NoteState.DELIVERED:
        statement = statement.where(_WAITS, NoteRow.lease == note.lease)
    await connection.execute(
        statement.values(
            state=settled.state.value,
            why=settled.why,
            due_at=settled.due_at or now,
            settled_at=now if over else None,
            lease=None,
        )
    )


async def _standings(connection: AsyncConnection) -> list[Standing]:
    counted = select(
        NoteRow.receiver, NoteRow.state, func.count().label("number"), func.min(NoteRow.noted_at)
    ).group_by(NoteRow.receiver, NoteRow.state)
    known = (await connection.execute(select(ReceiverRow.name, ReceiverRow.since))).all()
    rows = (await connection.execute(counted)).all()
    numbers = {(row.receiver, row.state): row.number for row in rows}
    oldest = {row[0]: row[3] for row in rows if row[1] == NoteState.WAITING.value}
    return [
        Standing(
            name,
            since,
            numbers.get((name, NoteState.WAITING.value), 0),
            oldest.get(name),
            numbers.get((name, NoteState.DELIVERED.value), 0),
            numbers.get((name, NoteState.GIVEN_UP.value), 0),
            numbers.get((name, NoteState.HELD.value), 0),
            await _problem(connection, name) if _is_troubled(numbers, name) else "",
        )
        for name, since in sorted((row.name, row.since) for row in known)
    ]


def _is_troubled(numbers: Mapping[tuple[str, str], int], receiver: str) -> bool:
    troubled = (NoteState.WAITING, NoteState.GIVEN_UP)
    return any((receiver, state.value) in numbers for state in troubled)


async def _problem(connection: AsyncConnection, receiver: str) -> str:
    """Return what is wrong with what waits, or was wrong with what was given up last."""
    statement = (
        select(NoteRow.why)
        .where(NoteRow.receiver == receiver, NoteRow.why != "")
        .where(NoteRow.state.in_([NoteState.WAITING.value, NoteState.GIVEN_UP.value]))
        .order_by(case((_WAITS, 0), else_=1), NoteRow.sequence.desc())
        .limit(1)
    )
    return (await connection.execute(statement)).scalar() or ""
