"""The dispatcher over an outbox in memory: receivers fail, stall, die and return."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.adapters.memory.alarms import MemoryAlarmStore
from api.adapters.memory.alerts import MemoryAlertHistory
from api.adapters.memory.outbox import MemoryOutbox
from api.adapters.memory.replays import MemoryFleetCatalogue
from api.live.change_signal import ChangeSignal
from api.metrics import ApiMetrics
from api.notifications.dispatcher import DEFECT, Dispatcher, Patience
from api.notifications.ports import Failure, Standing
from api.notifications.receivers import Mail, Receiver
from api.notifications.words import Told
from common.errors import BackendUnavailableError
from tests.support.alerts import batch, make_alert
from tests.support.api import eventually
from tests.support.clock import FakeClock, StillClock

RECEIVER = Receiver("shift", Mail(("a@b.org",)))
DOWN = Failure("HTTP 503 Service Unavailable")
HOUR = timedelta(hours=1)


class FakeBell(ChangeSignal):
    """Waiting turns the clock on."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    async def wait_beyond(self, count: int, timeout_s: float) -> None:
        """Let the time pass, unless it has rung."""
        await self._clock.sleep(0 if self.count > count or self.closed else timeout_s)


@dataclass(slots=True)
class PlannedWay:
    """A receiver that does what a plan says.

    Attributes:
        plan: Given an alert's id, what comes of it.
        asked: The ids of each time it was told something.
        took: The ids that it took.
    """

    plan: Callable[[str], Failure | None]
    most: int = 8
    rest_s: float = 0.0
    longest_s: float = 10.0
    asked: list[list[str]] = field(default_factory=list)
    took: list[str] = field(default_factory=list)

    async def tell(self, told: Sequence[Told]) -> Sequence[Failure | None]:
        """Do as planned."""
        self.asked.append([each.alert.alert_id for each in told])
        await asyncio.sleep(0)
        found = [self.plan(each.alert.alert_id) for each in told]
        self.took += [
            each.alert.alert_id for each, no in zip(told, found, strict=True) if no is None
        ]
        return found

    async def test(self) -> str | Failure:
        """Be there."""
        return "yes"


class World:
    """An outbox with notes of some alerts, a receiver, and dispatchers that come and go."""

    def __init__(self, way: PlannedWay, count: int, give_up: timedelta = 24 * HOUR) -> None:
        self.clock, self.way, self.give_up = FakeClock(), way, give_up
        self.history = MemoryAlertHistory()
        self.outbox = MemoryOutbox(self.history, MemoryAlarmStore(self.history), [RECEIVER])
        self.bell = FakeBell(self.clock)
        self.metrics = ApiMetrics()
        self.alerts = [make_alert(number) for number in range(1, count + 1)]
        self.ids = [alert.alert_id for alert in self.alerts]

    async def fill(self) -> None:
        await self.outbox.register(["shift"], self.clock.now())
        await self.history.store(batch(self.alerts), self.clock.now())

    def dispatcher(self, clock: FakeClock | None = None) -> asyncio.Task[None]:
        made = Dispatcher(
            self.outbox,
            {"shift": self.way},
            MemoryFleetCatalogue(),
            Patience(2.0, 300.0, self.give_up),
            self.bell,
            self.metrics,
            clock or self.clock,
            Random(7).random,
        )
        return asyncio.create_task(made.run())

    async def standing(self) -> Standing:
        [found] = await self.outbox.standings()
        return found

    def count(self, name: str) -> float:
        found = self.metrics.registry.get_sample_value(name, {"receiver": "shift"})
        return -1.0 if found is None else found


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def delivered(world: World, task: asyncio.Task[None]) -> None:
    """Wait until all is settled, or the dispatcher has failed."""
    await eventually(lambda: task.done() or set(world.way.took) == set(world.ids), 20)
    assert not task.done()
    while (await world.standing()).waiting:  # noqa: ASYNC110 - no event of ours
        await asyncio.sleep(0)
    await end(task)


async def test_an_alert_that_a_defect_keeps_from_being_told_keeps_no_other() -> None:
    def plan(alert_id: str) -> Failure | None:
        if alert_id == world.ids[3]:
            raise RuntimeError("no words for this one")
        return None

    way = PlannedWay(plan)
    world = World(way, 20)
    await world.fill()

    task = world.dispatcher()
    await eventually(lambda: task.done() or len(set(way.took)) == 19, 20)
    for _ in range(50):  # it is tried again, and again alone
        await asyncio.sleep(0)
    await end(task)

    assert sorted(way.took) == sorted(set(world.ids) - {world.ids[3]})
    found = await world.standing()
    assert (found.delivered, found.waiting, found.problem) == (19, 1, DEFECT)


async def test_a_receiver_that_fails_half_of_the_time_gets_each_alert_once() -> None:
    chance = Random(1)
    way = PlannedWay(lambda _: DOWN if chance.random() < 0.5 else None)
    world = World(way, 100)
    await world.fill()

    await delivered(world, world.dispatcher())

    assert Counter(way.took) == Counter(world.ids)
    assert (await world.standing()).delivered == 100
    assert world.count("surgeline_api_notifications_delivered_total") == 100
    assert world.count("surgeline_api_notification_failures_total") > 0


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.floats(0, 0.8), st.integers(1, 40), st.integers(1, 12))
async def test_whenever_apis_are_killed_each_alert_is_taken_in_the_end(
    seed: int, failing: float, count: int, kills: int
) -> None:
    """Two apis at a time; what was taken and not settled comes again, under the same id."""
    chance = Random(seed)
    way = PlannedWay(lambda _: DOWN if chance.random() < failing else None)
    world = World(way, count)
    await world.fill()

    for _ in range(kills):
        tasks = [world.dispatcher(), world.dispatcher()]
        for _ in range(chance.randrange(40)):
            await asyncio.sleep(0)
        for task in tasks:
            await end(task)
    await delivered(world, world.dispatcher())

    assert set(way.took) == set(world.ids)
    standing = await world.standing()
    assert (standing.delivered, standing.waiting, standing.given_up) == (count, 0, 0)


async def test_two_apis_tell_nothing_twice_while_nobody_dies() -> None:
    way = PlannedWay(lambda _: None, longest_s=1e6)  # the clock runs while the other one waits
    world = World(way, 60)
    await world.fill()

    tasks = [world.dispatcher(), world.dispatcher()]
    await eventually(lambda: set(way.took) == set(world.ids))
    for task in tasks:
        await end(task)

    assert Counter(way.took) == Counter(world.ids)


async def test_while_nothing_is_taken_one_alert_asks_less_and_less() -> None:
    way = PlannedWay(lambda _: DOWN)
    world = World(way, 100)
    await world.fill()

    task = world.dispatcher()
    await eventually(lambda: world.clock.elapsed_s > 3600)
    asked = len(way.asked)
    way.plan = lambda _: None
    await delivered(world, task)

    assert asked < 40  # in an hour, of 100 alerts
    assert [len(ids) for ids in way.asked[:3]] == [8, 1, 1]
    assert Counter(way.took) == Counter(world.ids)


async def test_a_receiver_that_wants_to_be_left_alone_is() -> None:
    answers = [Failure("HTTP 429", timedelta(seconds=600))]
    way = PlannedWay(lambda _: answers.pop() if answers else None)
    world = World(way, 1)
    await world.fill()

    await delivered(world, world.dispatcher())

    assert world.clock.elapsed_s >= 600
    assert len(way.asked) == 2


async def test_left_alone_means_by_other_alerts_too() -> None:
    answers = [Failure("HTTP 429", timedelta(seconds=600))]
    way = PlannedWay(lambda _: None, most=1)
    world = World(way, 2)
    await world.fill()
    at: list[float] = []

    def plan(_: str) -> Failure | None:
        at.append(world.clock.elapsed_s)
        return answers.pop() if answers else None

    way.plan = plan

    await delivered(world, world.dispatcher())

    assert len(at) == 3
    assert at[1] >= 600


async def test_left_alone_means_by_another_api_too() -> None:
    answers = [Failure("HTTP 429", timedelta(seconds=600))]
    way = PlannedWay(lambda _: answers.pop() if answers else None)
    world = World(way, 1)
    await world.fill()

    first = world.dispatcher(StillClock())  # it rests until it is killed
    await eventually(lambda: not answers and "HTTP 429" in str(world.outbox._notes))
    await end(first)
    await delivered(world, world.dispatcher())

    assert world.clock.elapsed_s >= 600
    assert len(way.asked) == 2


async def test_what_nobody_takes_is_given_up_and_seen() -> None:
    way = PlannedWay(lambda _: DOWN)
    world = World(way, 3, give_up=HOUR)
    await world.fill()

    task = world.dispatcher()
    await eventually(lambda: world.count("surgeline_api_notifications_given_up") == 3)
    await end(task)

    standing = await world.standing()
    assert (standing.given_up, standing.waiting) == (3, 0)
    assert standing.problem == DOWN.why
    assert way.took == []
    assert 1800 < world.clock.elapsed_s < 3 * 3600


async def test_after_a_mail_the_next_gathers_what_has_come() -> None:
    way = PlannedWay(lambda _: None, most=500, rest_s=30.0)
    world = World(way, 40)
    await world.fill()
    more = [make_alert(number) for number in range(100, 120)]
    way.plan = lambda _: None

    task = world.dispatcher()
    await eventually(lambda: len(way.asked) == 1)
    for alert in more:
        await world.history.store(batch([alert]), world.clock.now())
        world.bell.notify()
    await eventually(lambda: len(way.took) == 60)
    await end(task)

    assert [len(ids) for ids in way.asked] == [40, 20]
    assert world.clock.elapsed_s >= 30


async def test_an_outbox_that_is_down_is_waited_for() -> None:
    way = PlannedWay(lambda _: None)
    world = World(way, 5)
    await world.fill()
    world.outbox.failure = BackendUnavailableError("no database")

    task = world.dispatcher()
    await eventually(lambda: world.clock.elapsed_s > 60)
    assert not task.done()
    world.outbox.failure = None
    await delivered(world, task)

    assert Counter(way.took) == Counter(world.ids)


async def test_a_defect_of_a_way_silences_it_no_longer_than_it_lasts() -> None:
    broken = [RuntimeError("a defect")]

    def plan(_: str) -> None:
        if broken:
            raise broken.pop()

    way = PlannedWay(plan)
    world = World(way, 5)
    await world.fill()

    await delivered(world, world.dispatcher())

    assert Counter(way.took) == Counter(world.ids)


@pytest.mark.parametrize("call", ["claim", "next_due", "settle", "give_up", "standings"])
async def test_a_defect_of_the_outbox_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    way = PlannedWay(lambda _: None)
    world = World(way, 3)
    await world.fill()
    broken = [ZeroDivisionError()]
    real = getattr(world.outbox, call)

    async def once(*given: object) -> object:
        if broken:
            raise broken.pop()
        return await real(*given)

    monkeypatch.setattr(world.outbox, call, once)
    task = world.dispatcher()
    await eventually(lambda: not broken)
    monkeypatch.undo()
    await delivered(world, task)

    assert set(way.took) == set(world.ids)


async def test_a_note_that_cannot_be_read_harms_only_itself() -> None:
    way = PlannedWay(lambda _: None)
    world = World(way, 2)
    await world.fill()
    damaged = world.outbox._notes["shift", world.ids[0]]  # what another version has left
    damaged.draft = damaged.draft.__class__(
        "shift",
        damaged.draft.stored.__class__(1, damaged.draft.stored.alert, "{}"),
        damaged.draft.state,
        "",
    )

    task = world.dispatcher()
    await eventually(lambda: len(way.took) == 1)
    await end(task)

    standing = await world.standing()
    assert (standing.delivered, standing.given_up) == (1, 1)
    assert standing.problem.startswith("cannot be read")


@pytest.mark.parametrize("most", [1, 8])
async def test_all_ends_when_the_bell_is_closed(most: int) -> None:
    world = World(PlannedWay(lambda _: None, most=most), 3)
    await world.fill()

    task = world.dispatcher()
    await eventually(lambda: len(world.way.took) == 3)
    world.bell.close()

    async with asyncio.timeout(30):
        await task
