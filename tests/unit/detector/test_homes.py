"""An asset that comes on several partitions has one home, and every reading one verdict."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.records.readings import SensorReading
from detector.failpoints import Point
from tests.support.builders import INPUTS, reading
from tests.support.world import Killed, Worker, World, dies_at

FOLLOWS = replace(INPUTS, follow_after=3)


def flight(first: int, count: int, value: float = 0.0) -> list[SensorReading]:
    return [reading(cycle, value) for cycle in range(first, first + count)]


async def test_what_comes_elsewhere_is_set_aside_and_never_overwrites() -> None:
    world = World()
    world.send(flight(1, 8), partition=0)
    world.send(flight(1, 4), partition=1)

    await world.worker().service.process(world.everything())

    assert await world.counts() == {"warming_up": 3, "scored": 5, "rejected": 4}
    assert {letter.reason for letter in world.publisher.dead_letters} == {"wrong_partition"}
    assert [(at.partition, at.offset) for at in world.publisher.dead_letters] == [
        (1, offset) for offset in range(4)
    ]
    assert "same partitioner" in world.publisher.dead_letters[0].message


async def test_of_two_workers_at_once_one_has_the_asset() -> None:
    world = World()
    world.send(flight(1, 5), partition=0)
    world.send(flight(1, 5), partition=1)
    others: list[Worker] = []

    def overtaken(point: Point) -> None:
        """Another worker, with the other partition, is faster between our read and our claim."""
        if point is Point.STATES_READ and not others:
            others.append(world.worker())

    slow = world.worker(overtaken)
    read = slow.service._keeper._states.read

    async def read_then_lose(keys, partitions, *speakers):  # type: ignore[no-untyped-def]
        found = await read(keys, partitions, *speakers)
        slow.service._keeper._states.read = read  # type: ignore[method-assign]
        await world.worker().service.process(world.everything([1]))
        return found

    slow.service._keeper._states.read = read_then_lose  # type: ignore[method-assign]
    await slow.service.process(world.everything([0]))

    assert await world.counts() == {"warming_up": 3, "scored": 2, "rejected": 5}


@settings(max_examples=30, deadline=None)
@given(st.data())
async def test_whatever_dies_each_message_has_exactly_one_verdict(data: st.DataObject) -> None:
    """Sixty readings on two partitions, two workers, kills anywhere: sixty verdicts."""
    world = World()
    for partition in (0, 1):
        world.send(flight(1, 30), partition)
    done = {0: 0, 1: 0}
    while left := [number for number in done if done[number] < 30]:
        chosen = data.draw(st.lists(st.sampled_from(left), min_size=1, unique=True))
        spans = {n: (done[n], min(30, done[n] + data.draw(st.integers(1, 12)))) for n in chosen}
        point = data.draw(st.one_of(st.none(), st.sampled_from(Point)))
        worker = world.worker(dies_at(point), inputs=FOLLOWS) if point else world.worker()
        try:
            await worker.service.process(world.fetch(spans))
        except Killed:
            continue  # nothing was acknowledged: it comes again
        done |= {number: end for number, (_, end) in spans.items()}

    assert sum((await world.counts()).values()) == 60
    cycles = [(row.run_id, row.cycle) for row in await world.rows()]
    assert len(cycles) == len(set(cycles))
    refused = {(at.partition, at.offset) for at in world.publisher.dead_letters}
    assert len(refused) == (await world.counts()).get("rejected", 0)


async def test_an_asset_that_has_moved_for_good_is_followed() -> None:
    world = World()
    worker = world.worker(inputs=FOLLOWS)
    world.send(flight(1, 6), partition=0)
    await worker.service.process(world.everything())
    world.send(flight(7, 9), partition=5)

    for offset in range(9):
        await worker.service.process(world.fetch({5: (offset, offset + 1)}))

    assert await world.counts() == {
        "warming_up": 3 + 2, "scored": 3 + 3, "gap": 1, "rejected": 3,
    }  # fmt: skip
    # what its old home still had is known to have had its verdict
    await worker.service.process(world.everything([0]))
    assert sum((await world.counts()).values()) == 15


async def test_an_asset_that_also_speaks_at_home_is_not_followed() -> None:
    world = World()
    worker = world.worker(inputs=FOLLOWS)
    world.send(flight(1, 20), partition=0)
    world.send(flight(1, 20), partition=5)

    for offset in range(20):
        await worker.service.process(world.fetch({0: (offset, offset + 1)}))
        await worker.service.process(world.fetch({5: (offset, offset + 1)}))

    assert (await world.counts())["rejected"] == 20


@pytest.mark.parametrize("point", [Point.CLAIMED, Point.SCORES_WRITTEN, Point.PUBLISHED])
async def test_a_worker_that_dies_while_it_follows_leaves_no_second_verdict(point: Point) -> None:
    world = World()
    world.send(flight(1, 6), partition=0)
    world.send(flight(7, 9), partition=5)
    await world.worker().service.process(world.everything([0]))
    mortal = world.worker(dies_at(point, 2), inputs=FOLLOWS)
    await mortal.service.process(world.fetch({5: (0, 4)}))
    with pytest.raises(Killed):
        await mortal.service.process(world.fetch({5: (4, 9)}))

    await world.worker(inputs=FOLLOWS).service.process(world.fetch({5: (4, 9)}))

    assert sum((await world.counts()).values()) == 15
    assert (await world.counts())["rejected"] == 4
