"""Puts new alerts into the outbox, in the transaction that adds them to the history.

So either an alert is in the history and everybody is to be told, or neither: dying in between
repeats both, and an alert that is read again is known and told no second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from api.adapters.sql.alarms.copies import read_alarms
from api.adapters.sql.alarms.store import running_windows, shelves_of
from api.adapters.sql.models import NoteRow, ReceiverRow
from api.adapters.sql.upsert import upsert
from api.notifications.receivers import Receiver
from api.notifications.rules import Arrived, Draft, NoteState, drafts_of, why_held
from api.ports import StoredAlert, WireAlert


async def fill_outbox(
    connection: AsyncConnection,
    receivers: Sequence[Receiver],
    new: Sequence[WireAlert],
    first_sequence: int,
    now: datetime,
) -> None:
    """Put a note for each receiver that is to be told of each new alert into the outbox.

    Args:
        connection: The transaction that has added the alerts, and has locked the order of writers.
        receivers: All receivers.
        new: The alerts, in their order.
        first_sequence: The sequence of the first.
        now: The time.
    """
    wanted = [
        (sequence, item)
        for sequence, item in enumerate(new, first_sequence)
        if any(receiver.wants(item.alert) for receiver in receivers)
    ]
    if not wanted:
        return
    held = await _held(connection, {item.alert.alarm_id for _, item in wanted}, now)
    arrived = [
        Arrived(
            StoredAlert(sequence, item.alert, item.body),
            item.published_at,
            held.get(item.alert.alarm_id, ""),
        )
        for sequence, item in wanted
    ]
    rows = (await connection.execute(select(ReceiverRow.name, ReceiverRow.since))).all()
    known_since = {row.name: row.since for row in rows}
    if drafts := drafts_of(arrived, receivers, known_since):
        # an alert that was removed from the history and is read again may have its note still
        statement = upsert(connection)(NoteRow).on_conflict_do_nothing()
        await connection.execute(statement, [_row(draft, now) for draft in drafts])


async def _held(connection: AsyncConnection, alarm_ids: set[str], now: datetime) -> dict[str, str]:
    """Return why nobody is told of an alarm, by its id, where somebody has said so."""
    facts, _ = await read_alarms(connection, alarm_ids)
    shelves = await shelves_of(connection, {each.first.asset_id for each in facts.values()})
    windows = await running_windows(connection, now)
    return {
        alarm_id: why_held(each, shelves.get(each.first.asset_id), windows, now)
        for alarm_id, each in facts.items()
    }


def _row(draft: Draft, now: datetime) -> dict[str, object]:
    return {
        "receiver": draft.receiver,
        "alert_id": draft.stored.alert.alert_id,
        "sequence": draft.stored.sequence,
        "state": draft.state.value,
        "noted_at": now,
        "due_at": now,
        "attempts": 0,
        "lease": None,
        "settled_at": None if draft.state is NoteState.WAITING else now,
        "why": draft.why,
        "body": draft.stored.body,
    }
