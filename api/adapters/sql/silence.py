"""Whom the watch has heard, in SQLite or PostgreSQL, beside the alert history."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.adapters.sql.alert_rows import CHUNK
from api.adapters.sql.alerts.history import add_alerts
from api.adapters.sql.database import lock_sequence, our_errors
from api.adapters.sql.models import SilenceRow, WatchRow
from api.adapters.sql.upsert import put_rows
from api.notifications.receivers import Receiver
from api.silence.ports import Claim, Numbers, Outcome, Turn, taken
from api.silence.rule import Watched
from common.logs import get_logger

WATCH: Final = "silence"

SLICE_ROWS: Final = 200
"""Rows written at a time: a few milliseconds in which nobody else is served."""

_WATCHED: Final = TypeAdapter(Watched)
_log = get_logger(__name__)


class SqlSilenceStore:
    """Keeps a row for each asset in the database of ``open_database``.

    Args:
        engine: Of the database.
        receivers: Who is told of alerts.
    """

    def __init__(self, engine: AsyncEngine, receivers: Sequence[Receiver] = ()) -> None:
        self._engine, self._receivers = engine, receivers

    async def claim(self, holder: str, now: datetime, every: timedelta) -> Claim | None:
        """Say who judges; of two who ask at once, the lock lets one go first."""
        with our_errors("say who watches for silence"):
            async with self._engine.begin() as connection:
                await lock_sequence(connection)
                found = taken(await _turn(connection), holder, now, every)
                if found is None:
                    return None
                await _put_turn(connection, found[0])
                return found[1]

    async def watched(self) -> Sequence[Watched]:
        """Return all that is remembered; a row that cannot be read harms only itself."""
        with our_errors("read which assets are watched"):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(select(SilenceRow.body))).scalars().all()
        return await asyncio.to_thread(_readable, rows)

    async def keep(self, holder: str, outcome: Outcome, now: datetime) -> bool:
        """Keep what a look has found and its alerts, unless another has claimed the watch."""
        with our_errors("keep which assets are silent"):
            async with self._engine.begin() as connection:
                last = await lock_sequence(connection)
                turn = await _turn(connection)
                if turn is None or turn.holder != holder:
                    return False
                await add_alerts(connection, last, outcome.alerts, now, self._receivers)
                await _put_turn(connection, Turn(holder, turn.looked_at, outcome.judged_from))
                await _put_assets(connection, outcome.kept)
                await _forget(connection, outcome.forgotten)
        return True

    async def numbers(self) -> Mapping[str, Numbers]:
        """Return how many assets are remembered and silent, by fleet."""
        statement = select(SilenceRow.fleet, func.count(), func.count(SilenceRow.silence)).group_by(
            SilenceRow.fleet
        )
        with our_errors("count silent assets"):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(statement)).all()
        return {fleet: Numbers(watched, silent) for fleet, watched, silent in rows}


async def _turn(connection: AsyncConnection) -> Turn | None:
    statement = select(WatchRow.holder, WatchRow.looked_at, WatchRow.judged_from).where(
        WatchRow.name == WATCH
    )
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else Turn(row.holder, row.looked_at, row.judged_from)


async def _put_turn(connection: AsyncConnection, turn: Turn) -> None:
    row = {
        "name": WATCH,
        "holder": turn.holder,
        "looked_at": turn.looked_at,
        "judged_from": turn.judged_from,
    }
    await put_rows(connection, WatchRow, [row])


async def _put_assets(connection: AsyncConnection, assets: Sequence[Watched]) -> None:
    for start in range(0, len(assets), SLICE_ROWS):
        rows = [_row(item) for item in assets[start : start + SLICE_ROWS]]
        await put_rows(connection, SilenceRow, rows)
        await asyncio.sleep(0)


async def _forget(connection: AsyncConnection, asset_ids: Sequence[str]) -> None:
    for start in range(0, len(asset_ids), CHUNK):
        chunk = asset_ids[start : start + CHUNK]
        await connection.execute(delete(SilenceRow).where(SilenceRow.asset_id.in_(chunk)))


def _row(item: Watched) -> dict[str, Any]:
    return {
        "asset_id": item.asset_id,
        "fleet": item.fleet,
        "silence": None if item.silence is None else item.silence.value,
        "body": _WATCHED.dump_json(item).decode(),
    }


def _readable(bodies: Sequence[str]) -> list[Watched]:
    found = []
    for body in bodies:
        try:
            found.append(_WATCHED.validate_json(body))
        except ValidationError as exc:
            why = str(exc).splitlines()[0]
            _log.warning("a watched asset cannot be read", why=why)
    return found
