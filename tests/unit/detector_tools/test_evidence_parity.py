"""Evidence is that of the windows which the batch path cuts by itself, out of the same readings."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from common.machines.rows import as_rows, split_rows
from common.records.evidence import AlertEvidence
from common.records.readings import SensorReading
from common.records.times import utc_text
from detector.core.policy import InputPolicy
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.evaluation.batch_path import counting_rows, record_windows
from models.scoring.scorer import WindowScorer
from producer.simulator.simulate import simulate
from tests.support.fleet_messages import START, fleet_messages
from tests.support.world import World

BRIDGE = 3


@dataclass(frozen=True, slots=True)
class Readings:
    """What was sent of one engine."""

    cycles: NDArray[np.int64]
    rows: NDArray[np.float32]


@pytest.fixture(scope="module")
def scorer() -> WindowScorer:
    return open_scorer(load_artifact("fd001"))


@pytest.fixture(scope="module")
def sent() -> dict[str, list[SensorReading]]:
    """Two engines run to failure, with blanks and missing cycles."""
    chance = np.random.default_rng(3)
    found: dict[str, list[SensorReading]] = {}
    for _, value in fleet_messages(simulate(2, seed=11, split="train"), "run-1"):
        reading = SensorReading.model_validate_json(value)
        sensors: dict[str, float | None] = dict(reading.sensors)
        for name in chance.choice(list(sensors), chance.integers(0, 2), replace=False):
            sensors[str(name)] = None
        if reading.cycle < 2 or chance.random() > 0.03:
            blanks = {"sensors": sensors} if reading.cycle > 1 else {}
            found.setdefault(reading.asset_id, []).append(reading.model_copy(update=blanks))
    return found


def as_arrays(readings: list[SensorReading], scorer: WindowScorer) -> Readings:
    machine = scorer.spec.machine
    rows = [
        [reading.settings[name] for name in machine.condition_names]
        + [
            np.nan if (value := reading.sensors[name]) is None else value
            for name in machine.channel_names
        ]
        for reading in readings
    ]
    cycles = np.array([reading.cycle for reading in readings], np.int64)
    return Readings(cycles, as_rows(np.array(rows, np.float64)))


async def live(
    sent: dict[str, list[SensorReading]], scorer: WindowScorer, batch: int
) -> list[AlertEvidence]:
    """Return what a worker publishes of these readings, some of them at a time."""
    world = World(scorer=scorer)
    everything = sorted(
        (reading for readings in sent.values() for reading in readings),
        key=lambda reading: reading.cycle,
    )
    world.send(everything)
    worker = world.worker(inputs=InputPolicy(max_reading_bytes=65_536, bridge_cycles=BRIDGE))
    for first in range(0, len(everything), batch):
        last = min(first + batch, len(everything))
        await worker.service.process(world.fetch({0: (first, last)}))
    return world.publisher.evidence


async def test_live_evidence_is_that_of_the_batch_path(
    sent: dict[str, list[SensorReading]], scorer: WindowScorer
) -> None:
    machine, length = scorer.spec.machine, scorer.spec.window_length
    found = await live(sent, scorer, batch=37)

    assert {evidence.asset_id for evidence in found} == set(sent)
    assert any(channel.held for evidence in found for channel in evidence.channels)
    assert any(any(evidence.window.missing_before) for evidence in found)
    for evidence in found:
        readings = as_arrays(sent[evidence.asset_id], scorer)
        laid = record_windows(scorer, machine, readings.cycles, readings.rows, BRIDGE)
        kept, filled = counting_rows(machine, readings.cycles, readings.rows)
        [which] = np.flatnonzero(readings.cycles[laid.ends] == evidence.cycle)
        end = int(np.flatnonzero(kept == laid.ends[which])[0]) + 1
        rows, raw = filled[end - length : end], readings.rows[kept[end - length : end]]
        conditions, _ = split_rows(rows, len(machine.conditions))
        expected = scorer.expect(conditions[None], laid.windows[which : which + 1])

        cycles = readings.cycles[kept[end - length : end]]
        assert list(evidence.window.cycles) == cycles.tolist()
        assert list(evidence.window.missing_before) == [0, *(np.diff(cycles) - 1).tolist()]
        dumped = json.loads(evidence.to_json())["window"]["ts"]
        assert dumped == [utc_text(START + timedelta(seconds=cycle)) for cycle in cycles.tolist()]
        for index, condition in enumerate(evidence.conditions):
            assert np.array_equal(np.array(condition.values, np.float32), rows[:, index])
        for channel in evidence.channels:
            index = machine.channel_names.index(channel.name)
            column = len(machine.conditions) + index
            assert np.array_equal(np.array(channel.values, np.float32), rows[:, column])
            assert list(channel.held) == np.flatnonzero(np.isnan(raw[:, column])).tolist()
            assert channel.expected == pytest.approx(expected.values[0, :, index], rel=1e-5)


async def test_the_cut_into_batches_makes_no_difference(
    sent: dict[str, list[SensorReading]], scorer: WindowScorer
) -> None:
    few, many = await live(sent, scorer, batch=1000), await live(sent, scorer, batch=11)

    assert {one.alert_id for one in few} == {one.alert_id for one in many}
    others = {one.alert_id: one for one in many}
    for one in few:
        other = others[one.alert_id]
        assert (one.window, one.conditions) == (other.window, other.conditions)
        assert [each.expected for each in one.channels] == [
            each.expected for each in other.channels
        ]
