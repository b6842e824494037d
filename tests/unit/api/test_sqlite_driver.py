"""SQLite for the api: what SQLAlchemy asks of a cursor, in one trip to the connection's thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.adapters.sql import sqlite_driver
from api.adapters.sql.database import FEW, few_statements, open_database
from common.settings import AlertHistorySettings


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = SecretStr(f"sqlite+aiosqlite:///{tmp_path}/some.db")
    async with open_database(AlertHistorySettings(url=url)) as engine:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE pump (name TEXT PRIMARY KEY, bar REAL)"))
            await connection.execute(
                text("INSERT INTO pump VALUES (:name, :bar)"),
                [{"name": f"pump-{number}", "bar": number / 2} for number in range(200)],
            )
        yield engine


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is done in a connection's thread, as it is asked for."""
    asked: list[Any] = []
    execute: Any = sqlite_driver.WholeConnection._execute

    async def noted(self: Any, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
        asked.append(work)
        return await execute(self, work, *given, **named)

    monkeypatch.setattr(sqlite_driver.WholeConnection, "_execute", noted)
    return asked


async def test_a_statement_is_one_trip_and_brings_all_its_rows(
    engine: AsyncEngine, trips: list[Any]
) -> None:
    async with engine.connect() as connection:
        trips.clear()
        rows = (await connection.execute(text("SELECT name, bar FROM pump ORDER BY bar"))).all()
        asked = len(trips)

    assert asked == 1
    assert [(row.name, row.bar) for row in rows][:2] == [("pump-0", 0.0), ("pump-1", 0.5)]
    assert len(rows) == 200


async def test_a_write_says_how_many_rows_it_changed(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        changed = await connection.execute(text("UPDATE pump SET bar = 0 WHERE bar < 2"))
        gone = await connection.execute(text("DELETE FROM pump WHERE bar > 1000"))

    assert (changed.rowcount, gone.rowcount) == (4, 0)


async def test_what_fails_leaves_the_connection_usable(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(text("INSERT INTO pump VALUES ('pump-1', 1)"))
        await connection.rollback()
        with pytest.raises(OperationalError, match="no such table"):
            await connection.execute(text("SELECT 1 FROM fan"))
        count = await connection.scalar(text("SELECT count(*) FROM pump"))

    assert count == 200


async def test_what_was_not_committed_is_gone(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("DELETE FROM pump"))
    async with engine.connect() as connection:
        count = await connection.scalar(text("SELECT count(*) FROM pump"))

    assert count == 200


async def test_few_statements_make_no_trip_and_the_commit_makes_one(
    engine: AsyncEngine, trips: list[Any]
) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("UPDATE pump SET bar = 7 WHERE name = 'pump-1'"))
        trips.clear()
        async with few_statements(connection, FEW):
            await connection.execute(text("UPDATE pump SET bar = 8 WHERE name = 'pump-2'"))
            bar = await connection.scalar(text("SELECT bar FROM pump WHERE name = 'pump-1'"))
            in_the_block = len(trips)
        await connection.commit()
        asked = len(trips)
    async with engine.connect() as connection:
        kept = await connection.scalar(text("SELECT bar FROM pump WHERE name = 'pump-2'"))

    assert (bar, in_the_block, asked, kept) == (7, 0, 1, 8)


async def test_many_statements_leave_the_loop_to_others(
    engine: AsyncEngine, trips: list[Any]
) -> None:
    async with engine.begin() as connection:
        trips.clear()
        async with few_statements(connection, FEW + 1):
            await connection.execute(text("UPDATE pump SET bar = 8 WHERE name = 'pump-2'"))
        asked = len(trips)

    assert asked == 1


async def test_what_fails_among_few_statements_ends_them(
    engine: AsyncEngine, trips: list[Any]
) -> None:
    async with engine.connect() as connection:
        with pytest.raises(IntegrityError):
            async with few_statements(connection, 1):
                await connection.execute(text("INSERT INTO pump VALUES ('pump-1', 1)"))
        await connection.rollback()
        trips.clear()
        count = await connection.scalar(text("SELECT count(*) FROM pump"))
        asked = len(trips)

    assert (count, asked) == (200, 1)
