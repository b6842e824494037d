"""What every store of alarms promises; SQLite and PostgreSQL keep it as the fake does."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from alembic import command
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from api.adapters.kafka.alert_feed import decoded_alert
from api.adapters.memory.alarms import MemoryAlarmStore
from api.adapters.memory.alerts import MemoryAlertHistory
from api.adapters.sql.alarms.store import SqlAlarmStore
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import migration_config, open_database
from api.alarms.actions import Request
from api.alarms.desk import AlarmDesk, Outcome
from api.alarms.events import Action, Judgement
from api.alarms.figures import (
    AssetCount,
    Busiest,
    ChannelCount,
    FiguresQuery,
    OldAlarm,
)
from api.alarms.lifecycle import Alarm, AlarmState, urgency_of
from api.alarms.ports import AlarmFilter, AlarmStore
from api.ports import AlertFilter, AlertHistory, AlertKeeping, WireAlert
from common.errors import RequestRefusedError
from common.records.alerts import MOST_FLAPS, Alert, ChannelShare, ModelRef, Transition
from common.records.times import EARLIEST, LATEST
from common.records.verdicts import Level
from common.records.wire import MAX_CYCLE
from common.settings import AlertHistorySettings
from tests.contract.test_alert_history import sql_settings
from tests.support.alarms import NOW, request
from tests.support.alerts import batch, make_alert
from tests.support.clock import FakeClock

HOUR = timedelta(hours=1)


@dataclass(slots=True)
class World:
    """Alerts, actions and a clock."""

    history: AlertHistory
    store: AlarmStore
    clock: FakeClock
    rings: int = 0

    @property
    def desk(self) -> AlarmDesk:
        return AlarmDesk(self.store, self.clock, self.ring)

    def ring(self) -> None:
        self.rings += 1

    async def arrive(self, *alerts: Alert) -> None:
        await self.history.store(batch(alerts), self.clock.now())

    async def listed(self, **wanted: object) -> list[str]:
        found = await self.store.page(AlarmFilter(**wanted), 100, self.clock.now())  # type: ignore[arg-type]  # by name
        return [item.alarm.facts.first.asset_id for item in found]

    async def act(self, alert: Alert, wanted: Request | Action) -> Alarm:
        asked = request(wanted) if isinstance(wanted, Action) else wanted
        return await self.desk.act(alert.alarm_id, asked)


@pytest.fixture(params=["sqlite", "postgres"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[AlertHistorySettings]:
    async with sql_settings(request, tmp_path) as chosen:
        yield chosen


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    clock = FakeClock()
    if request.param == "memory":
        history = MemoryAlertHistory()
        yield World(history, MemoryAlarmStore(history), clock)
        return
    async with sql_settings(request, tmp_path) as chosen, open_database(chosen) as engine:
        yield World(SqlAlertHistory(engine), SqlAlarmStore(engine), clock)


def raised(asset_id: str, cycle: int = 10, **changes: object) -> Alert:
    return make_alert(cycle, asset_id=asset_id, **changes)  # type: ignore[arg-type]  # by name


def escalated(asset_id: str, cycle: int = 14) -> Alert:
    return make_alert(
        cycle, asset_id=asset_id, state=Transition.ESCALATED, level=Level.CRITICAL, onset_cycle=10
    )


def cleared(asset_id: str, cycle: int = 30) -> Alert:
    return make_alert(cycle, asset_id=asset_id, state=Transition.CLEARED, onset_cycle=10)


async def test_alerts_make_alarms(world: World) -> None:
    await world.arrive(raised("a"), raised("b"))
    await world.arrive(escalated("a"), cleared("b"))

    first, second = await world.store.page(AlarmFilter(), 10, NOW)

    assert (first.alarm.facts.first.asset_id, first.alarm.facts.level) == ("a", Level.CRITICAL)
    assert [item.alert.state for item in first.alarm.facts.alerts] == ["raised", "escalated"]
    assert (second.alarm.state, second.alarm.is_standing) == (AlarmState.CLEARED, True)
    assert first.alarm.facts.arrived_at == NOW
    assert await world.store.find(raised("a").alarm_id, NOW) == first.alarm
    assert await world.store.find("nobody", NOW) is None
    assert await world.store.find("\0", NOW) is None


async def test_the_most_urgent_comes_first_and_pages_go_on(world: World) -> None:
    await world.arrive(*(raised(f"w{number}", number) for number in range(1, 6)))
    await world.arrive(raised("c", level=Level.CRITICAL), raised("seen", 9), raised("over"))
    await world.act(raised("seen", 9), Action.ACKNOWLEDGED)
    await world.act(raised("over"), Action.ACKNOWLEDGED)
    await world.act(raised("over"), Action.CLOSED)
    wanted = ["c", "w5", "w4", "w3", "w2", "w1", "seen", "over"]

    assert await world.listed() == wanted
    pages: list[str] = []
    after = None
    while page := await world.store.page(AlarmFilter(), 3, NOW, after=after):
        pages += [item.alarm.facts.first.asset_id for item in page]
        after = page[-1].urgency
    assert pages == wanted


async def test_the_last_to_arrive_first(world: World) -> None:
    await world.arrive(*(raised(f"w{number}", number) for number in range(1, 6)))

    found = await world.store.latest(AlarmFilter(), 2, NOW)
    rest = await world.store.latest(AlarmFilter(), 9, NOW, before=found[-1].urgency.sequence)

    assert [item.alarm.facts.first.asset_id for item in (*found, *rest)] == [
        "w5", "w4", "w3", "w2", "w1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "assets"),
    [
        pytest.param({"asset_id": "b"}, ["b"], id="asset"),
        pytest.param({"run_id": "other"}, ["d"], id="run"),
        pytest.param({"fleet": "pumps"}, ["b"], id="fleet"),
        pytest.param({"level": Level.CRITICAL}, ["a"], id="level"),
        pytest.param({"min_level": Level.WARNING}, ["a", "d", "b", "c", "e"], id="min level"),
        pytest.param({"min_level": Level.CRITICAL}, ["a"], id="critical or worse"),
        pytest.param({"state": AlarmState.ACTIVE}, ["a", "b", "c"], id="active"),
        pytest.param({"state": AlarmState.CLEARED}, ["d"], id="cleared"),
        pytest.param({"state": AlarmState.CLOSED}, ["e"], id="closed"),
        pytest.param({"standing": True}, ["a", "d", "b", "c"], id="standing"),
        pytest.param({"standing": False}, ["e"], id="not standing"),
        pytest.param({"acknowledged": True}, ["c", "e"], id="acknowledged"),
        pytest.param({"acknowledged": False}, ["a", "d", "b"], id="unacknowledged"),
        pytest.param({"shelved": True}, ["b"], id="shelved"),
        pytest.param({"shelved": False}, ["a", "d", "c", "e"], id="not shelved"),
        pytest.param({"asset_id": "a\0"}, [], id="no name"),
    ],
)
async def test_filters(world: World, wanted: dict[str, object], assets: list[str]) -> None:
    await world.arrive(raised("a"), raised("b", 13, fleet="pumps"), raised("c"))
    await world.arrive(escalated("a"), raised("d", run_id="other"), raised("e"))
    await world.arrive(
        make_alert(31, asset_id="d", run_id="other", state=Transition.CLEARED, onset_cycle=10)
    )
    await world.act(raised("c"), Action.ACKNOWLEDGED)
    await world.act(raised("b", 13, fleet="pumps"), Action.SHELVED)
    for action in (Action.ACKNOWLEDGED, Action.CLOSED):
        await world.act(raised("e"), action)

    assert await world.listed(**wanted) == assets


async def test_what_was_done_is_kept_whole_and_in_order(world: World) -> None:
    await world.arrive(raised("a"))
    alert = raised("a")
    await world.act(alert, request(Action.ACKNOWLEDGED, who="Łukasz", why='°R "quoted"\\\n\tx'))
    world.clock.elapsed_s += 60
    alarm = await world.act(alert, request(Action.SHELVED, ends_on_recovery=True, who="bo"))

    seen, shelf = alarm.events

    assert (seen.sequence, seen.done.who, seen.done.why) == (1, "Łukasz", '°R "quoted"\\\n\tx')
    assert shelf.done.until == NOW + timedelta(seconds=60) + HOUR
    assert (shelf.done.asset_id, shelf.done.fleet, shelf.done.run_id) == ("a", "default", "run-1")
    assert await world.store.log(AlertFilter(), 10) == list(alarm.events)
    assert await world.store.log_end() == 2
    assert world.rings == 2


async def test_a_refused_action_leaves_nothing(world: World) -> None:
    await world.arrive(raised("a"))

    for action, code in ((Action.CLOSED, "not_acknowledged"), (Action.UNSHELVED, "not_shelved")):
        with pytest.raises(RequestRefusedError) as refused:
            await world.act(raised("a"), action)
        assert refused.value.code == code
    with pytest.raises(RequestRefusedError) as unknown:
        await world.act(raised("nobody"), Action.COMMENTED)

    assert unknown.value.status == 404
    assert (await world.store.log_end(), world.rings) == (0, 0)


async def test_shelves_end_by_clock_and_are_listed_meanwhile(world: World) -> None:
    await world.arrive(raised("a"), raised("b"))
    await world.act(raised("a"), Action.SHELVED)

    assert await world.listed(shelved=True) == ["a"]
    assert await world.listed() == ["a", "b"]
    world.clock.elapsed_s += 3601
    assert await world.listed(shelved=True) == []
    alarm = await world.desk.find(raised("a").alarm_id)
    assert (alarm.shelf, len(alarm.events)) == (None, 1)


async def test_a_shelf_is_of_the_asset_up_to_its_level(world: World) -> None:
    await world.arrive(raised("a"))
    await world.act(raised("a"), Action.SHELVED)
    await world.arrive(cleared("a"), raised("a", 50))

    assert await world.listed(shelved=True) == ["a", "a"]
    await world.arrive(
        make_alert(
            55, asset_id="a", state=Transition.ESCALATED, level=Level.CRITICAL, onset_cycle=50
        )
    )
    assert await world.listed(shelved=True) == ["a"]
    await world.act(raised("a"), Action.UNSHELVED)
    assert await world.listed(shelved=True) == []


async def test_a_shelf_until_recovery_does_not_hold_the_next_alarm(world: World) -> None:
    await world.arrive(raised("a"))
    await world.act(raised("a"), request(Action.SHELVED, ends_on_recovery=True))
    assert await world.listed(shelved=True) == ["a"]

    await world.arrive(cleared("a"), raised("a", 50))

    assert await world.listed(shelved=True) == []
    assert (await world.desk.find(raised("a", 50).alarm_id)).shelf is None


async def test_a_request_that_comes_again_changes_nothing(world: World) -> None:
    await world.arrive(raised("a"))
    wanted = request(Action.ACKNOWLEDGED, request_id="r1", expected_version=1)

    first = await world.act(raised("a"), wanted)
    again = await world.act(raised("a"), wanted)

    assert first == again
    with pytest.raises(RequestRefusedError) as reused:
        await world.act(raised("a"), request(Action.COMMENTED, request_id="r1"))
    assert reused.value.code == "request_id_reused"


async def test_many_at_once_each_with_its_outcome(world: World) -> None:
    names = ["a", "b", "c", "closed"]
    await world.arrive(*map(raised, names))
    await world.act(raised("b"), Action.ACKNOWLEDGED)
    for action in (Action.ACKNOWLEDGED, Action.CLOSED):
        await world.act(raised("closed"), action)
    ids = [raised(name).alarm_id for name in (*names, "a")] + ["nobody", "\0"]
    wanted = request(Action.ACKNOWLEDGED, why="storm", request_id="r1")

    outcomes = await world.desk.acknowledge_all(ids, wanted)
    again = await world.desk.acknowledge_all(ids, wanted)

    assert [item.outcome for item in outcomes] == [
        Outcome.ACKNOWLEDGED, Outcome.ALREADY, Outcome.ACKNOWLEDGED, Outcome.CLOSED,
        Outcome.UNKNOWN, Outcome.UNKNOWN,
    ]  # fmt: skip
    assert outcomes == again
    assert await world.store.log_end() == 5
    assert await world.listed(acknowledged=False) == []


async def test_the_log_is_read_on_from_anywhere_and_by_asset(world: World) -> None:
    await world.arrive(raised("a"), raised("b", fleet="pumps", run_id="r2"))
    for _ in range(3):
        await world.act(raised("a"), Action.COMMENTED)
        await world.act(raised("b", fleet="pumps", run_id="r2"), Action.COMMENTED)
    await world.desk.plan(
        request(Action.MAINTENANCE_PLANNED), asset_id=None, fleet="pumps",
        starts_at=None, ends_at=NOW + HOUR,
    )  # fmt: skip

    async def read(after: int = 0, limit: int = 100, **wanted: str) -> list[int]:
        found = await world.store.log(AlertFilter(**wanted), limit, after=after)  # type: ignore[arg-type]  # by name
        return [item.sequence for item in found]

    assert await read() == [1, 2, 3, 4, 5, 6, 7]
    assert await read(4, 2) == [5, 6]
    assert await read(asset_id="a") == [1, 3, 5, 7]
    assert await read(fleet="pumps") == [2, 4, 6, 7]
    assert await read(run_id="r2") == [2, 4, 6, 7]
    assert await read(fleet="others") == []


async def test_maintenance_marks_the_alarms_of_an_asset_and_of_a_fleet(world: World) -> None:
    await world.arrive(raised("a"), raised("b", fleet="pumps"), raised("c"))
    plan = request(Action.MAINTENANCE_PLANNED, why="wash")

    async def marked() -> list[str]:
        found = await world.store.page(AlarmFilter(), 10, world.clock.now())
        return sorted(item.alarm.facts.first.asset_id for item in found if item.alarm.window)

    await world.desk.plan(plan, asset_id="a", fleet=None, starts_at=None, ends_at=NOW + HOUR)
    fleet = await world.desk.plan(
        plan, asset_id=None, fleet="pumps", starts_at=NOW + HOUR, ends_at=NOW + 3 * HOUR
    )
    assert await marked() == ["a"]
    world.clock.elapsed_s += 3600
    assert await marked() == ["b"]
    ended = await world.desk.end(fleet.window_id, request(Action.MAINTENANCE_ENDED, why="done"))
    assert await marked() == []
    assert [item.done.action for item in ended.events] == [
        Action.MAINTENANCE_PLANNED,
        Action.MAINTENANCE_ENDED,
    ]
    assert await world.store.windows(10, ends_after=world.clock.now()) == []
    both = await world.store.windows(10)
    assert [window.plan.fleet for window in both] == ["pumps", None]
    assert await world.store.windows(10, before=both[0].events[0].sequence) == both[1:]
    assert await world.desk.window(fleet.window_id) == ended


async def test_a_window_gets_another_end_and_the_same_plan_is_one_window(world: World) -> None:
    async def plan(hours: int) -> str:
        made = await world.desk.plan(
            request(Action.MAINTENANCE_PLANNED, request_id="p1"), asset_id="a", fleet=None,
            starts_at=None, ends_at=NOW + hours * HOUR,
        )  # fmt: skip
        return made.window_id

    window_id = await plan(1)
    assert await plan(1) == window_id
    with pytest.raises(RequestRefusedError, match="another plan"):
        await plan(2)

    changed = await world.desk.reschedule(
        window_id, NOW + 5 * HOUR, request(Action.MAINTENANCE_CHANGED, why="")
    )

    assert (changed.ends_at, changed.why) == (NOW + 5 * HOUR, "seen")
    for unknown in ("nobody", "\0"):
        with pytest.raises(RequestRefusedError) as refused:
            await world.desk.window(unknown)
        assert refused.value.status == 404


async def test_of_two_operators_at_once_one_is_told_of_the_other(
    database: AlertHistorySettings,
) -> None:
    """Two apis are two engines, as here; twenty alarms, ten tries each."""
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(open_database(database)) for _ in range(2)]
        alerts = [raised(f"m{number}") for number in range(10)]
        await SqlAlertHistory(engines[0]).store(batch(alerts))
        desks = [AlarmDesk(SqlAlarmStore(engine), FakeClock(), lambda: None) for engine in engines]

        async def acknowledge(desk: AlarmDesk, who: str, alert: Alert) -> str:
            try:
                alarm = await desk.act(
                    alert.alarm_id, request(Action.ACKNOWLEDGED, who=who, expected_version=1)
                )
            except RequestRefusedError as exc:
                return exc.code
            assert alarm.acknowledgement is not None
            return alarm.acknowledgement.done.who

        for alert in alerts:
            told = await asyncio.gather(
                acknowledge(desks[0], "anna", alert), acknowledge(desks[1], "bo", alert)
            )
            assert sorted(told) in (["alarm_changed", "anna"], ["alarm_changed", "bo"])
        store = SqlAlarmStore(engines[0])
        log = await store.log(AlertFilter(), 100)
        assert [item.sequence for item in log] == [*range(1, 11)]


async def test_an_escalation_beside_an_acknowledgement_is_never_lost(
    database: AlertHistorySettings,
) -> None:
    async with open_database(database) as engine:
        history, store = SqlAlertHistory(engine), SqlAlarmStore(engine)
        desk = AlarmDesk(store, FakeClock(), lambda: None)
        names = [f"m{number}" for number in range(8)]
        await history.store(batch([raised(name) for name in names]))

        for name in names:
            await asyncio.gather(
                desk.act(raised(name).alarm_id, request(Action.ACKNOWLEDGED)),
                history.store(batch([escalated(name)])),
            )

        for item in await store.page(AlarmFilter(), 100, NOW):
            [event] = item.alarm.events
            saw_all = event.done.seen == item.alarm.facts.attention
            assert (item.alarm.acknowledgement is not None) == saw_all
        for acknowledged in (True, False):
            found = await store.page(AlarmFilter(acknowledged=acknowledged), 100, NOW)
            assert all((one.alarm.acknowledgement is not None) == acknowledged for one in found)


async def test_rows_are_what_the_log_says(database: AlertHistorySettings) -> None:
    """After anything at all, lists are chosen and ordered as the fake does that derives it all."""
    dice, now = Random(7), NOW
    async with open_database(database) as engine:
        real = World(SqlAlertHistory(engine), SqlAlarmStore(engine), FakeClock())
        memory = MemoryAlertHistory()
        fake = World(memory, MemoryAlarmStore(memory), FakeClock())
        names = ["a", "b", "c", "d"]
        for _ in range(60):
            name, now = dice.choice(names), now + timedelta(minutes=dice.randrange(40))
            alert = dice.choice([raised, escalated, cleared])(name)
            wanted = request(
                dice.choice(list(Action)[:6]),
                duration=timedelta(minutes=dice.randrange(1, 300)),
                ends_on_recovery=dice.random() < 0.5,
            )
            arrives, outcomes = dice.random() < 0.3, []
            for each in (real, fake):
                each.clock.elapsed_s = (now - NOW).total_seconds()
                if arrives:
                    await each.arrive(alert)
                try:
                    done: object = None if arrives else await each.act(alert, wanted)
                except RequestRefusedError as exc:
                    done = exc.code
                outcomes.append(done)
            assert outcomes[0] == outcomes[1]
            for wanted_filter in (
                AlarmFilter(), AlarmFilter(shelved=True), AlarmFilter(shelved=False),
                AlarmFilter(standing=True), AlarmFilter(acknowledged=False),
            ):  # fmt: skip
                shown = [await each.store.page(wanted_filter, 9, now) for each in (real, fake)]
                assert shown[0] == shown[1]
        assert await fake.store.log_end() > 10


async def test_the_log_cannot_be_rewritten(database: AlertHistorySettings) -> None:
    async with open_database(database) as engine:
        await SqlAlertHistory(engine).store(batch([raised("a")]))
        store = SqlAlarmStore(engine)
        desk = AlarmDesk(store, FakeClock(), lambda: None)
        await desk.act(raised("a").alarm_id, request(Action.COMMENTED))

        for statement in ("UPDATE alarm_events SET who = 'x'", "DELETE FROM alarm_events"):
            with pytest.raises(DBAPIError, match="append-only"):
                async with engine.begin() as connection:
                    await connection.execute(text(statement))

        assert [item.done.who for item in await store.log(AlertFilter(), 9)] == ["anna"]


async def test_an_action_that_cannot_be_read_harms_only_itself(
    database: AlertHistorySettings,
) -> None:
    async with open_database(database) as engine:
        await SqlAlertHistory(engine).store(batch([raised("a")]))
        store = SqlAlarmStore(engine)
        desk = AlarmDesk(store, FakeClock(), lambda: None)
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "INSERT INTO alarm_events (sequence, action, alarm_id, who, at, body) VALUES "
                    "(1, 'praised', :alarm, 'x', '2026-01-01 00:00:00', '{')"
                ),
                {"alarm": raised("a").alarm_id},
            )
            await connection.execute(
                text("UPDATE alert_sequence SET value = 1 WHERE name = 'alarm_events'")
            )

        alarm = await desk.act(raised("a").alarm_id, request(Action.ACKNOWLEDGED))

        assert [item.sequence for item in alarm.events] == [2]


async def test_the_alarms_of_an_older_history_are_made_from_its_alerts(
    database: AlertHistorySettings,
) -> None:
    """Down and up again: the alerts stay, the alarms are the same but for what was done."""
    alerts = [
        *(raised(f"w{number}", number + 1) for number in range(5)),
        escalated("e"), raised("e"), cleared("w1"), cleared("only"),
        raised("old").model_copy(update={"severity": None}),
        raised("new", 12).model_copy(update={"severity": 3.5}),
        cleared("e", 40).model_copy(update={"level": Level.CRITICAL}),
    ]  # fmt: skip
    async with open_database(database) as engine:
        await SqlAlertHistory(engine).store(batch(alerts), NOW)
        store = SqlAlarmStore(engine)
        before = await _rows(store)
        desk = AlarmDesk(store, FakeClock(), lambda: None)
        await desk.act(raised("new", 12).alarm_id, request(Action.ACKNOWLEDGED))
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alerts SET body = '{' WHERE asset_id = 'w4'"))
            await connection.run_sync(_downgrade)
            tables = await connection.execute(text("SELECT name FROM alert_sequence"))
            assert tables.scalars().all() == ["alerts"]

    async with open_database(database) as engine:
        history, store = SqlAlertHistory(engine), SqlAlarmStore(engine)
        assert len(await history.page(AlertFilter(), 100)) == len(alerts) - 1
        assert await _rows(store) == [row for row in before if row[0] != "w4"]
        assert await store.log_end() == 0
        desk = AlarmDesk(store, FakeClock(), lambda: None)
        alarm = await desk.act(raised("new", 12).alarm_id, request(Action.ACKNOWLEDGED))
        assert (alarm.facts.arrived_at, alarm.events[0].sequence) == (None, 1)


async def _rows(store: AlarmStore) -> list[tuple[object, ...]]:
    """What lists are chosen and ordered by, as the database has it."""
    found = await store.page(AlarmFilter(), 100, NOW)
    assert isinstance(store, SqlAlarmStore)
    for item in found:
        assert item.urgency == urgency_of(item.alarm)
    names = [item.alarm.facts.first.asset_id for item in found]
    async with store._engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT asset_id, level, level_rank, state, is_active, standing, acknowledged, "
                "rank, severity, sequence FROM alarms ORDER BY rank, severity, sequence"
            )
        )
        kept = [tuple(row) for row in rows]
    assert [row[0] for row in kept] == names
    return kept


def _downgrade(connection: Connection) -> None:
    command.downgrade(migration_config(connection), "0004")


@pytest.mark.parametrize("slice_rows", [1, 100])
async def test_what_is_removed_from_the_history_is_no_alarm_any_more(
    world: World, slice_rows: int
) -> None:
    """Whole alarms that are over go; the log of what was done about them stays."""
    await world.arrive(raised("a"), cleared("a"), raised("b"))
    await world.act(raised("a"), Action.ACKNOWLEDGED)
    await world.arrive(*(raised(f"w{number}") for number in range(3)))
    keep = AlertKeeping(max_rows=3)

    while await world.history.trim(keep, world.clock.now(), slice_rows):
        assert len(await world.listed()) in (4, 5)

    assert sorted(await world.listed()) == ["b", "w0", "w1", "w2"]
    assert await world.store.find(raised("a").alarm_id, NOW) is None
    assert len(await world.store.log(AlertFilter(), 10)) == 1


async def test_nothing_is_found_where_nothing_is(world: World) -> None:
    assert await world.listed() == []
    assert await world.store.log_end() == 0
    assert await world.store.windows(10) == []
    assert await world.store.log(AlertFilter(asset_id="a"), 10) == []


async def lived(world: World, seed: int) -> None:
    """Let a month pass: alarms that flap, are seen late or never, are judged and set aside."""
    dice = Random(seed)
    for number in range(25):
        world.clock.elapsed_s += dice.choice([0.0004, 0.5, 599.9996, 3600, 86_000.123])
        asset_id = f"m{dice.randrange(5)}"
        fleet = "pumps" if asset_id == "m4" else "default"
        first = make_alert(10 + 100 * number, asset_id=asset_id, fleet=fleet)
        channels = first.channels if dice.random() < 0.7 else first.channels[::-1]
        first = first.model_copy(update={"channels": channels})
        alerts = [first]
        if dice.random() < 0.5:
            flaps = dice.choice([0, 0, 1, 4])
            level = dice.choice([Level.WARNING, Level.CRITICAL])
            end = make_alert(
                first.cycle + 50,
                asset_id=asset_id,
                fleet=fleet,
                state=Transition.CLEARED,
                level=level,  # type: ignore[arg-type]  # one of the two
                onset_cycle=first.cycle,
            )
            alerts.append(end.model_copy(update={"flaps": flaps, "channels": end.channels[::-1]}))
        dice.shuffle(alerts)
        await world.arrive(*alerts)
        for action in dice.sample(
            [
                Action.ACKNOWLEDGED,
                Action.ACKNOWLEDGED,
                Action.JUDGED,
                Action.SHELVED,
                Action.JUDGED,
            ],
            dice.randrange(4),
        ):
            world.clock.elapsed_s += dice.choice([0.001, 12.3456, 7200])
            asked = request(action, judgement=dice.choice(list(Judgement)))
            with suppress(RequestRefusedError):
                await world.act(first, asked)


async def test_figures_and_standing_alarms_are_those_of_the_fake(world: World) -> None:
    history = MemoryAlertHistory()
    fake = World(history, MemoryAlarmStore(history), FakeClock())
    await lived(world, 7)
    await lived(fake, 7)
    now = world.clock.now()
    assert now == fake.clock.now()

    for query in (
        FiguresQuery(NOW, now + HOUR),
        FiguresQuery(NOW, now + HOUR, operators=3),
        FiguresQuery(NOW, now + HOUR, "pumps"),
        FiguresQuery(NOW + 24 * HOUR, NOW + 96 * HOUR),
        FiguresQuery(NOW, now, "nobody"),
    ):
        found = await world.store.figures(query, now)
        expected = await fake.store.figures(query, now)
        assert found.median_s == pytest.approx(expected.median_s, abs=0.0011)
        assert found.p90_s == pytest.approx(expected.p90_s, abs=0.0011)
        assert replace(found, median_s=None, p90_s=None) == replace(
            expected, median_s=None, p90_s=None
        )
    for moment in (now, now + HOUR, now + 800 * HOUR):
        for assets in (None, [], ["m1", "m3", "nobody"]):
            assert await world.store.standing(moment, assets) == await fake.store.standing(
                moment, assets
            )


async def test_what_figures_say(world: World) -> None:
    await world.arrive(raised("a"), raised("b"))
    world.clock.elapsed_s += 60
    await world.act(raised("a"), Action.ACKNOWLEDGED)
    await world.arrive(*(raised("c", number) for number in range(100, 112)))
    for number, minutes in ((100, 1), (101, 2), (102, 60)):
        world.clock.elapsed_s += 60 * minutes
        await world.act(raised("c", number), Action.ACKNOWLEDGED)
    for judgement in (Judgement.TRUE_ALARM, Judgement.FALSE_ALARM):  # the latter holds
        await world.act(raised("c", 100), request(Action.JUDGED, judgement=judgement))
    await world.act(raised("c", 101), request(Action.JUDGED, judgement=Judgement.TRUE_ALARM))
    ended = cleared("b").model_copy(update={"flaps": 3})
    await world.arrive(ended, make_alert(5, asset_id="d", fleet="pumps"))
    late = world.clock.now() + timedelta(days=1)

    found = await world.store.figures(FiguresQuery(NOW, late), late)

    assert (found.alarms, found.floods, found.busiest) == (15, 1, Busiest(NOW, 14))
    assert (found.acknowledged, found.median_s, found.p90_s) == (4, 60.0, 3780.0)
    assert (found.chattering, found.flaps) == (1, 3)
    assert list(found.chattering_assets) == [AssetCount("b", 1, 3)]
    assert (found.stale, found.oldest) == (14, OldAlarm(raised("a").alarm_id, "a", NOW))
    assert found.verdicts == {Judgement.TRUE_ALARM: 1, Judgement.FALSE_ALARM: 1}
    assert list(found.assets) == [
        AssetCount("c", 12), AssetCount("a", 1), AssetCount("b", 1), AssetCount("d", 1),
    ]  # fmt: skip
    assert list(found.channels) == [
        ChannelCount("default", "T50", 14), ChannelCount("pumps", "T50", 1),
    ]  # fmt: skip
    nothing = await world.store.figures(FiguresQuery(late, late + HOUR), late)
    assert (nothing.alarms, nothing.busiest, nothing.median_s, nothing.verdicts) == (
        0,
        None,
        None,
        {},
    )


async def test_figures_count_whatever_the_topic_says(world: World) -> None:
    """Numbers beyond every column, characters no database takes, white space around the JSON."""
    changed: list[dict[str, object]] = [
        {"flaps": 10**40, "reason": "\0"},
        {"flaps": 10**18, "channels": (ChannelShare(name="T\0", share=1.0, direction="low"),)},
        {
            "reason": "\\u0000 \\\0",
            "channels": (ChannelShare(name="é'\"[0]", share=1, direction="low"),),
        },
    ]
    alerts = [raised(f"m{number}").model_copy(update=each) for number, each in enumerate(changed)]
    texts = [f" {each.to_json().decode()}\n" for each in alerts]
    items = [WireAlert(Alert.model_validate_json(each), each) for each in texts]
    await world.history.store(replace(batch(alerts), items=items), NOW)

    found = await world.store.figures(FiguresQuery(NOW, NOW + HOUR), NOW)

    assert (found.alarms, found.chattering, found.flaps) == (3, 2, 2 * MOST_FLAPS)
    assert list(found.chattering_assets) == [
        AssetCount("m0", 1, MOST_FLAPS),
        AssetCount("m1", 1, MOST_FLAPS),
    ]
    assert list(found.channels) == [
        ChannelCount("default", "T50", 1),
        ChannelCount("default", "T\ufffd", 1),
        ChannelCount("default", "é'\"[0]", 1),
    ]


free_text = st.text(max_size=30) | st.sampled_from(["\0", "\\u0000", "{%", "'\"; --", "\u2028\r\n"])
free_number = st.floats(allow_nan=False, allow_infinity=False)
strangers = st.fixed_dictionaries(
    {
        "reason": free_text,
        "score": free_number,
        "severity": st.none() | free_number,
        "flaps": st.sampled_from([0, 1, 2**31, 2**63, 10**40]),
        "ts": st.sampled_from([EARLIEST, LATEST - timedelta(microseconds=1), NOW]),
        "cycle": st.sampled_from([1, MAX_CYCLE]),
        "model": st.builds(ModelRef, name=free_text, version=free_text, sha256=free_text),
        "channels": st.lists(
            st.builds(
                ChannelShare,
                name=free_text,
                share=st.floats(0, 1),
                direction=st.sampled_from(["high", "low"]),
            ),
            max_size=2,
        ).map(tuple),
    }
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(strangers, min_size=1, max_size=12))
@example([{"reason": "\0", "flaps": 10**40, "channels": ()}])
@example([{"channels": (ChannelShare(name="\0", share=1.0, direction="low"),)}])
async def test_whatever_an_alert_says_it_is_stored_listed_and_counted(
    world: World, said: list[dict[str, object]]
) -> None:
    """From the record on the topic on: one that cannot be stored would hold up all others."""
    mark = uuid.uuid4().hex
    alerts = [
        raised(f"{mark}-{number}").model_copy(update=each) for number, each in enumerate(said)
    ]
    records = [SimpleNamespace(value=each.to_json(), timestamp=None) for each in alerts]
    items = [item for record in records if (item := decoded_alert(record)) is not None]
    before = (await world.store.figures(FiguresQuery(NOW, NOW + HOUR), NOW)).alarms

    new = await world.history.store(replace(batch(alerts), items=items), NOW)

    assert len(new) == len(said)

    found = await world.store.figures(FiguresQuery(NOW, NOW + HOUR), NOW)
    assert found.alarms == before + len(said)
    for alert in alerts:
        listed = await world.store.page(AlarmFilter(asset_id=alert.asset_id), 2, NOW)
        bounded = alert.model_copy(update={"flaps": min(alert.flaps, MOST_FLAPS)})
        assert [each.alarm.facts.first for each in listed] == [bounded]


async def test_a_database_of_before_is_counted_from_its_alerts_but_for_damaged_ones(
    database: AlertHistorySettings,
) -> None:
    ended = cleared("b").model_copy(update={"flaps": 3, "channels": cleared("b").channels[::-1]})
    async with open_database(database) as engine:
        await SqlAlertHistory(engine).store(batch([raised("a"), raised("b"), ended]), NOW)
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE alerts SET body = 'no' WHERE asset_id = 'a'"))
            await connection.run_sync(_before_figures)
    async with open_database(database) as engine:
        found = await SqlAlarmStore(engine).figures(FiguresQuery(NOW, NOW + HOUR), NOW)

    assert found.alarms == 2
    assert list(found.channels) == [ChannelCount("default", "T50", 1)]
    assert list(found.chattering_assets) == [AssetCount("b", 1, 3)]


def _before_figures(connection: Connection) -> None:
    command.downgrade(migration_config(connection), "0009")
