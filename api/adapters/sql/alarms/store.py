"""Alarms and the log of actions in SQLite or PostgreSQL, beside the alert history.

What is answered is derived from alerts and log (``api.alarms.lifecycle``); the copies in rows
(``alarm_copies.py``) only choose and order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, insert, not_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.adapters.sql.alarms.copies import (
    EVENTS,
    event_text,
    read_alarms,
    readable_events,
    write_alarms,
    write_shelf,
    write_window,
)
from api.adapters.sql.alarms.figures import read_figures
from api.adapters.sql.alert_rows import CHUNK, is_storable
from api.adapters.sql.database import lock_sequence, our_errors
from api.adapters.sql.models import AlarmEventRow, AlarmRow, ShelfRow, WindowRow
from api.adapters.sql.sequences import (
    ACTIONS_SEQUENCE,
    last_sequence,
    put_sequence,
)
from api.alarms.events import Action, ActionEvent, Draft
from api.alarms.figures import AlarmFigures, FiguresQuery
from api.alarms.lifecycle import Alarm, Shelf, Urgency, alarm_at, shelf_of, urgency_of
from api.alarms.maintenance import Window, holding, window_of
from api.alarms.ports import AlarmFilter, DecideAlarm, DecideWindow, Listed
from api.alarms.urgency import StandingAlarm
from api.ports import AlertFilter
from common.records.verdicts import Level

_PLACE: Final = (AlarmRow.rank, AlarmRow.severity, AlarmRow.sequence)


class SqlAlarmStore:
    """Keeps actions in the database of ``open_database``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, alarm_id: str, now: datetime) -> Alarm | None:
        """Return the alarm as it stands, or none."""
        if not is_storable(alarm_id):
            return None
        with our_errors("look an alarm up"):
            async with self._engine.connect() as connection:
                return (await _alarms(connection, [alarm_id], now)).get(alarm_id)

    async def page(
        self, wanted: AlarmFilter, limit: int, now: datetime, *, after: Urgency | None = None
    ) -> Sequence[Listed]:
        """Return at most ``limit`` alarms, the most urgent first."""
        statement = _filtered(wanted, now).order_by(*_PLACE).limit(limit)
        if after is not None:
            statement = statement.where(tuple_(*_PLACE) > tuple_(*after))
        return await self._listed(statement, wanted, now)

    async def latest(
        self, wanted: AlarmFilter, limit: int, now: datetime, *, before: int | None = None
    ) -> Sequence[Listed]:
        """Return at most ``limit`` alarms, the last to arrive first."""
        statement = _filtered(wanted, now).order_by(AlarmRow.sequence.desc()).limit(limit)
        if before is not None:
            statement = statement.where(AlarmRow.sequence < before)
        return await self._listed(statement, wanted, now)

    async def standing(
        self, now: datetime, asset_ids: Collection[str] | None = None
    ) -> Sequence[StandingAlarm]:
        """Return all alarms that stand, the most urgent first, from their rows."""
        statement = (
            select(
                AlarmRow.alarm_id,
                AlarmRow.asset_id,
                AlarmRow.run_id,
                AlarmRow.fleet,
                AlarmRow.level,
                AlarmRow.is_active,
                AlarmRow.acknowledged,
                _is_shelved(now),
            )
            .where(AlarmRow.standing)
            .order_by(*_PLACE)
        )
        with our_errors("list alarms"):
            async with self._engine.connect() as connection:
                windows = await running_windows(connection, now)
                if asset_ids is None:
                    rows = list((await connection.execute(statement)).all())
                else:
                    names, rows = sorted(filter(is_storable, asset_ids)), []
                    for start in range(0, len(names), CHUNK):
                        some = statement.where(AlarmRow.asset_id.in_(names[start : start + CHUNK]))
                        rows += (await connection.execute(some)).all()
        levels = {level.value: level for level in Level}
        return [
            StandingAlarm(
                alarm_id,
                asset_id,
                run_id,
                levels[level],
                active,
                acknowledged,
                shelved,
                bool(windows) and holding(windows, asset_id, fleet, now) is not None,
            )
            for alarm_id, asset_id, run_id, fleet, level, active, acknowledged, shelved in rows
        ]

    async def figures(self, query: FiguresQuery, now: datetime) -> AlarmFigures:
        """Count alarms in the database."""
        with our_errors("count alarms"):
            async with self._engine.connect() as connection:
                return await read_figures(connection, query, now)

    async def act(
        self,
        alarm_ids: Sequence[str],
        decide: DecideAlarm,
        now: datetime,
        request_id: str | None = None,
    ) -> Sequence[Alarm | None]:
        """Decide on each alarm and keep the events, all in one transaction."""
        ids = [alarm_id for alarm_id in alarm_ids if is_storable(alarm_id)]
        with our_errors("keep what was done"):
            async with self._engine.begin() as connection:
                await lock_sequence(connection)
                alarms = await _alarms(connection, ids, now)
                drafts = [
                    decide(alarm_id, alarms.get(alarm_id), _known(alarms, alarm_id, request_id))
                    for alarm_id in alarm_ids
                ]
                added = [draft for draft in drafts if draft is not None]
                if added:
                    await _append(connection, added)
                    await write_alarms(connection, [draft.alarm_id or "" for draft in added])
                    for draft in added:
                        await write_shelf(connection, draft)
                    alarms = await _alarms(connection, ids, now)
        return [alarms.get(alarm_id) for alarm_id in alarm_ids]

    async def act_on_window(self, window_id: str, decide: DecideWindow) -> Window:
        """Decide on a maintenance window and keep the event."""
        with our_errors("keep a maintenance window"):
            async with self._engine.begin() as connection:
                await lock_sequence(connection)
                draft = decide((await _windows(connection, [window_id])).get(window_id))
                await _append(connection, [draft])
                window = (await _windows(connection, [window_id]))[window_id]
                await write_window(connection, window.events)
        return window

    async def window(self, window_id: str) -> Window | None:
        """Return the window, or none."""
        if not is_storable(window_id):
            return None
        with our_errors("look a maintenance window up"):
            async with self._engine.connect() as connection:
                return (await _windows(connection, [window_id])).get(window_id)

    async def windows(
        self, limit: int, *, ends_after: datetime | None = None, before: int | None = None
    ) -> Sequence[Window]:
        """Return windows, the last planned first."""
        statement = select(WindowRow.window_id).order_by(WindowRow.sequence.desc()).limit(limit)
        if ends_after is not None:
            statement = statement.where(WindowRow.ends_at > ends_after)
        if before is not None:
            statement = statement.where(WindowRow.sequence < before)
        with our_errors("list maintenance windows"):
            async with self._engine.connect() as connection:
                ids = (await connection.execute(statement)).scalars().all()
                found = await _windows(connection, ids)
        return [found[window_id] for window_id in ids if window_id in found]

    async def log(
        self, wanted: AlertFilter, limit: int, *, after: int = 0
    ) -> Sequence[ActionEvent]:
        """Return events beyond ``after`` in their order."""
        statement = EVENTS.where(AlarmEventRow.sequence > after)
        for column, value in (
            (AlarmEventRow.asset_id, wanted.asset_id),
            (AlarmEventRow.run_id, wanted.run_id),
            (AlarmEventRow.fleet, wanted.fleet),
        ):
            if value is not None:
                statement = statement.where(or_(column == value, column.is_(None)))
        statement = statement.order_by(AlarmEventRow.sequence).limit(limit)
        with our_errors("read the log of actions"):
            async with self._engine.connect() as connection:
                return readable_events((await connection.execute(statement)).all())

    async def log_end(self) -> int:
        """Return the last sequence of the log."""
        with our_errors("read the log of actions"):
            async with self._engine.connect() as connection:
                return await last_sequence(connection, ACTIONS_SEQUENCE)

    async def _listed(
        self, statement: Select[str], wanted: AlarmFilter, now: datetime
    ) -> list[Listed]:
        if not all(map(is_storable, (wanted.asset_id, wanted.run_id, wanted.fleet))):
            return []
        with our_errors("list alarms"):
            async with self._engine.connect() as connection:
                ids = (await connection.execute(statement)).scalars().all()
                found = await _alarms(connection, ids, now)
        return [Listed(found[name], urgency_of(found[name])) for name in ids if name in found]


def _known(
    alarms: Mapping[str, Alarm], alarm_id: str, request_id: str | None
) -> ActionEvent | None:
    alarm = alarms.get(alarm_id)
    if alarm is None or request_id is None:
        return None
    return next((item for item in alarm.events if item.done.request_id == request_id), None)


def _filtered(wanted: AlarmFilter, now: datetime) -> Select[str]:
    statement = select(AlarmRow.alarm_id)
    for column, value in (
        (AlarmRow.asset_id, wanted.asset_id),
        (AlarmRow.run_id, wanted.run_id),
        (AlarmRow.fleet, wanted.fleet),
        (AlarmRow.level, wanted.level),
        (AlarmRow.state, wanted.state),
    ):
        if value is not None:
            statement = statement.where(column == str(value))
    if wanted.min_level is not None:
        statement = statement.where(AlarmRow.level_rank >= wanted.min_level.rank)
    for flag, asked in (
        (AlarmRow.standing, wanted.standing),
        (AlarmRow.acknowledged, wanted.acknowledged),
        (_is_shelved(now), wanted.shelved),
    ):
        if asked is not None:
            statement = statement.where(flag if asked else not_(flag))
    return statement


def _is_shelved(now: datetime) -> ColumnElement[bool]:
    held = exists().where(
        ShelfRow.asset_id == AlarmRow.asset_id,
        ShelfRow.until > now,
        ShelfRow.level_rank >= AlarmRow.level_rank,
    )
    return and_(AlarmRow.standing, held)


async def _append(connection: AsyncConnection, drafts: Sequence[Draft]) -> None:
    last = await last_sequence(connection, ACTIONS_SEQUENCE)
    rows = [_event_row(draft, sequence) for sequence, draft in enumerate(drafts, last + 1)]
    await connection.execute(insert(AlarmEventRow), rows)
    await put_sequence(connection, ACTIONS_SEQUENCE, last + len(rows))


def _event_row(draft: Draft, sequence: int) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "action": draft.action.value,
        "alarm_id": draft.alarm_id,
        "asset_id": draft.asset_id,
        "run_id": draft.run_id,
        "fleet": draft.fleet,
        "window_id": draft.window_id,
        "request_id": draft.request_id,
        "who": draft.who,
        "at": draft.at,
        "body": event_text(draft),
    }


async def _alarms(
    connection: AsyncConnection, alarm_ids: Collection[str], now: datetime
) -> dict[str, Alarm]:
    facts, events = await read_alarms(connection, alarm_ids)
    shelves = await shelves_of(connection, {each.first.asset_id for each in facts.values()})
    windows = await running_windows(connection, now)
    return {
        name: alarm_at(now, each, events.get(name, ()), shelves.get(each.first.asset_id), windows)
        for name, each in facts.items()
    }


async def running_windows(connection: AsyncConnection, now: datetime) -> list[Window]:
    """Return the maintenance windows that hold now."""
    running = select(WindowRow.window_id).where(WindowRow.starts_at <= now, WindowRow.ends_at > now)
    ids = (await connection.execute(running)).scalars().all()
    return list((await _windows(connection, ids)).values())


async def shelves_of(connection: AsyncConnection, assets: Collection[str]) -> dict[str, Shelf]:
    """Return the latest shelf of each asset, from the log."""
    names, events = sorted(assets), []
    for start in range(0, len(names), CHUNK):
        last = (
            select(func.max(AlarmEventRow.sequence))
            .where(
                AlarmEventRow.asset_id.in_(names[start : start + CHUNK]),
                AlarmEventRow.action.in_([Action.SHELVED.value, Action.UNSHELVED.value]),
            )
            .group_by(AlarmEventRow.asset_id)
        )
        rows = (await connection.execute(EVENTS.where(AlarmEventRow.sequence.in_(last)))).all()
        events += readable_events(rows)
    owners = [item.done.alarm_id for item in events]
    cleared: set[str] = set()
    for start in range(0, len(owners), CHUNK):
        statement = select(AlarmRow.alarm_id).where(
            AlarmRow.alarm_id.in_(owners[start : start + CHUNK]), not_(AlarmRow.is_active)
        )
        cleared.update((await connection.execute(statement)).scalars())
    found = {item.done.asset_id or "": shelf_of([item], cleared) for item in events}
    return {asset: shelf for asset, shelf in found.items() if shelf is not None}


async def _windows(connection: AsyncConnection, window_ids: Collection[str]) -> dict[str, Window]:
    ids, events = sorted(window_ids), []
    for start in range(0, len(ids), CHUNK):
        statement = EVENTS.where(AlarmEventRow.window_id.in_(ids[start : start + CHUNK]))
        events += readable_events((await connection.execute(statement)).all())
    grouped: dict[str, list[ActionEvent]] = {}
    for item in events:
        grouped.setdefault(item.done.window_id or "", []).append(item)
    found = {window_id: window_of(each) for window_id, each in grouped.items()}
    return {window_id: window for window_id, window in found.items() if window is not None}
