"""What every outbox of notifications promises; SQLite and PostgreSQL keep it as the fake does."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from api.adapters.memory.alarms import MemoryAlarmStore
from api.adapters.memory.alerts import MemoryAlertHistory
from api.adapters.memory.outbox import MemoryOutbox
from api.adapters.sql.alarms.store import SqlAlarmStore
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import migration_config, open_database
from api.adapters.sql.outbox.store import SqlOutbox
from api.alarms.actions import Request
from api.alarms.desk import AlarmDesk
from api.alarms.events import Action
from api.alarms.ports import AlarmStore
from api.notifications.ports import Note, Outbox, Settled, Standing
from api.notifications.receivers import Mail, Receiver
from api.notifications.rules import NoteState
from api.ports import AlertFilter, AlertHistory, FeedBatch, FeedPosition, WireAlert
from common.records.alerts import Alert, Transition
from common.records.verdicts import Level
from common.settings import AlertHistorySettings
from tests.contract.test_alert_history import sql_settings
from tests.support.alarms import request
from tests.support.alerts import batch, make_alert
from tests.support.clock import FakeClock

LEASE = timedelta(seconds=20)
SECOND = timedelta(seconds=1)
WAY = Mail(("a@b.org",))
RECEIVERS = (
    Receiver("all", WAY),
    Receiver("bad", WAY, levels=frozenset({Level.CRITICAL})),
    Receiver("pumps", WAY, fleets=frozenset({"pumps"})),
)
NAMES = [each.name for each in RECEIVERS]


@dataclass(slots=True)
class World:
    """Alerts, actions, notes and a clock."""

    history: AlertHistory
    alarms: AlarmStore
    outbox: Outbox
    clock: FakeClock

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def wait(self, span: timedelta) -> None:
        self.clock.elapsed_s += span.total_seconds()

    async def arrive(self, *alerts: Alert) -> None:
        await self.history.store(batch(alerts), self.now)

    async def act(self, alert: Alert, wanted: Request) -> None:
        await AlarmDesk(self.alarms, self.clock, lambda: None).act(alert.alarm_id, wanted)

    async def claim(self, receiver: str = "all", most: int = 100) -> Sequence[Note]:
        return await self.outbox.claim(receiver, most, self.now, LEASE)

    async def claimed(self, receiver: str = "all", most: int = 100) -> list[str]:
        return [note.alert_id for note in await self.claim(receiver, most)]

    async def settle(
        self,
        notes: Sequence[Note],
        state: NoteState = NoteState.DELIVERED,
        why: str = "",
        due_at: datetime | None = None,
    ) -> None:
        await self.outbox.settle([Settled(note, state, why, due_at) for note in notes], self.now)

    async def standing(self, receiver: str = "all") -> Standing:
        [found] = [each for each in await self.outbox.standings() if each.receiver == receiver]
        return found


@pytest.fixture(params=["sqlite", "postgres"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AlertHistorySettings]:
    async with sql_settings(request, tmp_path) as chosen:
        yield chosen


@pytest.fixture(scope="module")
def migrated(request: pytest.FixtureRequest) -> str:
    """The name of a migrated PostgreSQL database: copying it is quicker than migrating another."""
    name = f"surgeline_{uuid.uuid4().hex}"
    server = request.getfixturevalue("postgres")

    async def make() -> None:
        await _create(server, name)
        url = SecretStr(f"{server.rpartition('/')[0]}/{name}")
        async with open_database(AlertHistorySettings(url=url)):
            pass

    with ThreadPoolExecutor(1) as thread:  # a loop may be running in this one
        thread.submit(asyncio.run, make()).result()
    return name


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    clock = FakeClock()
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            memory = MemoryAlertHistory()
            alarms = MemoryAlarmStore(memory)
            found = World(memory, alarms, MemoryOutbox(memory, alarms, RECEIVERS), clock)
        else:
            template = request.getfixturevalue("migrated") if request.param == "postgres" else None
            chosen = await stack.enter_async_context(sql_settings(request, tmp_path, template))
            engine = await stack.enter_async_context(open_database(chosen))
            history = SqlAlertHistory(engine, RECEIVERS)
            found = World(history, SqlAlarmStore(engine), SqlOutbox(engine), clock)
        await found.outbox.register(NAMES, found.now)
        yield found


async def _create(server: str, name: str) -> None:
    admin = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await admin.dispose()


def raised(asset_id: str, cycle: int = 10, fleet: str = "default") -> Alert:
    return make_alert(cycle, asset_id=asset_id, fleet=fleet)


def escalated(asset_id: str) -> Alert:
    return make_alert(
        14, asset_id=asset_id, state=Transition.ESCALATED, level=Level.CRITICAL, onset_cycle=10
    )


def cleared(asset_id: str) -> Alert:
    return make_alert(30, asset_id=asset_id, state=Transition.CLEARED, onset_cycle=10)


async def test_each_receiver_has_a_note_of_each_alert_it_wants(world: World) -> None:
    alerts = [raised("a"), escalated("a"), raised("b", fleet="pumps")]
    await world.arrive(*alerts)

    notes = await world.claim()
    assert [note.alert_id for note in notes] == [alert.alert_id for alert in alerts]
    assert [note.body for note in notes] == [alert.to_json().decode() for alert in alerts]
    assert {(note.noted_at, note.attempts) for note in notes} == {(world.now, 1)}
    assert await world.claimed("bad") == [alerts[1].alert_id]
    assert await world.claimed("pumps") == [alerts[2].alert_id]
    assert await world.claimed("nobody") == []


async def test_an_alert_that_is_read_again_is_noted_no_second_time(world: World) -> None:
    await world.arrive(raised("a"))
    await world.settle(await world.claim())

    await world.arrive(raised("a"), raised("b"))

    assert await world.claimed() == [raised("b").alert_id]


async def test_what_one_has_taken_no_other_gets_until_the_lease_ends(world: World) -> None:
    await world.arrive(*(raised("a", cycle) for cycle in (1, 2, 3)))

    assert await world.claimed(most=2) == [raised("a", 1).alert_id, raised("a", 2).alert_id]
    assert await world.claimed() == [raised("a", 3).alert_id]
    assert await world.claimed() == []
    assert await world.outbox.next_due("all") == world.now + LEASE
    world.wait(LEASE)
    again = await world.claim()
    assert [note.attempts for note in again] == [2, 2, 2]


async def test_what_failed_is_due_again_when_it_is_said(world: World) -> None:
    await world.arrive(raised("a"))
    notes = await world.claim()

    await world.settle(notes, NoteState.WAITING, "HTTP 503", world.now + SECOND)

    assert await world.claimed() == []
    assert await world.outbox.next_due("all") == world.now + SECOND
    assert (await world.standing()).problem == "HTTP 503"
    world.wait(SECOND)
    await world.settle(await world.claim())
    assert await world.outbox.next_due("all") is None
    assert (await world.standing()).problem == ""


async def test_a_late_word_counts_only_if_it_was_delivered(world: World) -> None:
    """Whoever lost its lease may say that it is done; not that it failed."""
    await world.arrive(raised("a"), raised("b"))
    first = await world.claim()
    world.wait(LEASE)
    second = await world.claim()

    await world.settle(first[:1], NoteState.GIVEN_UP, "late")
    await world.settle(first[1:], NoteState.DELIVERED)
    await world.settle(second[1:], NoteState.WAITING, "too late", world.now)

    assert await world.claimed() == []
    standing = await world.standing()
    assert (standing.waiting, standing.delivered, standing.given_up) == (1, 1, 0)
    await world.settle(second[:1], NoteState.GIVEN_UP, "no more")
    standing = await world.standing()
    assert (standing.waiting, standing.delivered, standing.given_up) == (0, 1, 1)
    assert standing.problem == "no more"


async def test_a_new_receiver_is_told_nothing_of_before(world: World) -> None:
    def published(alert: Alert, at: datetime | None) -> WireAlert:
        return WireAlert(alert, alert.to_json().decode(), at)

    old, fresh, undated = raised("old"), raised("fresh"), raised("undated")
    wire = [
        published(old, world.now - timedelta(hours=1)),
        published(fresh, world.now + SECOND),
        published(undated, None),
    ]

    await world.history.store(FeedBatch("c/a", 0, FeedPosition(3), wire), world.now)

    assert await world.claimed() == [fresh.alert_id, undated.alert_id]
    assert len(await world.history.page(AlertFilter(), 10)) == 3


async def test_a_receiver_stays_as_old_as_it_is(world: World) -> None:
    since = world.now
    world.wait(timedelta(hours=1))

    await world.outbox.register(["all", "new"], world.now)

    found = {each.receiver: each.since for each in await world.outbox.standings()}
    assert found == {"all": since, "bad": since, "new": world.now, "pumps": since}


async def test_nobody_is_told_of_what_is_shelved_unless_it_gets_worse(world: World) -> None:
    await world.arrive(raised("a"))
    await world.settle(await world.claim())
    await world.act(raised("a"), request(Action.SHELVED))

    other = raised("a", 12).model_copy(update={"alarm_id": "other"})
    await world.arrive(other)

    assert await world.claimed() == []
    standing = await world.standing()
    assert (standing.held, standing.waiting) == (1, 0)
    await world.arrive(escalated("a"), raised("b"))
    assert await world.claimed() == [escalated("a").alert_id, raised("b").alert_id]
    world.wait(timedelta(hours=2))
    assert await world.claimed("bad") == [escalated("a").alert_id]
    assert (await world.standing()).held == 1


async def test_the_end_of_what_is_shelved_is_told_only_if_the_shelf_ends_with_it(
    world: World,
) -> None:
    await world.arrive(raised("until-then"), raised("until-recovery"))
    await world.settle(await world.claim())
    await world.act(raised("until-then"), request(Action.SHELVED))
    await world.act(raised("until-then"), request(Action.ACKNOWLEDGED))
    await world.act(raised("until-recovery"), request(Action.SHELVED, ends_on_recovery=True))

    await world.arrive(cleared("until-then"), cleared("until-recovery"))

    assert await world.claimed() == [cleared("until-recovery").alert_id]
    assert (await world.standing()).held == 1


async def test_nobody_is_told_of_what_is_out_of_service(world: World) -> None:
    desk = AlarmDesk(world.alarms, world.clock, lambda: None)
    asked = request(Action.MAINTENANCE_PLANNED, request_id="x")
    end = world.now + timedelta(hours=1)
    await desk.plan(asked, asset_id="a", fleet=None, starts_at=None, ends_at=end)

    await world.arrive(raised("a"), escalated("a"), raised("b"))

    notes = await world.claim()
    assert [note.alert_id for note in notes] == [raised("b").alert_id]
    await world.settle(notes)
    world.wait(timedelta(hours=1))
    await world.arrive(cleared("a"))
    assert await world.claimed() == [cleared("a").alert_id]


async def test_what_is_too_old_is_given_up_but_not_under_somebodys_hands(world: World) -> None:
    await world.arrive(raised("a"))
    world.wait(SECOND)
    await world.arrive(raised("b"))
    [note] = await world.claim("all", 1)

    assert await world.outbox.give_up(world.now, world.now) == 0
    world.wait(LEASE)
    assert await world.outbox.give_up(note.noted_at + SECOND, world.now) == 1
    assert await world.claimed() == [raised("b").alert_id]
    standing = await world.standing()
    assert (standing.given_up, standing.waiting) == (1, 1)
    assert standing.oldest == note.noted_at + SECOND


async def test_what_is_settled_goes_after_a_while_and_nothing_else(world: World) -> None:
    await world.arrive(*(raised("a", cycle) for cycle in range(1, 6)))
    await world.settle(await world.claim(most=4))

    assert await world.outbox.trim(world.now, 100) == 0
    assert await world.outbox.trim(world.now + SECOND, 3) == 3
    assert await world.outbox.trim(world.now + SECOND, 3) == 1
    assert (await world.standing()).waiting == 1


async def test_processes_side_by_side_never_take_the_same_note(
    database: AlertHistorySettings,
) -> None:
    alerts = [raised("a", cycle) for cycle in range(1, 121)]
    now = FakeClock().now()
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(open_database(database)) for _ in range(3)]
        boxes = [SqlOutbox(engine) for engine in engines]
        await boxes[0].register(NAMES, now)
        await SqlAlertHistory(engines[0], RECEIVERS).store(batch(alerts), now)
        taken: list[str] = []

        async def take(box: SqlOutbox) -> None:
            while notes := await box.claim("all", 7, now, LEASE):
                taken.extend(note.alert_id for note in notes)

        await asyncio.gather(*(take(box) for box in boxes))

    assert len(taken) == len(alerts)
    assert set(taken) == {alert.alert_id for alert in alerts}


async def test_an_alert_and_its_notes_are_kept_together_or_not_at_all(
    database: AlertHistorySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: object) -> None:
        raise RuntimeError("died before the commit")

    now = FakeClock().now()
    async with open_database(database) as engine:
        history, outbox = SqlAlertHistory(engine, RECEIVERS), SqlOutbox(engine)
        await outbox.register(NAMES, now)
        with monkeypatch.context() as patched:
            patched.setattr("api.adapters.sql.alerts.history.put_position", die)
            with pytest.raises(RuntimeError, match="died"):
                await history.store(batch([raised("a")]), now)
        assert await outbox.claim("all", 10, now, LEASE) == []

        assert len(await history.store(batch([raised("a")]), now)) == 1
        assert len(await outbox.claim("all", 10, now, LEASE)) == 1


async def test_down_and_up_again_with_what_is_there(database: AlertHistorySettings) -> None:
    """The way back takes the outbox away and leaves the alerts; up again it is empty."""
    now = FakeClock().now()
    async with open_database(database) as engine:
        await SqlOutbox(engine).register(NAMES, now)
        await SqlAlertHistory(engine, RECEIVERS).store(batch([raised("a")]), now)
        async with engine.begin() as connection:
            await connection.run_sync(_downgrade)

    async with open_database(database) as engine:
        outbox = SqlOutbox(engine)
        assert await outbox.standings() == []
        history = SqlAlertHistory(engine, RECEIVERS)
        await history.store(batch([raised("b")]), now)
        assert len(await history.page(AlertFilter(), 10)) == 2
        assert await outbox.claim("all", 10, now, LEASE) == []  # of none is it known since when
        async with engine.connect() as connection:
            rows = await connection.execute(text("SELECT count(*) FROM notifications"))
            assert rows.scalar() == 0


def _downgrade(connection: Connection) -> None:
    command.downgrade(migration_config(connection), "0006")
