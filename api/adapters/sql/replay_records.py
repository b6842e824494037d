"""Replays remembered in the alert history's database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Delete, Select, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.adapters.sql.database import our_errors
from api.adapters.sql.models import ReplayRow
from api.replays.ports import Replay, ReplaySpec, UnreadableReplay

MAX_WHY_CHARS: Final = 300

_REPLAY: Final = TypeAdapter(Replay)
_SPEC: Final = TypeAdapter(ReplaySpec)
_COLUMNS: Final = ReplayRow.__table__.columns


class SqlReplayRecords:
    """Keeps replays in the database of ``open_database``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(self, replay: Replay) -> None:
        """Remember the replay in place of what was known under its run id."""
        _REPLAY.validate_python(_REPLAY.dump_python(replay))
        progress = replay.progress
        row = {
            "run_id": replay.spec.run_id,
            "spec": _SPEC.dump_json(replay.spec).decode(),
            "state": progress.state.value,
            "sent": progress.sent,
            "skipped": progress.skipped,
            "total": progress.total,
            "error": _storable(progress.error),
            "started_at": replay.started_at,
            "ended_at": replay.ended_at,
        }
        with our_errors("remember a replay"):
            async with self._engine.begin() as connection:
                await connection.execute(_delete(replay.spec.run_id))
                await connection.execute(insert(ReplayRow).values(row))

    async def find(self, run_id: str) -> Replay | UnreadableReplay | None:
        """Return the replay, or none."""
        with our_errors("look a replay up"):
            async with self._engine.connect() as connection:
                return await _read_one(connection, run_id)

    async def all(self) -> Sequence[Replay | UnreadableReplay]:
        """Return all replays, the latest started first; those that cannot be read last."""
        with our_errors("list replays"):
            async with self._engine.connect() as connection:
                found = await _read_all(connection)
        readable = [item for item in found if isinstance(item, Replay)]
        readable.sort(key=lambda item: item.started_at, reverse=True)
        return [*readable, *(item for item in found if isinstance(item, UnreadableReplay))]

    async def forget(self, run_id: str) -> None:
        """Remember nothing under this run id."""
        with our_errors("forget a replay"):
            async with self._engine.begin() as connection:
                await connection.execute(_delete(run_id))


def _delete(run_id: str) -> Delete:
    return delete(ReplayRow).where(ReplayRow.run_id == run_id)


def _select() -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS).order_by(ReplayRow.run_id)


async def _read_all(connection: AsyncConnection) -> list[Replay | UnreadableReplay]:
    try:
        rows = (await connection.execute(_select())).all()
    except (ValueError, TypeError):  # one of them cannot even be read by the driver: which?
        names = await connection.execute(select(ReplayRow.run_id).order_by(ReplayRow.run_id))
        found = [await _read_one(connection, name) for name in names.scalars().all()]
        return [item for item in found if item is not None]
    return [_replay(row.run_id, row) for row in rows]


async def _read_one(connection: AsyncConnection, run_id: str) -> Replay | UnreadableReplay | None:
    try:
        statement = _select().where(ReplayRow.run_id == run_id)
        row = (await connection.execute(statement)).one_or_none()
    except (ValueError, TypeError) as exc:
        return UnreadableReplay(run_id, str(exc)[:MAX_WHY_CHARS])
    return None if row is None else _replay(run_id, row)


def _replay(run_id: str, row: Any) -> Replay | UnreadableReplay:
    try:
        return _REPLAY.validate_python(
            {
                "spec": _SPEC.validate_json(row.spec),
                "progress": {
                    "sent": row.sent,
                    "skipped": row.skipped,
                    "total": row.total,
                    "state": row.state,
                    "error": row.error,
                },
                "started_at": row.started_at,
                "ended_at": row.ended_at,
            }
        )
    except ValidationError as exc:
        problems = (
            f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
            for error in exc.errors(include_url=False, include_context=False)
        )
        return UnreadableReplay(run_id, "; ".join(problems)[:MAX_WHY_CHARS])


def _storable(text: str | None) -> str | None:
    """Return what a dying producer said without what a database's text cannot hold."""
    if text is None:
        return None
    return text.encode(errors="replace").decode().replace("\0", "?")
