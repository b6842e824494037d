"""The alert history in SQLite or PostgreSQL.

Writers are ordered by one row: the first statement of every write locks the row that holds the last
sequence, and the lock lasts until the commit. So sequences have no gaps and become visible in their
order, whichever process wrote them; a stream that has read up to n has missed nothing below n.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    insert,
    not_,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.orm import aliased

from api.adapters.sql.alarms.copies import write_alarms
from api.adapters.sql.alert_rows import ALERTS, CHUNK, is_storable, readable
from api.adapters.sql.alerts.retention import read_removed_until, trim_slice
from api.adapters.sql.database import few_statements, lock_sequence, our_errors
from api.adapters.sql.models import COUNTER, AlertRow, GapRow
from api.adapters.sql.outbox.filling import fill_outbox
from api.adapters.sql.positions import put_position, read_positions
from api.adapters.sql.sequences import put_sequence
from api.adapters.sql.upsert import upsert
from api.notifications.receivers import Receiver
from api.ports import (
    AlertBatch,
    AlertFilter,
    AlertGap,
    AlertKeeping,
    FeedPosition,
    OffsetGap,
    StoredAlert,
    WireAlert,
)
from common.records.alerts import Transition
from common.records.verdicts import Level


class SqlAlertHistory:
    """Keeps alerts in the database of ``open_database``.

    Args:
        engine: Of the database.
        receivers: Who is told of alerts: those that are new are put into their outbox.
    """

    def __init__(self, engine: AsyncEngine, receivers: Sequence[Receiver] = ()) -> None:
        self._engine, self._receivers = engine, receivers

    async def store(
        self, batch: AlertBatch, noticed_at: datetime | None = None
    ) -> Sequence[StoredAlert]:
        """Keep the alerts, the position and a gap in one transaction; see the port."""
        arrived_at = noticed_at or datetime.now(UTC)
        with our_errors("store alerts"):
            async with self._engine.begin() as connection:
                last = await lock_sequence(connection)
                async with few_statements(connection, len(batch.items)):
                    new = await add_alerts(
                        connection, last, batch.items, arrived_at, self._receivers
                    )
                    await put_position(connection, batch)
                if batch.gap is not None:
                    await _put_gap(connection, batch, batch.gap, arrived_at)
        return new

    async def positions(self, source: str) -> Mapping[int, FeedPosition]:
        """Return how far each partition was read before."""
        with our_errors("read its positions"):
            async with self._engine.connect() as connection:
                return await read_positions(connection, source)

    async def gaps(self) -> Sequence[AlertGap]:
        """Return all gaps, the latest noticed first."""
        statement = select(
            GapRow.source,
            GapRow.partition,
            GapRow.from_offset,
            GapRow.to_offset,
            GapRow.noticed_at,
        ).order_by(GapRow.noticed_at.desc(), GapRow.partition, GapRow.from_offset)
        with our_errors("read its gaps"):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(statement)).all()
        return [
            AlertGap(
                row.source,
                row.partition,
                OffsetGap(row.from_offset, row.to_offset),
                row.noticed_at,
            )
            for row in rows
        ]

    async def page(
        self,
        wanted: AlertFilter,
        limit: int,
        *,
        after: int | None = None,
        newest_first: bool = False,
    ) -> Sequence[StoredAlert]:
        """Return at most ``limit`` alerts in the order of arrival, or backwards.

        A row that cannot be read is left out and the page filled with the next, so that a page
        that is not full still says that nothing follows.
        """
        found: list[StoredAlert] = []
        if not all(
            map(is_storable, (wanted.asset_id, wanted.run_id, wanted.alarm_id, wanted.fleet))
        ):
            return found
        while True:
            rows = await self._rows(_in_order(wanted, limit - len(found), after, newest_first))
            found.extend(readable(rows))
            if len(found) >= limit or not rows:
                return found
            after = rows[-1].sequence

    async def find(self, alert_id: str) -> StoredAlert | None:
        """Return the alert, or none."""
        if not is_storable(alert_id):
            return None
        return _first(readable(await self._rows(ALERTS.where(AlertRow.alert_id == alert_id))))

    async def last(self) -> StoredAlert | None:
        """Return the alert with the highest sequence, or none."""
        return _first(await self.page(AlertFilter(), 1, newest_first=True))

    async def open_alarms(self, asset_ids: Collection[str]) -> Sequence[StoredAlert]:
        """Return the latest alert of each alarm of these assets that was not cleared."""
        names = sorted(filter(is_storable, set(asset_ids)))
        found: list[StoredAlert] = []
        for start in range(0, len(names), CHUNK):
            chunk = names[start : start + CHUNK]
            statement = ALERTS.where(AlertRow.is_open, AlertRow.asset_id.in_(chunk))
            found += readable(await self._rows(statement))
        return sorted(found, key=lambda item: item.sequence)

    async def trim(self, keep: AlertKeeping, now: datetime, most_rows: int) -> int:
        """Remove a slice in one transaction, between those of the writers."""
        with our_errors("remove old alerts"):
            async with self._engine.begin() as connection:
                return await trim_slice(connection, keep, now, most_rows)

    async def removed_until(self) -> datetime | None:
        """Return the time of the latest reading whose alert was removed."""
        with our_errors("read what was removed"):
            async with self._engine.connect() as connection:
                return await read_removed_until(connection)

    async def ping(self) -> None:
        """Return when the database answers."""
        with our_errors("answer"):
            async with self._engine.connect() as connection:
                await connection.execute(text("SELECT 1"))

    async def _rows(self, statement: Select[int, str]) -> Sequence[Row[int, str]]:
        with our_errors("read alerts"):
            async with self._engine.connect() as connection:
                return (await connection.execute(statement)).all()


def _first(found: Sequence[StoredAlert]) -> StoredAlert | None:
    return found[0] if found else None


def _filtered(wanted: AlertFilter) -> Select[int, str]:
    statement = ALERTS
    for column, value in (
        (AlertRow.asset_id, wanted.asset_id),
        (AlertRow.run_id, wanted.run_id),
        (AlertRow.alarm_id, wanted.alarm_id),
        (AlertRow.fleet, wanted.fleet),
        (AlertRow.level, wanted.level),
        (AlertRow.state, wanted.state),
    ):
        if value is not None:
            statement = statement.where(column == str(value))
    if wanted.min_level is not None:
        rank = wanted.min_level.rank
        at_least = [level.value for level in Level if level.rank >= rank]
        statement = statement.where(AlertRow.level.in_(at_least))
    if wanted.since is not None:
        statement = statement.where(AlertRow.ts >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(AlertRow.ts < wanted.until)
    return statement


def _in_order(
    wanted: AlertFilter, limit: int, after: int | None, newest_first: bool
) -> Select[int, str]:
    statement = _filtered(wanted).limit(limit)
    if newest_first:
        statement = statement.order_by(AlertRow.sequence.desc())
        return statement if after is None else statement.where(AlertRow.sequence < after)
    statement = statement.order_by(AlertRow.sequence)
    return statement if after is None else statement.where(AlertRow.sequence > after)


async def add_alerts(
    connection: AsyncConnection,
    last: int,
    alerts: Sequence[WireAlert],
    arrived_at: datetime,
    receivers: Sequence[Receiver],
) -> Sequence[StoredAlert]:
    """Keep the alerts that are new, and return them at their places.

    Args:
        connection: A transaction that has locked the order of writers.
        last: What that said: the last sequence given out.
        alerts: Known ones among them are left as they are.
        arrived_at: When alarms that are new have come.
        receivers: Who is told of those that are new.
    """
    new = await _unknown(connection, alerts)
    if new:
        await _insert(connection, new, last)
        await write_alarms(connection, {item.alert.alarm_id for item in new}, arrived_at)
        await fill_outbox(connection, receivers, new, last + 1, arrived_at)
    return [
        StoredAlert(sequence, item.alert, item.body) for sequence, item in enumerate(new, last + 1)
    ]


async def _unknown(connection: AsyncConnection, alerts: Sequence[WireAlert]) -> list[WireAlert]:
    """Return the alerts whose id is not stored, each id once, in their order."""
    by_id: dict[str, WireAlert] = {}
    for item in alerts:
        by_id.setdefault(item.alert.alert_id, item)
    ids = list(by_id)
    for start in range(0, len(ids), CHUNK):
        known = await connection.execute(_KNOWN, {"ids": ids[start : start + CHUNK]})
        for alert_id in known.scalars():
            del by_id[alert_id]
    return list(by_id.values())


async def _insert(connection: AsyncConnection, new: Sequence[WireAlert], last: int) -> None:
    rows = [_row(item, sequence) for sequence, item in enumerate(new, last + 1)]
    await connection.execute(_ADD, rows)
    await put_sequence(connection, COUNTER, last + len(rows))
    alarms = sorted({item.alert.alarm_id for item in new})
    for start in range(0, len(alarms), CHUNK):
        await connection.execute(_MARK_OPEN, {"ids": alarms[start : start + CHUNK]})


def _is_open() -> ColumnElement[bool]:
    """Return whether an alert is its alarm's latest, by cycle, and no end.

    By cycle, because a topic read anew may bring an alarm's end before its beginning.
    """
    other = aliased(AlertRow)
    later = or_(
        other.cycle > AlertRow.cycle,
        and_(other.cycle == AlertRow.cycle, other.sequence > AlertRow.sequence),
    )
    has_later = exists().where(other.alarm_id == AlertRow.alarm_id, later)
    return and_(AlertRow.state != Transition.CLEARED.value, not_(has_later))


_IDS: Final[BindParameter[str]] = bindparam("ids", expanding=True)
_KNOWN: Final = select(AlertRow.alert_id).where(AlertRow.alert_id.in_(_IDS))
_ADD: Final = insert(AlertRow)
_MARK_OPEN: Final = update(AlertRow).where(AlertRow.alarm_id.in_(_IDS)).values(is_open=_is_open())
"""Made once: making a statement takes as long as carrying it out."""


def _row(item: WireAlert, sequence: int) -> dict[str, object]:
    alert = item.alert
    return {
        "sequence": sequence,
        "alert_id": alert.alert_id,
        "alarm_id": alert.alarm_id,
        "asset_id": alert.asset_id,
        "run_id": alert.run_id,
        "fleet": alert.fleet,
        "level": alert.level.value,
        "state": alert.state.value,
        "onset_cycle": alert.onset_cycle,
        "cycle": alert.cycle,
        "ts": alert.ts,
        "score": alert.score,
        "is_open": False,
        "body": item.body,
    }


async def _put_gap(
    connection: AsyncConnection, batch: AlertBatch, gap: OffsetGap, noticed_at: datetime
) -> None:
    statement = upsert(connection)(GapRow).values(
        source=batch.source,
        partition=batch.partition,
        from_offset=gap.from_offset,
        to_offset=gap.to_offset,
        noticed_at=noticed_at,
    )
    await connection.execute(statement.on_conflict_do_nothing())
