"""Replays remembered in the alert history's database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter
from sqlalchemy import Row, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from api.adapters.sql_database import our_errors
from api.adapters.sql_models import ReplayRow
from api.ports import Replay, ReplayProgress, ReplaySpec, ReplayState

_SPEC: Final = TypeAdapter(ReplaySpec)
_COLUMNS: Final = ReplayRow.__table__.columns


class SqlReplayRecords:
    """Keeps replays in the database of ``open_database``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(self, replay: Replay) -> None:
        """Remember the replay in place of what was known under its run id."""
        progress = replay.progress
        row = {
            "run_id": replay.spec.run_id,
            "spec": _SPEC.dump_json(replay.spec).decode(),
            "state": progress.state.value,
            "sent": progress.sent,
            "skipped": progress.skipped,
            "total": progress.total,
            "error": progress.error,
            "started_at": replay.started_at,
            "ended_at": replay.ended_at,
        }
        with our_errors("remember a replay"):
            async with self._engine.begin() as connection:
                await connection.execute(
                    delete(ReplayRow).where(ReplayRow.run_id == replay.spec.run_id)
                )
                await connection.execute(insert(ReplayRow).values(row))

    async def find(self, run_id: str) -> Replay | None:
        """Return the replay, or none."""
        statement = select(*_COLUMNS).where(ReplayRow.run_id == run_id)
        with our_errors("look a replay up"):
            async with self._engine.connect() as connection:
                row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _replay(row)

    async def all(self) -> Sequence[Replay]:
        """Return all replays, the latest started first."""
        statement = select(*_COLUMNS).order_by(ReplayRow.started_at.desc(), ReplayRow.run_id)
        with our_errors("list replays"):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(statement)).all()
        return [_replay(row) for row in rows]


def _replay(row: Row[tuple[object, ...]]) -> Replay:
    return Replay(
        spec=_SPEC.validate_json(row.spec),
        progress=ReplayProgress(
            sent=row.sent,
            skipped=row.skipped,
            total=row.total,
            state=ReplayState(row.state),
            error=row.error,
        ),
        started_at=row.started_at,
        ended_at=row.ended_at,
    )
