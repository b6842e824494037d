"""What every store of keys, sessions and audit entries promises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from api.access.keys import ApiKey, Session, digest_of
from api.access.ports import AccessStore, AuditEntry
from api.access.roles import Role
from api.adapters.memory.access import MemoryAccessStore
from api.adapters.sql.access import SqlAccessStore
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import migration_config, open_database
from api.ports import AlertFilter
from common.settings import AlertHistorySettings
from tests.contract.test_alert_history import sql_settings
from tests.support.alerts import START, batch, make_alert

KEY = ApiKey("0a1b2c3d", "anna", Role.OPERATOR, digest_of("x"), START)
ENTRY = AuditEntry(START, "anna", "0a1b2c3d", "127.0.0.1", "POST", "/api/v1/replays", 202)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AccessStore]:
    if request.param == "memory":
        yield MemoryAccessStore()
        return
    async with sql_settings(request, tmp_path) as chosen, open_database(chosen) as engine:
        yield SqlAccessStore(engine)


@pytest.fixture(params=["sqlite", "postgres"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AlertHistorySettings]:
    async with sql_settings(request, tmp_path) as chosen:
        yield chosen


async def test_a_key_is_found_by_its_prefix_and_kept_whole(store: AccessStore) -> None:
    later = replace(
        KEY, prefix="ffffffff", name="bo", created_at=START + timedelta(hours=1),
        expires_at=START + timedelta(days=3, microseconds=7),
    )  # fmt: skip

    assert await store.add_key(later)
    assert await store.add_key(KEY)

    assert await store.key("0a1b2c3d") == KEY
    assert await store.keys() == [KEY, later]
    for unknown in ("nobody", "\0", "\ud800"):
        assert await store.key(unknown) is None
        assert not await store.revoke(unknown, START)


async def test_neither_names_nor_prefixes_are_given_twice(store: AccessStore) -> None:
    await store.add_key(KEY)
    await store.revoke(KEY.prefix, START)

    assert not await store.add_key(replace(KEY, prefix="ffffffff"))
    assert not await store.add_key(replace(KEY, name="bo"))
    assert len(await store.keys()) == 1


async def test_a_revoked_key_takes_its_sessions_with_it(store: AccessStore) -> None:
    other = replace(KEY, prefix="ffffffff", name="bo")
    for key in (KEY, other):
        await store.add_key(key)
        await store.add_session(Session(digest_of(key.name), key.prefix, START))

    assert await store.revoke(KEY.prefix, START)
    assert not await store.revoke(KEY.prefix, START + timedelta(days=1))

    assert await store.key(KEY.prefix) == replace(KEY, revoked_at=START)
    assert await store.session(digest_of("anna")) is None
    assert await store.session(digest_of("bo")) == Session(digest_of("bo"), "ffffffff", START)


async def test_sessions_end_and_are_forgotten(store: AccessStore) -> None:
    sessions = [
        Session(digest_of(str(hour)), "p", START + timedelta(hours=hour)) for hour in (1, 2)
    ]
    for session in sessions:
        await store.add_session(session)

    await store.forget_sessions(START + timedelta(hours=1))
    assert [await store.session(each.digest) for each in sessions] == [None, sessions[1]]
    await store.end_session(sessions[1].digest)
    await store.end_session(sessions[1].digest)
    assert await store.session(sessions[1].digest) is None


async def test_the_audit_log_is_read_backwards_by_name_and_by_outcome(store: AccessStore) -> None:
    for number, (who, status) in enumerate([("a", 202), ("b", 403), ("a", 401), ("", 401)]):
        await store.note(
            replace(ENTRY, who=who, status=status, at=START + timedelta(seconds=number))
        )

    async def read(limit: int = 9, before: int | None = None, **wanted: object) -> list[int]:
        found = await store.audit(limit, before=before, **wanted)  # type: ignore[arg-type]  # by name
        return [entry.sequence for entry in found]

    assert await read() == [4, 3, 2, 1]
    assert await read(2, 4) == [3, 2]
    assert await read(who="a") == [3, 1]
    assert await read(refused=True) == [4, 3, 2]
    assert await read(who="\0") == []
    [entry] = await store.audit(1, before=2)
    assert entry == replace(ENTRY, who="a", sequence=1)


async def test_the_audit_log_cannot_be_rewritten(database: AlertHistorySettings) -> None:
    async with open_database(database) as engine:
        store = SqlAccessStore(engine)
        await store.note(ENTRY)
        for statement in ("UPDATE audit_log SET who = 'x'", "DELETE FROM audit_log"):
            with pytest.raises(DBAPIError, match="append-only"):
                async with engine.begin() as connection:
                    await connection.execute(text(statement))
        assert [entry.who for entry in await store.audit(9)] == ["anna"]


async def test_the_way_back_takes_keys_and_leaves_alerts(database: AlertHistorySettings) -> None:
    async with open_database(database) as engine:
        await SqlAlertHistory(engine).store(batch([make_alert()]))
        store = SqlAccessStore(engine)
        await store.add_key(KEY)
        await store.note(ENTRY)
        async with engine.begin() as connection:
            await connection.run_sync(_downgrade)

    async with open_database(database) as engine:
        assert len(await SqlAlertHistory(engine).page(AlertFilter(), 9)) == 1
        assert await SqlAccessStore(engine).keys() == []
        assert await SqlAccessStore(engine).audit(9) == []


def _downgrade(connection: Connection) -> None:
    command.downgrade(migration_config(connection), "0005")
