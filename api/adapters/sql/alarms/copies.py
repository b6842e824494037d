"""Rows of alarms, shelves and windows: copies of what the log says, to filter and order lists by.

Whoever adds an alert or an event writes the copies of what it touches, in the same transaction.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import BindParameter, Row, bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.adapters.sql.alert_rows import ALERTS, CHUNK, readable
from api.adapters.sql.models import AlarmEventRow, AlarmRow, AlertRow, ShelfRow, WindowRow
from api.adapters.sql.upsert import put_rows
from api.alarms.events import Action, ActionEvent, Draft
from api.alarms.facts import AlarmFacts
from api.alarms.lifecycle import alarm_at, urgency_of
from api.alarms.maintenance import window_of
from api.ports import StoredAlert
from common.logs import get_logger
from common.records.times import EARLIEST

EVENTS: Final = select(AlarmEventRow.sequence, AlarmEventRow.body)

_IDS: Final[BindParameter[str]] = bindparam("ids", expanding=True)
_ALERTS_OF: Final = ALERTS.where(AlertRow.alarm_id.in_(_IDS))
_EVENTS_OF: Final = EVENTS.where(AlarmEventRow.alarm_id.in_(_IDS))
_ARRIVALS_OF: Final = select(AlarmRow.alarm_id, AlarmRow.arrived_at).where(
    AlarmRow.alarm_id.in_(_IDS)
)
"""Made once: making a statement takes as long as carrying it out."""

_DRAFT: Final = TypeAdapter(Draft)
_log = get_logger(__name__)


def event_text(draft: Draft) -> str:
    """Return an event as it is stored."""
    return _DRAFT.dump_json(draft).decode()


def readable_events(rows: Sequence[Row[int, str]]) -> list[ActionEvent]:
    """Return the events of these rows; one that cannot be read harms only itself."""
    found = []
    for row in rows:
        try:
            found.append(ActionEvent(row.sequence, _DRAFT.validate_json(row.body)))
        except ValidationError as exc:
            why = str(exc).splitlines()[0]
            _log.warning("a stored action cannot be read", sequence=row.sequence, why=why)
    return found


def by_alarm(alerts: Iterable[StoredAlert]) -> dict[str, list[StoredAlert]]:
    """Return alerts by alarm."""
    grouped: dict[str, list[StoredAlert]] = defaultdict(list)
    for item in alerts:
        grouped[item.alert.alarm_id].append(item)
    return grouped


async def read_alarms(
    connection: AsyncConnection, alarm_ids: Collection[str]
) -> tuple[Mapping[str, AlarmFacts], Mapping[str, list[ActionEvent]]]:
    """Return what alerts say of these alarms, and what was done about each."""
    ids, arrivals = sorted(alarm_ids), {}
    alert_rows: list[Row[int, str]] = []
    event_rows: list[Row[int, str]] = []
    for start in range(0, len(ids), CHUNK):
        chunk = {"ids": ids[start : start + CHUNK]}
        alert_rows += (await connection.execute(_ALERTS_OF, chunk)).all()
        event_rows += (await connection.execute(_EVENTS_OF, chunk)).all()
        came = await connection.execute(_ARRIVALS_OF, chunk)
        arrivals.update({row.alarm_id: row.arrived_at for row in came.all()})

    def parse() -> tuple[Mapping[str, AlarmFacts], Mapping[str, list[ActionEvent]]]:
        grouped = by_alarm(readable(alert_rows))
        facts = {name: AlarmFacts.of(each, arrivals.get(name)) for name, each in grouped.items()}
        events: dict[str, list[ActionEvent]] = defaultdict(list)
        for item in readable_events(event_rows):
            events[item.done.alarm_id or ""].append(item)
        return facts, events

    # many alerts take a while to read: others are served meanwhile
    return await asyncio.to_thread(parse) if len(alert_rows) > 50 else parse()


async def write_alarms(
    connection: AsyncConnection, alarm_ids: Collection[str], arrived_at: datetime | None = None
) -> None:
    """Write the rows of these alarms anew, and take shelves off that end on recovery.

    Args:
        connection: A transaction that has locked the order of writers.
        alarm_ids: Whose alerts or events have changed.
        arrived_at: When alarms that are new have come.
    """
    facts, events = await read_alarms(connection, alarm_ids)
    rows = [_alarm_row(each, events.get(name, ()), arrived_at) for name, each in facts.items()]
    if not rows:
        return
    await put_rows(connection, AlarmRow, rows, kept={"arrived_at"})
    recovered = [name for name, each in facts.items() if not each.is_active]
    for start in range(0, len(recovered), CHUNK):
        await connection.execute(
            delete(ShelfRow).where(
                ShelfRow.ends_on_recovery, ShelfRow.alarm_id.in_(recovered[start : start + CHUNK])
            )
        )


async def forget_alarms(connection: AsyncConnection, alarm_ids: Collection[str]) -> None:
    """Write the rows of alarms anew whose alerts were removed; of those that have none left, none.

    The log of what was done about them stays.
    """
    facts, _ = await read_alarms(connection, alarm_ids)
    gone = sorted(set(alarm_ids) - set(facts))
    for start in range(0, len(gone), CHUNK):
        chunk = gone[start : start + CHUNK]
        await connection.execute(delete(AlarmRow).where(AlarmRow.alarm_id.in_(chunk)))
    await write_alarms(connection, facts.keys())


async def write_shelf(connection: AsyncConnection, draft: Draft) -> None:
    """Put an asset's shelf up, or take it off."""
    if draft.action is Action.UNSHELVED:
        await connection.execute(delete(ShelfRow).where(ShelfRow.asset_id == draft.asset_id))
    if draft.action is not Action.SHELVED:
        return
    row = {
        "asset_id": draft.asset_id,
        "alarm_id": draft.alarm_id,
        "level_rank": draft.level.rank if draft.level else 1,
        "until": draft.until,
        "ends_on_recovery": draft.ends_on_recovery,
    }
    await put_rows(connection, ShelfRow, [row])


async def write_window(connection: AsyncConnection, events: Sequence[ActionEvent]) -> None:
    """Write when a window begins and ends."""
    window = window_of(events)
    assert window is not None  # noqa: S101 - an event of it was just written
    row = {
        "window_id": window.window_id,
        "sequence": window.events[0].sequence,
        "starts_at": window.starts_at,
        "ends_at": window.ends_at,
    }
    await put_rows(connection, WindowRow, [row])


def _alarm_row(
    facts: AlarmFacts, events: Sequence[ActionEvent], arrived_at: datetime | None
) -> dict[str, Any]:
    alarm = alarm_at(EARLIEST, facts, events)  # shelves and windows, which need a time, are joined
    urgency, first = urgency_of(alarm), facts.first
    return {
        "alarm_id": first.alarm_id,
        "asset_id": first.asset_id,
        "run_id": first.run_id,
        "fleet": first.fleet,
        "level": facts.level.value,
        "level_rank": facts.level.rank,
        "state": alarm.state.value,
        "is_active": facts.is_active,
        "standing": alarm.is_standing,
        "acknowledged": alarm.acknowledgement is not None,
        "rank": urgency.rank,
        "severity": urgency.severity,
        "sequence": urgency.sequence,
        "flaps": facts.flaps,
        "channel": facts.channel,
        "arrived_at": arrived_at,
    }
