"""What every store of evidence promises; SQLite and PostgreSQL keep it as the fake does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, text

from api.adapters.memory.alerts import MemoryAlertHistory
from api.adapters.memory.evidence import MemoryEvidenceStore
from api.adapters.sql.alerts.evidence import SqlEvidenceStore
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import migration_config, open_database
from api.evidence import EvidenceStore
from api.ports import AlertHistory, AlertKeeping, FeedPosition
from common.records.alerts import Alert, Transition
from common.settings import AlertHistorySettings
from tests.contract.test_alert_history import sql_settings
from tests.support.alerts import START, batch, make_alert
from tests.support.evidence import evidence_batch, make_evidence

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class World:
    """Alerts, and what they rest on."""

    history: AlertHistory
    store: EvidenceStore

    async def has(self, alert: Alert) -> bool:
        return await self.store.find(make_evidence(alert).evidence_id) is not None


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "memory":
        history = MemoryAlertHistory()
        yield World(history, MemoryEvidenceStore(history))
        return
    async with sql_settings(request, tmp_path) as chosen, open_database(chosen) as engine:
        yield World(SqlAlertHistory(engine), SqlEvidenceStore(engine))


@pytest.fixture(params=["sqlite", "postgres"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AlertHistorySettings]:
    async with sql_settings(request, tmp_path) as chosen:
        yield chosen


async def test_evidence_is_kept_whole(world: World) -> None:
    evidence = make_evidence(make_alert(), (0.1, 1e18, -3.25), held=(1,))

    assert await world.store.store(evidence_batch([evidence], next_offset=7)) == 1

    assert await world.store.find(evidence.evidence_id) == evidence
    assert await world.store.positions("cluster/x.evidence") == {0: FeedPosition(7)}
    assert await world.store.positions("cluster/x.alerts") == {}


async def test_evidence_that_comes_again_is_left_as_it_is(world: World) -> None:
    first, second = make_evidence(make_alert(5)), make_evidence(make_alert(6))
    await world.store.store(evidence_batch([first]))
    changed = first.model_copy(update={"severity": 9.0})

    new = await world.store.store(evidence_batch([changed, second, second]))

    assert new == 1
    assert await world.store.find(first.evidence_id) == first


async def test_of_two_in_one_batch_the_first_is_kept(world: World) -> None:
    first = make_evidence(make_alert(5))

    await world.store.store(evidence_batch([first, first.model_copy(update={"severity": 9.0})]))

    assert await world.store.find(first.evidence_id) == first


async def test_apis_side_by_side_keep_each_piece_once(world: World) -> None:
    pieces = [make_evidence(make_alert(cycle)) for cycle in range(1, 41)]

    await asyncio.gather(*(world.store.store(evidence_batch(pieces)) for _ in range(4)))

    found = await world.store.of_run(pieces[0].asset_id, "run-1", 100)
    assert list(found) == pieces[::-1]


async def test_evidence_of_a_run_comes_latest_first_and_bounded(world: World) -> None:
    pieces = [make_evidence(make_alert(cycle)) for cycle in (9, 4, 7)]
    other = make_evidence(make_alert(8, run_id="run-2"))
    await world.store.store(evidence_batch([*pieces, other]))

    found = await world.store.of_run(pieces[0].asset_id, "run-1", 2)

    assert [one.cycle for one in found] == [9, 7]
    assert await world.store.of_run("nobody", "run-1", 2) == []
    assert await world.store.of_run("nobody\0", "run-1", 2) == []


async def test_it_is_known_whether_a_later_alert_has_its_evidence(world: World) -> None:
    alerts = [make_alert(cycle) for cycle in (1, 2, 3)]
    await world.history.store(batch(alerts))
    await world.store.store(evidence_batch([make_evidence(alerts[1])]))

    assert await world.store.has_later(1)
    assert not await world.store.has_later(2)
    assert not await world.store.has_later(3)


async def test_evidence_goes_with_its_alert(world: World) -> None:
    raised = make_alert(5)
    cleared = make_alert(9, state=Transition.CLEARED, onset_cycle=5)
    standing = make_alert(7, asset_id="b")
    alerts = [raised, cleared, standing]
    await world.store.store(evidence_batch([make_evidence(alert) for alert in alerts]), START)
    await world.history.store(batch(alerts))

    await world.history.trim(AlertKeeping(max_rows=0), START, 10)

    assert [await world.has(alert) for alert in alerts] == [False, False, True]
    assert await world.store.trim(START + 9 * DAY, 10) == 0
    assert await world.has(standing)


async def test_evidence_without_an_alert_is_kept_for_a_day(world: World) -> None:
    orphans = [make_alert(cycle) for cycle in (1, 2, 3)]
    known = make_alert(4)
    pieces = [make_evidence(alert) for alert in (*orphans, known)]
    await world.store.store(evidence_batch(pieces), START)
    await world.history.store(batch([known]))

    assert await world.store.trim(START + DAY - timedelta(seconds=1), 2) == 0
    assert [await world.store.trim(START + DAY, 2) for _ in range(3)] == [2, 1, 0]

    assert [await world.has(alert) for alert in (*orphans, known)] == [False, False, False, True]


async def test_stored_evidence_that_cannot_be_read_harms_only_itself(
    database: AlertHistorySettings,
) -> None:
    alerts = [make_alert(cycle) for cycle in (1, 2)]
    async with open_database(database) as engine:
        store = SqlEvidenceStore(engine)
        await store.store(evidence_batch([make_evidence(alert) for alert in alerts]))
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE alert_evidence SET body = :body WHERE cycle = 1"), {"body": b"no zlib"}
            )

        assert await store.find(make_evidence(alerts[0]).evidence_id) is None
        assert [one.cycle for one in await store.of_run("FD001-test-001", "run-1", 9)] == [2]


async def test_a_database_of_the_version_before_keeps_its_alerts_and_reads_the_topic_anew(
    database: AlertHistorySettings,
) -> None:
    alert = make_alert()
    async with open_database(database) as engine:
        await SqlAlertHistory(engine).store(batch([alert], next_offset=5))
        await SqlEvidenceStore(engine).store(evidence_batch([make_evidence(alert)]))
        async with engine.begin() as connection:
            await connection.run_sync(_downgrade)

    async with open_database(database) as engine:
        history, store = SqlAlertHistory(engine), SqlEvidenceStore(engine)
        assert await history.find(alert.alert_id) is not None
        assert await history.positions("cluster/alerts") == {0: FeedPosition(5)}
        assert await store.positions("cluster/x.evidence") == {}
        assert await store.store(evidence_batch([make_evidence(alert)])) == 1


def _downgrade(connection: Connection) -> None:
    command.downgrade(migration_config(connection), "0007")
