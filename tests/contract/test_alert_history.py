"""What every alert history promises; SQLite and PostgreSQL keep it as the fake does."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from api.adapters.memory.alerts import MemoryAlertHistory
from api.adapters.memory.replays import MemoryReplayRecords
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import migration_config, open_database, our_errors
from api.adapters.sql.models import Base
from api.adapters.sql.replay_records import SqlReplayRecords
from api.http.queries import FIRST_MOMENT, LAST_MOMENT
from api.ports import (
    AlertFilter,
    AlertGap,
    AlertHistory,
    AlertKeeping,
    FeedBatch,
    FeedPosition,
    OffsetGap,
    StoredAlert,
)
from api.replays.ports import (
    Replay,
    ReplayProgress,
    ReplayRecords,
    ReplaySpec,
    ReplayState,
    UnreadableReplay,
)
from common.errors import BackendError, BackendRefusedError, BackendUnavailableError
from common.records.alerts import Alert, Transition
from common.records.times import EARLIEST, LATEST
from common.records.verdicts import Level
from common.settings import AlertHistorySettings
from tests.support.alerts import START, batch, make_alert

ALL = AlertFilter()
NAMES = {"a", "b", make_alert().asset_id}


@asynccontextmanager
async def sql_settings(
    request: pytest.FixtureRequest, folder: Path, template: str | None = None
) -> AsyncIterator[AlertHistorySettings]:
    """A database of this test's own; in PostgreSQL perhaps a copy of a migrated one."""
    if request.param == "sqlite":
        yield AlertHistorySettings(url=SecretStr(f"sqlite+aiosqlite:///{folder}/alerts.db"))
        return
    server = request.getfixturevalue("postgres")
    name = f"surgeline_{uuid.uuid4().hex}"
    admin = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        copy = "" if template is None else f" TEMPLATE {template}"
        await connection.execute(text(f"CREATE DATABASE {name}{copy}"))
    try:
        yield AlertHistorySettings(url=SecretStr(f"{server.rpartition('/')[0]}/{name}"))
    finally:
        async with admin.connect() as connection:
            await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        await admin.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AlertHistorySettings]:
    async with sql_settings(request, tmp_path) as chosen:
        yield chosen


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def history(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AlertHistory]:
    if request.param == "memory":
        yield MemoryAlertHistory()
        return
    async with (
        sql_settings(request, tmp_path) as chosen,
        open_database(chosen) as engine,
    ):
        yield SqlAlertHistory(engine)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ReplayRecords]:
    if request.param == "memory":
        yield MemoryReplayRecords()
        return
    async with (
        sql_settings(request, tmp_path) as chosen,
        open_database(chosen) as engine,
    ):
        yield SqlReplayRecords(engine)


def ids(found: Sequence[StoredAlert]) -> list[str]:
    return [item.alert.alert_id for item in found]


async def test_an_alert_is_kept_whole_and_word_for_word(history: AlertHistory) -> None:
    alert = make_alert(reason='°R "quoted"\\ and\ttabbed')

    new = await history.store(batch([alert]))

    found = await history.find(alert.alert_id)
    assert found == StoredAlert(1, alert, alert.to_json().decode())
    assert new == [found]


async def test_a_redelivered_alert_keeps_its_place(history: AlertHistory) -> None:
    first, second, third = (make_alert(cycle) for cycle in (1, 2, 3))
    await history.store(batch([first, second]))

    new = await history.store(batch([second, first, third, third]))

    assert [(item.sequence, item.alert) for item in new] == [(3, third)]
    page = await history.page(ALL, 10)
    assert [(item.sequence, item.alert.cycle) for item in page] == [(1, 1), (2, 2), (3, 3)]


async def test_more_alerts_than_one_statement_takes_are_told_apart(history: AlertHistory) -> None:
    alerts = [make_alert(cycle) for cycle in range(1, 1302)]
    await history.store(batch(alerts[:700]))

    new = await history.store(batch(alerts))

    assert [item.sequence for item in new] == list(range(701, 1302))
    page = await history.page(ALL, 5000)
    assert [item.sequence for item in page] == list(range(1, 1302))


async def test_the_next_offset_is_kept_by_source_and_partition(history: AlertHistory) -> None:
    await history.store(batch([make_alert()], source="a", partition=0, next_offset=7))
    await history.store(batch([], source="a", partition=3, next_offset=9))
    await history.store(batch([], source="b", partition=0, next_offset=1))
    await history.store(batch([], source="a", partition=0, next_offset=2))

    assert await history.positions("a") == {0: FeedPosition(2), 3: FeedPosition(9)}
    assert await history.positions("b") == {0: FeedPosition(1)}
    assert await history.positions("c") == {}


async def test_pages_run_both_ways_from_a_sequence(history: AlertHistory) -> None:
    await history.store(batch([make_alert(cycle) for cycle in range(1, 8)]))

    forwards = await history.page(ALL, 3, after=2)
    backwards = await history.page(ALL, 3, after=6, newest_first=True)
    newest = await history.page(ALL, 2, newest_first=True)

    assert [item.sequence for item in forwards] == [3, 4, 5]
    assert [item.sequence for item in backwards] == [5, 4, 3]
    assert [item.sequence for item in newest] == [7, 6]


@pytest.mark.parametrize(
    ("wanted", "cycles"),
    [
        pytest.param(AlertFilter(asset_id="b"), [2], id="asset"),
        pytest.param(AlertFilter(fleet="pumps"), [2], id="fleet"),
        pytest.param(AlertFilter(fleet="default"), [1, 3, 4], id="default fleet"),
        pytest.param(AlertFilter(run_id="other"), [3], id="run"),
        pytest.param(
            AlertFilter(alarm_id=make_alert(1, asset_id="a").alarm_id), [1, 4], id="alarm"
        ),
        pytest.param(AlertFilter(level=Level.WARNING), [1, 2, 3], id="level"),
        pytest.param(AlertFilter(min_level=Level.WARNING), [1, 2, 3, 4], id="warning or worse"),
        pytest.param(AlertFilter(min_level=Level.CRITICAL), [4], id="critical or worse"),
        pytest.param(AlertFilter(state=Transition.ESCALATED), [4], id="state"),
        pytest.param(AlertFilter(since=START + timedelta(seconds=3)), [3, 4], id="since includes"),
        pytest.param(AlertFilter(until=START + timedelta(seconds=3)), [1, 2], id="until excludes"),
        pytest.param(AlertFilter(asset_id="a", run_id="other"), [3], id="together"),
        pytest.param(AlertFilter(asset_id="nobody"), [], id="nothing"),
    ],
)
async def test_filters(history: AlertHistory, wanted: AlertFilter, cycles: list[int]) -> None:
    await history.store(
        batch(
            [
                make_alert(1, asset_id="a"),
                make_alert(2, asset_id="b", fleet="pumps"),
                make_alert(3, asset_id="a", run_id="other"),
                make_alert(
                    4,
                    asset_id="a",
                    state=Transition.ESCALATED,
                    level=Level.CRITICAL,
                    onset_cycle=1,
                ),
            ]
        )
    )

    found = await history.page(wanted, 10)

    assert [item.alert.cycle for item in found] == cycles


async def test_an_alarm_is_open_until_it_is_cleared(history: AlertHistory) -> None:
    raised = make_alert(10, asset_id="a")
    escalated = make_alert(12, asset_id="a", state=Transition.ESCALATED, onset_cycle=10)
    cleared = make_alert(30, asset_id="a", state=Transition.CLEARED, onset_cycle=10)
    other = make_alert(11, asset_id="b")

    await history.store(batch([raised, other]))
    assert ids(await history.open_alarms(NAMES)) == [raised.alert_id, other.alert_id]
    await history.store(batch([escalated]))
    assert ids(await history.open_alarms(NAMES)) == [other.alert_id, escalated.alert_id]
    await history.store(batch([cleared]))
    assert ids(await history.open_alarms(NAMES)) == [other.alert_id]
    await history.store(batch([raised, escalated]))
    assert ids(await history.open_alarms(NAMES)) == [other.alert_id]


async def test_open_alarms_are_asked_for_by_asset(history: AlertHistory) -> None:
    alerts = [make_alert(1, asset_id=f"engine-{number}") for number in range(1200)]
    await history.store(batch(alerts))

    some = await history.open_alarms({f"engine-{number}" for number in range(0, 1200, 2)})

    assert ids(some) == [alert.alert_id for alert in alerts[::2]]
    assert await history.open_alarms(set()) == []
    assert await history.open_alarms({"nobody", "\0"}) == []


async def test_an_alarm_raised_and_cleared_in_one_batch_is_not_open(history: AlertHistory) -> None:
    raised = make_alert(10)
    cleared = make_alert(30, state=Transition.CLEARED, onset_cycle=10)

    await history.store(batch([raised, cleared]))

    assert await history.open_alarms(NAMES) == []


async def test_an_alarm_whose_end_arrives_before_its_beginning_is_not_open(
    history: AlertHistory,
) -> None:
    raised = make_alert(10)
    escalated = make_alert(12, state=Transition.ESCALATED, onset_cycle=10)
    cleared = make_alert(30, state=Transition.CLEARED, onset_cycle=10)

    await history.store(batch([cleared]))
    await history.store(batch([raised]))
    await history.store(batch([escalated]))

    assert await history.open_alarms(NAMES) == []


async def test_nothing_is_found_in_an_empty_history(history: AlertHistory) -> None:
    assert await history.last() is None
    assert await history.find("nobody") is None
    assert await history.page(ALL, 10) == []
    await history.ping()


async def test_the_last_alert_is_the_one_that_arrived_last(history: AlertHistory) -> None:
    late, early = make_alert(90), make_alert(3)
    await history.store(batch([late]))
    await history.store(batch([early, late]))

    last = await history.last()

    assert last is not None
    assert (last.sequence, last.alert) == (2, early)


async def test_writers_side_by_side_store_each_alert_once_without_gaps(
    database: AlertHistorySettings,
) -> None:
    """Four processes would be four engines, as here; a reader meanwhile never sees a gap fill."""
    alerts = [make_alert(cycle) for cycle in range(1, 201)]
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(open_database(database)) for _ in range(4)]
        histories = [SqlAlertHistory(engine) for engine in engines]
        done = asyncio.Event()
        seen: list[list[int]] = []

        async def write(history: SqlAlertHistory) -> int:
            new = 0
            for start in range(0, 200, 10):
                some = batch(alerts[start : start + 10], next_offset=start + 10)
                new += len(await history.store(some))
            return new

        async def read() -> None:
            while not done.is_set():
                page = await histories[0].page(ALL, 1000)
                seen.append([item.sequence for item in page])

        reader = asyncio.create_task(read())
        new = await asyncio.gather(*(write(history) for history in histories))
        done.set()
        await reader

        assert sum(new) == 200
        assert [item.sequence for item in await histories[1].page(ALL, 1000)] == [*range(1, 201)]
        assert all(sequences == [*range(1, len(sequences) + 1)] for sequences in seen)


async def test_a_failed_write_leaves_neither_alerts_nor_position(
    database: AlertHistorySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        raise RuntimeError("died before the commit")

    async with open_database(database) as engine:
        history = SqlAlertHistory(engine)
        await history.store(batch([make_alert(1)], next_offset=1))
        with monkeypatch.context() as patched:
            patched.setattr("api.adapters.sql.alerts.history.put_position", die)
            with pytest.raises(RuntimeError, match="died"):
                await history.store(batch([make_alert(2)], next_offset=2))

        assert [item.alert.cycle for item in await history.page(ALL, 10)] == [1]
        assert await history.positions("cluster/alerts") == {0: FeedPosition(1)}
        assert len(await history.store(batch([make_alert(2)], next_offset=2))) == 1
        last = await history.last()
        assert last is not None
        assert last.sequence == 2


async def test_processes_that_start_together_migrate_once(database: AlertHistorySettings) -> None:
    async def open_and_ping() -> None:
        async with open_database(database) as engine:
            await SqlAlertHistory(engine).ping()

    await asyncio.gather(*(open_and_ping() for _ in range(4)))

    async with open_database(database) as engine, engine.connect() as connection:
        rows = (await connection.execute(text("SELECT value FROM alert_sequence"))).all()
    assert [tuple(row) for row in rows] == [(0,), (0,)]  # of alerts, and of actions


async def test_the_migrations_make_the_schema_of_the_models(database: AlertHistorySettings) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async with open_database(database) as engine, engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_history_survives_being_closed(database: AlertHistorySettings) -> None:
    async with open_database(database) as engine:
        await SqlAlertHistory(engine).store(batch([make_alert()], next_offset=5))

    async with open_database(database) as engine:
        history = SqlAlertHistory(engine)
        assert len(await history.page(ALL, 10)) == 1
        assert await history.positions("cluster/alerts") == {0: FeedPosition(5)}


def replay(run_id: str, minute: int, **changes: object) -> Replay:
    spec = ReplaySpec(run_id, "FD001", "test", "1-20,42", "60x", START, 0.25, None)
    progress = ReplayProgress(**changes)  # type: ignore[arg-type]
    return Replay(spec, progress, START + timedelta(minutes=minute))


async def test_a_replay_is_remembered_as_it_last_was(records: ReplayRecords) -> None:
    running = replay("a", 1, sent=5)
    ended = replay("a", 1, sent=9, skipped=1, total=10, state=ReplayState.FAILED, error="°R")

    await records.put(running)
    await records.put(ended)

    assert await records.find("a") == ended
    assert await records.find("b") is None


async def test_replays_are_listed_latest_first(records: ReplayRecords) -> None:
    for run_id, minute in (("b", 2), ("a", 1), ("c", 3)):
        await records.put(replay(run_id, minute))

    found = [item for item in await records.all() if isinstance(item, Replay)]
    assert [item.spec.run_id for item in found] == ["c", "b", "a"]


async def test_a_replay_that_could_not_be_read_back_is_not_remembered(
    records: ReplayRecords,
) -> None:
    sound = replay("a", 1)
    spec = replace(sound.spec, start=datetime(1960, 1, 1, tzinfo=UTC))

    with pytest.raises(ValueError, match="1970"):
        await records.put(replace(sound, spec=spec))

    assert await records.all() == []


async def test_what_a_dying_producer_said_is_storable_whatever_it_was(
    records: ReplayRecords,
) -> None:
    await records.put(replay("a", 1, state=ReplayState.FAILED, error="a\0b \ud800"))

    found = await records.find("a")

    assert isinstance(found, Replay)
    assert found.progress.error is not None


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("spec", "'{'", id="spec is no JSON"),
        pytest.param("spec", "'[]'", id="spec is no object"),
        pytest.param("spec", "replace(spec, '2026', '1960')", id="start in 1960"),
        pytest.param("spec", "replace(spec, '0.25', 'NaN')", id="interval NaN"),
        pytest.param("spec", "replace(spec, 'FD001', '\\ud800')", id="lone surrogate"),
        pytest.param("state", "'paused'", id="a state of another version"),
        pytest.param("started_at", "'0001-01-01 00:00:00'", id="started in year 1"),
    ],
)
async def test_a_replay_that_cannot_be_read_harms_only_itself(
    database: AlertHistorySettings, column: str, value: str
) -> None:
    async with open_database(database) as engine:
        records = SqlReplayRecords(engine)
        await records.put(replay("sound", 1))
        await records.put(replay("spoilt", 2))
        async with engine.begin() as connection:
            await connection.execute(
                text(f"UPDATE replays SET {column} = {value} WHERE run_id = 'spoilt'")  # noqa: S608
            )

        first, second = await records.all()
        assert first == replay("sound", 1)
        assert isinstance(second, UnreadableReplay)
        assert second == await records.find("spoilt")
        assert (second.run_id, bool(second.why)) == ("spoilt", True)
        await records.forget("spoilt")
        assert await records.all() == [replay("sound", 1)]


async def test_a_time_that_the_driver_cannot_read_harms_only_its_own_replay(
    tmp_path: Path,
) -> None:
    database = AlertHistorySettings(url=SecretStr(f"sqlite+aiosqlite:///{tmp_path}/alerts.db"))
    async with open_database(database) as engine:
        records = SqlReplayRecords(engine)
        await records.put(replay("sound", 1))
        await records.put(replay("spoilt", 2))
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE replays SET ended_at = 'soon' WHERE run_id = 'spoilt'")
            )

        first, second = await records.all()
        assert first == replay("sound", 1)
        assert isinstance(second, UnreadableReplay)


async def test_an_alert_that_cannot_be_read_harms_only_itself(
    database: AlertHistorySettings,
) -> None:
    async with open_database(database) as engine:
        history = SqlAlertHistory(engine)
        alerts = [make_alert(cycle) for cycle in range(1, 8)]
        await history.store(batch(alerts))
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE alerts SET body = '{}' WHERE sequence IN (2, 3, 4, 7)")
            )

        page = await history.page(ALL, 2)
        rest = await history.page(ALL, 2, after=page[-1].sequence)
        last = await history.last()

        assert [item.sequence for item in page] == [1, 5]
        assert [item.sequence for item in rest] == [6]
        assert last is not None
        assert last.sequence == 6
        assert await history.find(alerts[1].alert_id) is None
        assert [item.sequence for item in await history.open_alarms(NAMES)] == [1, 5, 6]


@given(name=st.text() | st.sampled_from(["\0", "a\0", "\ud800", "%", "'", '"', "\\", "_"]))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50
)
async def test_whatever_an_id_is_it_is_looked_for(history: AlertHistory, name: str) -> None:
    alert = make_alert()
    assume(name not in (alert.alert_id, alert.asset_id, alert.run_id, alert.alarm_id))
    await history.store(batch([alert]))

    assert await history.find(name) is None
    for wanted in (
        AlertFilter(asset_id=name),
        AlertFilter(run_id=name),
        AlertFilter(alarm_id=name),
    ):
        assert await history.page(wanted, 10) == []


@pytest.mark.parametrize("moment", [FIRST_MOMENT, LAST_MOMENT, EARLIEST, LATEST])
async def test_any_moment_can_be_a_bound(history: AlertHistory, moment: datetime) -> None:
    await history.store(batch([make_alert()]))

    after = await history.page(AlertFilter(since=moment), 10)
    before = await history.page(AlertFilter(until=moment), 10)

    assert len(after) == (moment <= START)
    assert len(before) == (moment > START)


async def test_a_position_keeps_the_mark_of_its_last_record(history: AlertHistory) -> None:
    await history.store(FeedBatch("a", 0, FeedPosition(7, "mark"), []))
    await history.store(FeedBatch("a", 1, FeedPosition(7, "mark"), []))
    await history.store(FeedBatch("a", 1, FeedPosition(0), []))

    assert await history.positions("a") == {0: FeedPosition(7, "mark"), 1: FeedPosition(0)}


async def test_gaps_are_kept_once_and_listed_latest_first(history: AlertHistory) -> None:
    first, second = OffsetGap(3, 9), OffsetGap(20, 21)
    await history.store(FeedBatch("a", 0, FeedPosition(9), [], first), START)
    later = START + timedelta(hours=1)
    await history.store(FeedBatch("a", 0, FeedPosition(21), [], second), later)
    await history.store(FeedBatch("a", 0, FeedPosition(9), [], first), later)

    assert await history.gaps() == [
        AlertGap("a", 0, second, later),
        AlertGap("a", 0, first, START),
    ]


DAY = timedelta(days=1)


def alarm(cycle: int, end: int | None = None) -> list[Alert]:
    """An alarm from raised to cleared, or one that is still open."""
    raised = make_alert(cycle)
    if end is None:
        return [raised]
    return [raised, make_alert(end, state=Transition.CLEARED, onset_cycle=cycle)]


async def test_alarms_that_are_over_and_old_go_as_a_whole_and_open_ones_never(
    history: AlertHistory,
) -> None:
    keep = AlertKeeping(max_age=10 * DAY)
    straddling = alarm(30, 60)
    await history.store(batch([*alarm(10, 20), straddling[0], *alarm(40)]))
    assert await history.trim(keep, START, 100) == 0
    await history.store(batch([straddling[1], *alarm(70, 80)]))
    assert await history.trim(keep, START + 5 * DAY, 100) == 0
    assert await history.removed_until() is None

    assert await history.trim(keep, START + 10 * DAY, 100) == 2
    kept = await history.page(ALL, 100)
    assert [(item.sequence, item.alert.cycle) for item in kept] == [
        (3, 30), (4, 40), (5, 60), (6, 70), (7, 80),
    ]  # fmt: skip
    assert await history.removed_until() == START + timedelta(seconds=20)

    assert await history.trim(keep, START + 99 * DAY, 100) == 4
    (left,) = await history.page(ALL, 100)
    assert (left.sequence, left.alert.cycle) == (4, 40)
    assert await history.open_alarms(NAMES) == [left]
    assert await history.find(straddling[0].alert_id) is None
    assert await history.removed_until() == START + timedelta(seconds=80)


async def test_an_alarm_that_ends_at_last_goes_too_and_sequences_go_on(
    history: AlertHistory,
) -> None:
    keep = AlertKeeping(max_age=10 * DAY)
    first, end = alarm(10, 20)
    await history.store(batch([first]))
    for days in (0, 10, 20, 30):
        assert await history.trim(keep, START + days * DAY, 100) == 0
    await history.store(batch([end]))
    assert await history.trim(keep, START + 31 * DAY, 100) == 0
    assert await history.trim(keep, START + 40 * DAY, 100) == 0

    assert await history.trim(keep, START + 41 * DAY, 100) == 2
    await history.store(batch(alarm(50)))
    assert [item.sequence for item in await history.page(ALL, 10)] == [3]


async def test_only_so_many_alerts_are_kept_a_slice_at_a_time(history: AlertHistory) -> None:
    await history.store(batch([one for n in range(10) for one in alarm(10 * n + 1, 10 * n + 5)]))
    keep = AlertKeeping(max_rows=6)

    assert [await history.trim(keep, START, 5) for _ in range(4)] == [5, 5, 4, 0]
    assert [item.sequence for item in await history.page(ALL, 100)] == list(range(15, 21))
    assert await history.trim(AlertKeeping(), START + 9999 * DAY, 5) == 0


async def test_removing_and_storing_at_once_loses_nothing_new(history: AlertHistory) -> None:
    keep = AlertKeeping(max_rows=40)

    async def remove() -> None:
        for _ in range(20):
            await history.trim(keep, START, 20)

    async def store(first: int) -> None:
        for n in range(20):
            await history.store(batch(alarm(first + 10 * n, first + 10 * n + 5)))

    await asyncio.gather(remove(), store(1), store(1001))
    while await history.trim(keep, START, 20):
        pass

    kept = await history.page(ALL, 1000)
    assert [item.sequence for item in kept] == list(range(41, 81))


async def test_a_database_of_the_version_before_keeps_what_it_holds(
    database: AlertHistorySettings,
) -> None:
    async with open_database(database) as engine:
        await SqlAlertHistory(engine).store(batch([make_alert()], next_offset=5))
        async with engine.begin() as connection:
            await connection.run_sync(_downgrade)

    async with open_database(database) as engine:
        history = SqlAlertHistory(engine)
        assert len(await history.page(ALL, 10)) == 1
        assert await history.positions("cluster/alerts") == {0: FeedPosition(5)}
        assert await history.gaps() == []


def _downgrade(connection: Connection) -> None:
    command.downgrade(migration_config(connection), "0001")


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("57P03", BackendUnavailableError),  # the database system is starting up
        ("57P01", BackendUnavailableError),  # it is shutting down
        ("53300", BackendUnavailableError),  # too many connections
        ("28P01", BackendRefusedError),  # wrong password
        ("42501", BackendRefusedError),  # no rights
    ],
)
def test_what_passes_is_told_from_what_does_not(state: str, error: type[BackendError]) -> None:
    class DriverError(Exception):
        sqlstate = state

    with pytest.raises(error), our_errors("answer"):
        raise DBAPIError("SELECT 1", None, DriverError("no"))
