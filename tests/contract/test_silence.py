"""What every memory of the watch promises; SQLite and PostgreSQL keep it as the fake does.

Two watches, as two api processes have them, stand on one store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from api.adapters.memory.alarms import MemoryAlarmStore
from api.adapters.memory.alerts import MemoryAlertHistory
from api.adapters.memory.replays import MemoryReplayRecords
from api.adapters.memory.silence import MemorySilenceStore
from api.adapters.sql.alarms.store import SqlAlarmStore
from api.adapters.sql.alerts.history import SqlAlertHistory
from api.adapters.sql.database import open_database
from api.adapters.sql.silence import SqlSilenceStore
from api.alarms.desk import AlarmDesk
from api.alarms.events import Action
from api.alarms.lifecycle import AlarmState
from api.alarms.ports import AlarmStore
from api.metrics import ApiMetrics
from api.ports import AlertFilter, AlertHistory
from api.silence.ports import Numbers, Outcome, SilenceStore
from api.silence.rule import Silence
from api.silence.watch import SilenceWatch
from common.records.alerts import Alert
from common.records.verdicts import Evidence, Verdict
from common.scorestore.memory import MemoryScoreStore
from tests.contract.test_alert_history import sql_settings
from tests.support.alarms import request as wanted
from tests.support.clock import FakeClock
from tests.support.silence import ENGINE, MINUTE, PUMP, SETTINGS, fleets, reading, watched

EVERY = timedelta(seconds=SETTINGS.every_s)


@dataclass(slots=True)
class World:
    """A store, a clock, and as many watches as are asked for."""

    history: AlertHistory
    alarms: AlarmStore
    silence: SilenceStore
    clock: FakeClock = field(default_factory=FakeClock)
    scores: MemoryScoreStore = field(default_factory=MemoryScoreStore)
    suspended: str = ""
    rings: int = 0

    def watch(self) -> SilenceWatch:
        async def blocked() -> str:
            return self.suspended

        return SilenceWatch(
            SETTINGS, self.scores, self.silence, MemoryReplayRecords(),
            fleets(pumps=PUMP, engines=ENGINE), blocked, self.clock, self.ring, ApiMetrics(),
        )  # fmt: skip

    def ring(self) -> None:
        self.rings += 1

    async def look(self, *watches: SilenceWatch, minutes: float = 0.5, sends: str = "") -> None:
        """Look every 30 s for so long; with ``sends``, these pumps send a reading before each."""
        for _ in range(round(minutes * 2)):
            self.clock.elapsed_s += SETTINGS.every_s
            for name in sends.split():
                await self.scores.write([reading(self.clock.now(), asset_id=name)])
            for each in watches:
                await each.look()

    async def told(self) -> list[tuple[str, str, str]]:
        found = await self.history.page(AlertFilter(), 1000)
        return [(one.alert.asset_id, one.alert.state, one.alert.evidence) for one in found]

    async def alerts(self) -> list[Alert]:
        return [one.alert for one in await self.history.page(AlertFilter(), 1000)]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "memory":
        history = MemoryAlertHistory()
        yield World(history, MemoryAlarmStore(history), MemorySilenceStore(history))
        return
    async with sql_settings(request, tmp_path) as chosen, open_database(chosen) as engine:
        yield World(SqlAlertHistory(engine), SqlAlarmStore(engine), SqlSilenceStore(engine))


async def test_of_two_processes_one_judges_and_the_other_takes_over(world: World) -> None:
    store, now = world.silence, world.clock.now()

    first = await store.claim("one", now, EVERY)
    assert first is not None
    assert (first.is_new, first.judged_from) == (True, now)
    assert await store.claim("two", now + EVERY, EVERY) is None
    again = await store.claim("one", now + EVERY, EVERY)
    assert again is not None
    assert (again.is_new, again.judged_from) == (False, now)
    assert await store.claim("two", now + 4 * EVERY, EVERY) is None
    later = now + 5 * EVERY
    over = await store.claim("two", later, EVERY)
    assert over is not None
    assert (over.is_new, over.judged_from) == (True, later)
    assert await store.claim("one", later, EVERY) is None


async def test_who_has_lost_the_watch_keeps_nothing(world: World) -> None:
    store, now = world.silence, world.clock.now()
    await store.claim("one", now, EVERY)
    await store.claim("two", now + 9 * EVERY, EVERY)
    found = Outcome([watched("a", now)], [], [], now)

    assert not await store.keep("one", found, now)
    assert await store.watched() == []
    assert await store.keep("two", found, now)
    assert await store.watched() == [watched("a", now)]


async def test_what_is_kept_is_read_and_counted_and_forgotten(world: World) -> None:
    store, now = world.silence, world.clock.now()
    await store.claim("one", now, EVERY)
    assets = [watched(f"a{number}", now) for number in range(3)]
    assets += [watched("b", now, Silence.NO_READING), replace(watched("c", now), fleet="fans")]
    changed = watched("a0", now, Silence.NO_SCORE)

    await store.keep("one", Outcome(assets, [], [], now), now)
    await store.keep("one", Outcome([changed], ["a1", "nobody"], [], now + EVERY), now)

    left = {item.asset_id: item for item in await store.watched()}
    assert left == {item.asset_id: item for item in [*assets, changed] if item.asset_id != "a1"}
    assert await store.numbers() == {"pumps": Numbers(3, 2), "fans": Numbers(1, 0)}
    claim = await store.claim("one", now + EVERY, EVERY)
    assert claim is not None
    assert claim.judged_from == now + EVERY


async def test_a_machine_falls_silent_and_comes_back_each_told_once(world: World) -> None:
    watch = world.watch()
    await world.look(watch, minutes=5, sends="pump-1 pump-2")
    await world.look(watch, minutes=10, sends="pump-2")
    silent = await world.told()
    numbers = watch.report.numbers
    await world.look(watch, minutes=1, sends="pump-1 pump-2")

    assert silent == [("pump-1", "raised", "silent")]
    assert numbers == {"pumps": Numbers(2, 1)}
    assert await world.told() == [*silent, ("pump-1", "cleared", "silent")]
    assert world.rings == 2
    raised, cleared = await world.alerts()
    assert (raised.alarm_id, raised.fleet, raised.level) == (cleared.alarm_id, "pumps", "warning")
    assert (raised.threshold, raised.score) == (180.0, 180.0)
    assert raised.reason.startswith("No reading since 2026-01-01 00:05:00 UTC")
    assert watch.report.numbers == {"pumps": Numbers(2, 0)}


async def test_readings_that_are_all_refused_are_not_scored(world: World) -> None:
    watch = world.watch()
    await world.look(watch, minutes=5, sends="pump-1")
    for _ in range(20):
        refused = reading(world.clock.now(), status=Verdict.REJECTED)
        await world.scores.write([refused])
        await world.look(watch)
    await world.look(watch, sends="pump-1")

    assert await world.told() == [
        ("pump-1", "raised", "unscored"),
        ("pump-1", "cleared", "unscored"),
    ]


async def test_a_restart_tells_nothing_twice_and_forgets_no_silence(world: World) -> None:
    await world.look(world.watch(), minutes=5, sends="pump-1 pump-2")
    await world.look(world.watch(), minutes=5, sends="pump-2")
    before = await world.told()
    world.clock.elapsed_s += 3600  # nobody looks for an hour
    await world.look(again := world.watch(), minutes=5, sends="pump-2")
    during = await world.told()
    await world.look(again, minutes=1, sends="pump-1 pump-2")

    assert before == during == [("pump-1", "raised", "silent")]
    assert (await world.told())[1:] == [("pump-1", "cleared", "silent")]


async def test_readings_that_come_while_nobody_looks_are_no_silence(world: World) -> None:
    await world.look(world.watch(), minutes=5, sends="pump-1")
    await world.look(minutes=20, sends="pump-1")
    await world.look(world.watch(), minutes=5, sends="pump-1")

    assert await world.told() == []


async def test_two_watches_tell_everything_once(world: World) -> None:
    one, two = world.watch(), world.watch()
    await world.look(one, two, minutes=5, sends="pump-1")
    await world.look(two, one, minutes=5)
    await world.look(two, minutes=5)  # the first has died
    await world.look(two, minutes=1, sends="pump-1")

    assert await world.told() == [("pump-1", "raised", "silent"), ("pump-1", "cleared", "silent")]
    assert one.report.numbers == {"pumps": Numbers(1, 1)}


async def test_nobody_is_silent_while_nobody_reads(world: World) -> None:
    watch = world.watch()
    await world.look(watch, minutes=5, sends="pump-1")
    world.suspended = "nobody is in the group"
    await world.look(watch, minutes=10)
    suspended = watch.report.suspended
    world.suspended = ""
    await world.look(watch, minutes=2)

    assert suspended == "nobody is in the group"
    assert await world.told() == []
    await world.look(watch, minutes=2)
    assert await world.told() == [("pump-1", "raised", "silent")]


@pytest.mark.parametrize(
    ("fleet", "run_id", "behind"),
    [
        pytest.param("engines", "only", timedelta(0), id="no-clock"),
        pytest.param("pumps", "simulated-1", timedelta(0), id="simulated"),
        pytest.param("pumps", "only", timedelta(days=30), id="recorded"),
        pytest.param("nobody", "only", timedelta(0), id="unknown-fleet"),
    ],
)
async def test_what_is_replayed_or_has_no_clock_is_never_missed(
    fleet: str, run_id: str, behind: timedelta
) -> None:
    history = MemoryAlertHistory()
    world = World(history, MemoryAlarmStore(history), MemorySilenceStore(history))
    watch = world.watch()
    for _ in range(20):
        at = world.clock.now() - behind
        await world.scores.write([reading(at, fleet=fleet, run_id=run_id)])
        await world.look(watch)
    await world.look(watch, minutes=60)

    assert await world.told() == []
    assert watch.report.numbers == {}


async def test_a_silence_is_an_alarm_as_any_other(world: World) -> None:
    watch = world.watch()
    await world.look(watch, minutes=5, sends="pump-1")
    await world.look(watch, minutes=5)
    (alert,) = await world.alerts()
    desk = AlarmDesk(world.alarms, world.clock, world.ring)

    shelved = await desk.act(alert.alarm_id, wanted(Action.SHELVED, ends_on_recovery=True))
    seen = await desk.act(alert.alarm_id, wanted(Action.ACKNOWLEDGED))
    await world.look(watch, minutes=1, sends="pump-1")
    after = await desk.find(alert.alarm_id)

    assert shelved.shelf is not None
    assert (seen.state, seen.facts.telling.evidence) == (AlarmState.ACTIVE, Evidence.SILENT)
    assert (after.state, after.shelf, after.is_standing) == (AlarmState.CLEARED, None, False)
    assert list(await world.history.open_alarms(["pump-1"])) == []


async def test_a_machine_of_a_fleet_that_is_gone_is_silent_and_remembered_no_more(
    world: World,
) -> None:
    watch = world.watch()
    await world.look(watch, minutes=5, sends="pump-1 pump-2")
    await world.look(watch, minutes=5, sends="pump-2")
    watch.catalogue = fleets(engines=ENGINE)
    await world.look(watch, minutes=1, sends="pump-2")

    assert await world.told() == [("pump-1", "raised", "silent"), ("pump-1", "cleared", "silent")]
    assert list(await world.silence.watched()) == []
    assert watch.report.numbers == {}


async def test_fleets_of_which_few_are_scored_are_told() -> None:
    history = MemoryAlertHistory()
    world = World(history, MemoryAlarmStore(history), MemorySilenceStore(history))
    watch = world.watch()

    async def stretch(statuses: Sequence[Verdict], looks: int) -> None:
        for _ in range(looks):
            for number, status in enumerate(statuses):
                at = world.clock.now() + timedelta(seconds=number)
                await world.scores.write([reading(at, asset_id=f"p{number}", status=status)])
            await world.look(watch)

    def few() -> list[str]:
        window = watch.report.window
        return [] if window is None else list(window.hardly_scored(0.5, 4))

    await stretch([Verdict.SCORED] * 3, 5)
    assert watch.report.window is not None
    assert few() == []
    await stretch([Verdict.SCORED, Verdict.REJECTED, Verdict.UNKNOWN_REGIME], 5)
    assert few() == ["pumps"]
    await stretch([Verdict.SCORED] * 3, 9)
    assert few() == []


async def test_looks_are_made_until_the_end(world: World) -> None:
    """A store that fails is asked again; a defect ends nothing."""
    watch = world.watch()
    await world.look(watch, minutes=5, sends="pump-1")
    seen: list[datetime] = []

    async def failing() -> str:
        seen.append(world.clock.now())
        if len(seen) == 30:
            raise KeyboardInterrupt
        raise ValueError("a defect")

    watch.blocked = failing
    with pytest.raises(KeyboardInterrupt):
        await watch.run()
    assert seen[-1] - seen[0] == 29 * EVERY
    assert seen[-1] - seen[0] > 7 * MINUTE
