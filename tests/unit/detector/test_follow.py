"""A counter that restarts, or jumped far ahead once, blinds nobody for long."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from common.records.ids import ID_PATTERN, renewed_run_id
from common.records.readings import SensorReading
from tests.support.builders import INPUTS, START, reading
from tests.support.world import World

FOLLOWS = replace(INPUTS, follow_after=30)


def at(cycle: int, second: int, value: float = 0.0) -> SensorReading:
    """A reading taken at some second, whatever its counter says."""
    return reading(cycle, value).model_copy(update={"ts": START + timedelta(seconds=second)})


async def taken(readings: list[SensorReading], *, batch: int = 1000) -> World:
    world = World()
    world.send(readings)
    worker = world.worker(inputs=FOLLOWS)
    for begin in range(0, len(readings), batch):
        end = min(len(readings), begin + batch)
        await worker.service.process(world.fetch({0: (begin, end)}))
    world.opened = worker.metric("surgeline_runs_opened_by_rule_total")  # type: ignore[attr-defined]
    return world


@pytest.mark.parametrize("batch", [1, 7, 1000])
async def test_a_counter_that_restarts_opens_a_new_run(batch: int) -> None:
    before = [at(cycle, cycle) for cycle in range(1, 101)]
    after = [at(cycle, 100 + cycle) for cycle in range(1, 101)]

    world = await taken(before + after, batch=batch)

    assert await world.counts() == {"warming_up": 6, "scored": 97 + 68, "duplicate": 29}
    rows = [row for row in await world.rows() if row.run_id != "run-1"]
    assert {row.run_id for row in rows} == {"run-1:from-0-129"}
    assert [row.cycle for row in rows] == list(range(30, 101))
    assert "a new run, opened by rule: 30 readings in a row" in rows[0].detail
    assert "1 of 4 cycles" in rows[0].detail
    assert world.opened == 1  # type: ignore[attr-defined]


async def test_a_counter_that_jumped_once_opens_a_new_run() -> None:
    readings = [at(cycle, cycle) for cycle in range(1, 41)]
    readings += [at(1_000_000, 41)]
    readings += [at(cycle, cycle + 1) for cycle in range(41, 101)]

    world = await taken(readings)

    assert await world.counts() == {"warming_up": 6, "scored": 37 + 28, "gap": 1, "late": 29}


async def test_a_source_that_sends_all_again_opens_none() -> None:
    flight = [at(cycle, cycle) for cycle in range(1, 101)]

    world = await taken(flight + flight)

    assert (await world.counts())["duplicate"] == 100
    assert world.opened == 0  # type: ignore[attr-defined]


async def test_a_clock_that_was_far_ahead_once_does_not_blind_for_ever() -> None:
    readings = [at(cycle, cycle) for cycle in range(1, 11)]
    readings += [at(1_000_000, 10**9)]
    readings += [at(cycle, cycle + 1) for cycle in range(11, 81)]
    world = World()
    world.send(readings)
    # the broker's stamps are the truth here: each a second after the one before
    world.topic[0] = [
        structs.replace(item, published_ts_ms=1_767_225_600_000 + 1000 * number)
        for number, item in enumerate(world.topic[0])
    ]
    world.history.records = world.topic[0]

    await world.worker(inputs=FOLLOWS).service.process(world.everything())

    counts = await world.counts()
    assert counts["late"] < 70
    assert any(row.run_id.startswith("run-1:from-") for row in await world.rows())


async def test_readings_that_do_not_agree_with_each_other_open_none() -> None:
    before = [at(cycle, cycle) for cycle in range(1, 101)]
    mixed = [at(1 + (7 * number) % 50, 101 + number) for number in range(100)]

    world = await taken(before + mixed)

    assert world.opened == 0  # type: ignore[attr-defined]


async def test_a_run_that_goes_on_forgets_its_rival() -> None:
    readings = [at(cycle, cycle) for cycle in range(1, 101)]
    for number in range(60):
        readings += [at(1 + number, 200 + 2 * number), at(101 + number, 201 + 2 * number)]

    world = await taken(readings)

    assert world.opened == 0  # type: ignore[attr-defined]
    assert (await world.counts())["duplicate"] == 60


async def test_an_alarm_belongs_to_its_run() -> None:
    before = [at(cycle, cycle, 2.5) for cycle in range(1, 41)]
    after = [at(cycle, 40 + cycle, 2.5) for cycle in range(1, 61)]

    world = await taken(before + after)

    assert [(a.state.value, a.run_id, a.cycle) for a in world.publisher.alerts] == [
        ("raised", "run-1", 5),
        ("raised", "run-1:from-0-69", 34),
    ]
    assert len({alert.alarm_id for alert in world.publisher.alerts}) == 2


async def test_a_rebuild_comes_to_the_same_run() -> None:
    before = [at(cycle, cycle, 2.5) for cycle in range(1, 41)]
    after = [at(cycle, 40 + cycle, 2.5) for cycle in range(1, 61)]
    world = await taken(before + after)
    states = dict(world.states.values)
    world.states.values.clear()
    world.states.progress.clear()
    world.send([at(61, 101, 2.5)])

    await world.worker(inputs=FOLLOWS).service.process(world.fetch({0: (100, 101)}))

    undisturbed = World()
    undisturbed.send(before + after + [at(61, 101, 2.5)])
    await undisturbed.worker(inputs=FOLLOWS).service.process(undisturbed.everything())
    assert world.states.values == undisturbed.states.values != states


def test_a_run_opened_by_rule_has_an_id_that_may_stand_anywhere() -> None:
    import re

    for length in (1, 100, 128):
        name = renewed_run_id("r" * length, 1023, 2**62)
        assert re.match(ID_PATTERN, name)
        assert name.endswith(f":from-1023-{2**62}")
    assert renewed_run_id("r" * 128, 0, 1) != renewed_run_id("r" * 127 + "s", 0, 1)


async def test_where_nobody_is_to_be_followed_no_run_is_ever_opened() -> None:
    world = World()
    world.send([at(cycle, cycle) for cycle in range(1, 101)])
    world.send([at(cycle, 100 + cycle) for cycle in range(1, 101)])

    await world.worker(inputs=replace(INPUTS, follow_after=0)).service.process(world.everything())

    assert await world.counts() == {"warming_up": 3, "scored": 97, "duplicate": 100}
