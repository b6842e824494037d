"""Several fleets in one worker: each reading is judged by its own model, and by no other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from common.machines.machine import Channel, MachineType, Step, Window
from common.records.verdicts import FinalScore, ScoreRecord, Verdict
from detector.core.fleet import Fleet
from models.scoring.scorer import Thresholds
from tests.support.builders import ALARM, INPUTS, MeanScorer, reading
from tests.support.world import World

PUMP = MachineType(
    name="pump",
    step=Step(word="minute", clock="time", interval_s=60.0, tolerance=0.25),
    window=Window(length=3),
    channels=(Channel(name="Discharge pressure [bar]"), Channel(name="Current", lowest=0.0)),
)


class PumpScorer(MeanScorer):
    """Knows every reading: a pump has no conditions."""

    def __init__(self, version: str = "1") -> None:
        super().__init__(machine=PUMP, version=version, thresholds=Thresholds(5.0, 50.0))

    def normalise(self, conditions: Any, channels: Any) -> Any:
        """Return the channels as they are."""
        plain = super().normalise(conditions=channels[:, :1] * 0.0, channels=channels)
        assert conditions.shape == (len(channels), 0)
        return plain


ENGINES = Fleet("default", MeanScorer(), ALARM, INPUTS)
PUMPS = Fleet("pumps", PumpScorer(), ALARM, INPUTS)
FLEETS = {"default": ENGINES, "pumps": PUMPS}


def pump(minute: int, value: float, **fields: object) -> bytes:
    message: dict[str, object] = {
        "schema_version": 2,
        "fleet": "pumps",
        "asset_id": "pump-1",
        "ts": f"2026-01-01T{minute // 60:02}:{minute % 60:02}:02Z",
        "settings": {},
        "sensors": {"Discharge pressure [bar]": value, "Current": value},
    }
    return json.dumps(message | fields).encode()


def keyed(world: World) -> None:
    for items in world.topic.values():
        items[:] = [
            structs.replace(item, key=json.loads(item.value or b"{}")["asset_id"].encode())
            for item in items
        ]
    world.history.records = [item for items in world.topic.values() for item in items]


async def rows(world: World, asset_id: str) -> list[tuple[int, str, float | None, str, str]]:
    from common.scorestore.port import ScoreQuery

    page = await world.scores.query(ScoreQuery(asset_id=asset_id))
    return [(row.cycle, row.status.value, row.score, row.model, row.fleet) for row in page.records]


async def test_two_machine_types_in_one_batch_are_judged_each_by_its_own_model() -> None:
    world = World()
    world.send(
        [
            value
            for number in range(1, 7)
            for value in (reading(number, 0.5).to_json(), pump(number, float(number)))
        ]
    )
    keyed(world)

    await world.worker(fleets=FLEETS).service.process(world.everything())

    assert [row[1] for row in await rows(world, "engine-1")] == ["warming_up"] * 3 + ["scored"] * 3
    pumps = await rows(world, "pump-1")
    assert [row[1] for row in pumps] == ["warming_up"] * 2 + ["scored"] * 4
    assert [row[2] for row in pumps[2:]] == [3.0, 4.0, 5.0, 6.0]
    first = 1_767_225_600 // 60 + 1
    assert [row[0] for row in pumps] == list(range(first, first + 6))
    assert {row[4] for row in pumps} == {"pumps"}
    (alert,) = world.publisher.alerts
    assert (alert.fleet, alert.asset_id, alert.run_id) == ("pumps", "pump-1", "only")
    assert [channel.name for channel in alert.channels] == ["Discharge pressure [bar]", "Current"]


async def test_alerts_of_two_fleets_in_one_batch_rest_each_on_its_own_window() -> None:
    together, alone = World(), World()
    for world in (together, alone):
        world.send(
            [
                value
                for number in range(1, 9)
                for value in (
                    reading(number, float(number), asset_id="engine-2").to_json(),
                    pump(number, 5.0 * number),
                    reading(number, 0.5 * number).to_json(),
                )
            ]
        )
        keyed(world)

    await together.worker(fleets=FLEETS).service.process(together.everything())
    worker = alone.worker(fleets=FLEETS)
    for offset in range(len(alone.topic[0])):
        await worker.service.process(alone.fetch({0: (offset, offset + 1)}))

    found, expected = (
        {each.alert_id: each.to_json() for each in world.publisher.evidence}
        for world in (together, alone)
    )
    assert found == expected
    fleets = [each.fleet for each in together.publisher.evidence]
    assert (fleets.count("default"), fleets.count("pumps")) == (2, 1)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(pump(1, 1.0, fleet="fans"), "unknown_fleet", id="no such fleet"),
        pytest.param(pump(1, 1.0, ts="2026-01-01T00:01:31Z"), "off_tick", id="off its tick"),
        pytest.param(pump(1, -1.0), "out_of_range", id="a limit of its own"),
        pytest.param(pump(1, 1.0, schema_version=1), "invalid_cycle", id="version 1 has no fleet"),
        pytest.param(pump(1, 1.0, fleet="a b"), "schema", id="no name of a fleet"),
        pytest.param(
            pump(1, 1.0, fleet="default", settings={"altitude": 0, "mach": 0, "tra": 0}),
            "invalid_cycle",
            id="another fleet counts",
        ),
    ],
)
async def test_what_its_fleet_cannot_use_is_set_aside_with_the_reason(
    value: bytes, reason: str
) -> None:
    world = World()
    world.send([value])
    keyed(world)

    await world.worker(fleets=FLEETS).service.process(world.everything())

    assert [letter.reason for letter in world.publisher.dead_letters] == [reason]


async def test_an_asset_that_says_another_fleet_in_the_same_run_is_not_mixed_up() -> None:
    world = World()
    stranger = json.loads(reading(7, 9.0, asset_id="pump-1", run_id="only").to_json())
    world.send([pump(number, 1.0) for number in (1, 2, 3)] + [json.dumps(stranger).encode()])
    world.send([pump(4, 1.0)])
    keyed(world)
    worker = world.worker(fleets=FLEETS)

    await worker.service.process(world.fetch({0: (0, 2)}))
    await worker.service.process(world.fetch({0: (2, 5)}))

    assert [letter.reason for letter in world.publisher.dead_letters] == ["wrong_fleet"]
    assert "'default', and is of 'pumps'" in world.publisher.dead_letters[0].message
    assert [row[1] for row in await rows(world, "pump-1")] == ["warming_up"] * 2 + ["scored"] * 2


async def test_lost_states_of_several_fleets_come_back_as_they_were() -> None:
    world, whole = World(), World()
    values = [
        value
        for number in range(1, 12)
        for value in (
            reading(number, 0.5 + number / 4).to_json(),
            pump(number, float(number)),
            pump(number, 1.0, asset_id="pump-2", fleet="pumps" if number > 2 else "default"),
        )
    ]
    for each in (world, whole):
        each.send(values)
        keyed(each)
    await whole.worker(fleets=FLEETS).service.process(whole.everything())

    for begin in range(0, len(values), 3):
        if begin == 15:
            world.states.values.clear()
            world.states.progress.clear()
        await world.worker(fleets=FLEETS).service.process(world.fetch({0: (begin, begin + 3)}))

    for asset_id in ("engine-1", "pump-1", "pump-2"):
        assert await rows(world, asset_id) == await rows(whole, asset_id)
    assert world.states.values == whole.states.values
    assert sorted(alert.alert_id for alert in world.publisher.alerts) == sorted(
        alert.alert_id for alert in whole.publisher.alerts
    )


async def test_a_model_that_takes_over_between_two_batches_scores_the_very_next_reading() -> None:
    world = World()
    world.send([reading(number, 0.5) for number in range(1, 9)])
    worker = world.worker(fleets=FLEETS)
    await worker.service.process(world.fetch({0: (0, 5)}))

    worker.service.serve({**FLEETS, "default": replace(ENGINES, scorer=MeanScorer(version="2"))})
    await worker.service.process(world.fetch({0: (5, 8)}))

    found = await rows(world, "engine-1")
    assert [row[1] for row in found] == ["warming_up"] * 3 + ["scored"] * 5
    assert [row[3] for row in found] == ["mean@1"] * 5 + ["mean@2"] * 3
    assert worker.metrics.registry.get_sample_value("surgeline_fleets_loaded_total") == 1


async def test_a_model_takes_over_when_nothing_is_in_hand_that_another_began() -> None:
    world = World()
    world.send([reading(number, 0.5) for number in range(1, 4)])
    world.send([reading(number, 0.5, "engine-2") for number in range(1, 4)], partition=1)
    worker = world.worker(fleets=FLEETS)
    begun, may_go_on = asyncio.Event(), asyncio.Event()
    write = world.scores.write

    async def slowly(records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = ()) -> None:
        begun.set()
        await may_go_on.wait()
        await write(records, finals)

    world.scores.write = slowly  # type: ignore[method-assign]
    first = asyncio.create_task(worker.service.process(world.fetch({0: (0, 3)})))
    await begun.wait()
    worker.service.serve({**FLEETS, "default": replace(ENGINES, scorer=MeanScorer(version="2"))})
    second = asyncio.create_task(worker.service.process(world.fetch({1: (0, 3)})))
    for _ in range(20):
        await asyncio.sleep(0)
    value = worker.metrics.registry.get_sample_value
    assert value("surgeline_batches_in_hand") == 1

    may_go_on.set()
    await asyncio.gather(first, second)

    assert {row[3] for row in await rows(world, "engine-1")} == {"mean@1"}
    assert {row[3] for row in await rows(world, "engine-2")} == {"mean@2"}


async def test_readings_of_a_fleet_that_is_gone_are_dead_letters_and_the_others_go_on() -> None:
    world = World()
    world.send([pump(1, 1.0), reading(1, 0.5).to_json(), pump(2, 1.0), reading(2, 0.5).to_json()])
    keyed(world)
    worker = world.worker(fleets=FLEETS)
    await worker.service.process(world.fetch({0: (0, 2)}))

    worker.service.serve({"default": ENGINES})
    await worker.service.process(world.fetch({0: (2, 4)}))

    assert [letter.reason for letter in world.publisher.dead_letters] == ["unknown_fleet"]
    assert await world.counts() == {Verdict.WARMING_UP: 3}
    value = worker.metrics.registry.get_sample_value
    assert (
        value("surgeline_fleet_verdicts_total", {"fleet": "default", "status": "warming_up"}) == 2
    )
