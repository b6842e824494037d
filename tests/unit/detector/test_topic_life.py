"""A readings topic that was deleted and made anew is noticed, and nothing after it is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.errors import BackendUnavailableError
from common.records.readings import SensorReading
from common.records.verdicts import Verdict
from detector.core.reading.source import Span
from detector.core.state.progress import unpack_progress
from detector.failpoints import Point
from tests.support.builders import reading
from tests.support.world import Killed, World, dies_at


def flight(run: str, count: int, value: float = 2.5) -> list[SensorReading]:
    return [reading(cycle, value, run_id=run) for cycle in range(1, count + 1)]


async def used(count: int = 25) -> World:
    """A world whose topic has been taken in."""
    world = World()
    world.send(flight("old", count))
    await world.worker().service.process(world.everything())
    world.make_anew()
    return world


async def test_a_topic_made_anew_starts_at_offset_0_again() -> None:
    world = await used()
    world.send(flight("new", 10))
    worker = world.worker()

    await worker.service.process(world.everything())

    rows = [row for row in await world.rows() if row.run_id == "new"]
    assert [row.cycle for row in rows] == list(range(1, 11))
    assert {alert.run_id for alert in world.publisher.alerts} == {"old", "new"}
    assert worker.metric("surgeline_topics_made_anew_total") == 1
    assert unpack_progress(world.states.progress[0]).life == 1


async def test_the_same_run_on_a_topic_made_anew_starts_over() -> None:
    world = await used()
    world.send(flight("old", 25))

    await world.worker().service.process(world.everything())

    assert await world.counts() == {"warming_up": 3, "scored": 22}


@pytest.mark.parametrize("count", [26, 40])
async def test_its_beginning_is_read_when_it_has_grown_past_what_was_applied(count: int) -> None:
    world = await used()
    world.send(flight("new", count))

    # the group's committed offset is one of the old topic, so the fetch begins there
    await world.worker().service.process(world.fetch({0: (25, count)}))

    rows = [row for row in await world.rows() if row.run_id == "new"]
    assert [row.cycle for row in rows] == list(range(1, count + 1))


@pytest.mark.parametrize("point", list(Point))
async def test_a_worker_that_dies_over_it_leaves_nothing_out(point: Point) -> None:
    world = await used()
    world.send(flight("new", 40))
    for count in (1, 2):
        try:
            await world.worker(dies_at(point, count)).service.process(world.fetch({0: (25, 40)}))
        except Killed:
            continue

    await world.worker().service.process(world.fetch({0: (25, 40)}))

    rows = [row for row in await world.rows() if row.run_id == "new"]
    assert [row.cycle for row in rows] == list(range(1, 41))
    assert len({alert.alert_id for alert in world.publisher.alerts}) == 2  # one of each run


async def test_a_commit_that_never_came_does_not_hide_the_beginning() -> None:
    """The new topic was read to offset 10; the group still stands at 25 of the old one."""
    world = await used()
    world.send(flight("new", 10))
    await world.worker().service.process(world.everything())
    world.send([reading(cycle, 2.5, run_id="new") for cycle in range(11, 31)])

    await world.worker().service.process(world.fetch({0: (25, 30)}))

    rows = [row for row in await world.rows() if row.run_id == "new"]
    assert [row.cycle for row in rows] == list(range(1, 31))


async def test_a_redelivery_is_no_new_life() -> None:
    world = World()
    world.send(flight("old", 25))
    worker = world.worker()
    await worker.service.process(world.everything())
    before = await world.counts()

    await worker.service.process(world.fetch({0: (10, 25)}))
    await world.worker().service.process(world.fetch({0: (0, 25)}))

    assert await world.counts() == before
    assert worker.metric("surgeline_topics_made_anew_total") == 0
    assert unpack_progress(world.states.progress[0]).life == 0


async def test_a_steady_stream_never_asks() -> None:
    world = World()
    world.send(flight("old", 25))
    worker = world.worker()
    for begin in range(0, 25, 5):
        await worker.service.process(world.fetch({0: (begin, begin + 5)}))

    assert world.history.looks == []
    worker.service.reassigned([0])
    await worker.service.process(world.fetch({0: (20, 25)}))
    assert len(world.history.looks) == 1


async def test_gaps_in_the_offsets_are_no_lost_states() -> None:
    """Transaction markers and compaction: forty batches, and not one rebuild."""
    world = World()
    world.send(flight("run", 80))
    worker = world.worker()
    for begin in range(0, 80, 2):
        batch = world.fetch({0: (begin, begin + 2)})
        marked = type(batch)(batch.records[:1], {0: Span(begin, begin + 2)})  # one is a marker

        await worker.service.process(marked)

    assert worker.metric("surgeline_rebuilds_total") == 0
    assert world.history.reads == []


async def test_what_came_before_anybody_noticed_is_done_again() -> None:
    """The new topic outgrew the old one at once: its tail comes first, then all of it."""
    world = World()
    world.history.topic_id = "old"
    world.send(flight("old", 25))
    worker = world.worker()
    await worker.service.process(replace(world.everything(), topic_id="old"))
    world.make_anew()
    world.send(flight("new", 40))
    world.history.topic_id = "new"

    await worker.service.process(replace(world.fetch({0: (25, 40)}), topic_id="old"))
    await worker.service.process(replace(world.everything(), topic_id="new"))

    rows = [row for row in await world.rows() if row.run_id == "new"]
    assert [row.cycle for row in rows] == list(range(1, 41))
    assert rows[30].status is Verdict.SCORED
    assert worker.metric("surgeline_topics_made_anew_total") == 1


async def test_a_worker_that_has_not_heard_of_the_new_topic_is_not_believed() -> None:
    world = World()
    world.history.topic_id = "new"
    world.send(flight("new", 40))
    await world.worker().service.process(replace(world.fetch({0: (0, 20)}), topic_id="new"))
    late = world.worker()

    await late.service.process(replace(world.fetch({0: (20, 40)}), topic_id="old"))

    assert late.metric("surgeline_topics_made_anew_total") == 0
    assert await world.counts() == {"warming_up": 3, "scored": 37}


async def test_an_id_tells_two_topics_apart_that_hold_the_same() -> None:
    world = World()
    world.history.topic_id = "old"
    world.send(flight("same", 25))
    await world.worker().service.process(replace(world.everything(), topic_id="old"))
    world.history.topic_id = "new"
    worker = world.worker()

    await worker.service.process(replace(world.everything(), topic_id="new"))

    assert worker.metric("surgeline_topics_made_anew_total") == 1
    assert await world.counts() == {"warming_up": 3, "scored": 22}


@pytest.mark.parametrize("run", ["old", "new"])
@pytest.mark.parametrize("count", [10, 40])
async def test_offsets_that_begin_anew_are_looked_at_whatever_id_came_with_them(
    run: str, count: int
) -> None:
    """The consumer began anew, and has not yet heard that the topic has another id."""
    world = World()
    world.history.topic_id = "old"
    world.send(flight("old", 25))
    worker = world.worker()
    await worker.service.process(replace(world.everything(), topic_id="old"))
    world.make_anew()
    world.send(flight(run, count))
    world.history.topic_id = "new"

    await worker.service.process(replace(world.everything(), topic_id="old"))

    assert worker.metric("surgeline_topics_made_anew_total") == 1
    progress = unpack_progress(world.states.progress[0])
    assert (progress.next_offset, progress.life, progress.topic_id) == (count, 1, "new")
    assert {alert.run_id for alert in world.publisher.alerts} == {"old", run}
    assert (await world.counts()).keys() <= {"warming_up", "scored"}


async def test_an_id_that_is_heard_for_the_first_time_is_not_believed_unseen() -> None:
    """It may be that of a topic made anew since, which has outgrown the old one."""
    world = World()
    world.send(flight("old", 25))
    worker = world.worker()
    await worker.service.process(world.everything())
    world.make_anew()
    world.send(flight("new", 40))
    world.history.topic_id = "new"

    for begin, end in ((25, 33), (33, 40)):
        await worker.service.process(replace(world.fetch({0: (begin, end)}), topic_id="new"))

    rows = [row for row in await world.rows() if row.run_id == "new"]
    assert [row.cycle for row in rows] == list(range(1, 41))
    assert worker.metric("surgeline_topics_made_anew_total") == 1


async def test_an_id_that_is_heard_for_the_first_time_is_looked_at_once() -> None:
    world = World()
    world.history.topic_id = "same"
    world.send(flight("old", 25))
    worker = world.worker()
    for begin in range(0, 25, 5):
        batch = world.fetch({0: (begin, begin + 5)})
        await worker.service.process(replace(batch, topic_id="same" if begin else ""))

    assert worker.metric("surgeline_topics_made_anew_total") == 0
    assert unpack_progress(world.states.progress[0]).topic_id == "same"
    assert len(world.history.looks) == 1


@pytest.mark.parametrize("known", [True, False], ids=["progress is there", "all was lost"])
async def test_a_rebuild_over_a_topic_made_anew_meanwhile_comes_to_an_end(known: bool) -> None:
    world = World()
    world.send(flight("old", 30))
    if known:
        await world.worker().service.process(world.fetch({0: (0, 20)}))
    in_hand = world.fetch({0: (25, 30)})
    world.make_anew()
    world.send(flight("new", 3))
    tries: list[int] = []
    read = world.history.read

    async def unreachable(partition: int, start: int | None, end: int):  # type: ignore[no-untyped-def]
        if end > 3:
            tries.append(end)
            raise BackendUnavailableError("nothing before 25")
        async for records in read(partition, start, end):
            yield records

    world.history.read = unreachable  # type: ignore[method-assign]

    await world.worker().service.process(in_hand)
    assert 1 <= len(tries) <= 2
    await world.worker().service.process(world.everything())

    rows = [row for row in await world.rows() if row.run_id == "new"]
    assert [row.cycle for row in rows] == [1, 2, 3]
