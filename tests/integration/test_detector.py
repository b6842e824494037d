"""The real detector process: live scores equal batch scores, bad input never stops it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.cmapss.reader import Dataset, load_dataset
from common.records.readings import SensorReading
from common.records.verdicts import Verdict
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.evaluation.batch_path import score_engine
from producer.simulator.simulate import simulate
from tests.support.builders import changed, sound_reading
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import asset_name, fleet_messages

RELATIVE_TOLERANCE = 1e-5


async def replayed(bench: DetectorBench, dataset: Dataset) -> int:
    """Send a whole fleet through the running detector; return how many readings that was."""
    messages = fleet_messages(dataset, "run-1")
    await bench.send(messages)
    await bench.settled()
    return len(messages)


async def assert_live_equals_batch(bench: DetectorBench, dataset: Dataset) -> None:
    scorer = open_scorer(load_artifact("fd001"))
    live = {
        (verdict.asset_id, verdict.cycle): verdict.score or 0.0
        for verdict in await bench.verdicts()
        if verdict.status is Verdict.SCORED
    }
    batch = {
        (asset_name(dataset, engine.unit), int(cycle)): score
        for engine in dataset.engines
        for scored in [score_engine(scorer, engine)]
        for cycle, score in zip(scored.cycles, scored.scores, strict=True)
    }
    assert live.keys() == batch.keys()
    np.testing.assert_allclose(
        [live[key] for key in batch], list(batch.values()), rtol=RELATIVE_TOLERANCE
    )


@pytest.mark.real_data
async def test_live_scores_of_all_fd001_test_engines_equal_the_batch_scores(
    bench: DetectorBench, cmapss_dir: Path
) -> None:
    dataset = load_dataset(cmapss_dir, "FD001", "test")

    with bench.running():
        sent = await replayed(bench, dataset)

    assert sent == 13_096
    assert await bench.verdict_total() == sent
    assert await bench.dead_letters() == []
    await assert_live_equals_batch(bench, dataset)


async def test_live_scores_of_simulated_engines_equal_the_batch_scores(
    bench: DetectorBench,
) -> None:
    dataset = simulate(8, seed=3, split="train")

    with bench.running():
        await replayed(bench, dataset)

    await assert_live_equals_batch(bench, dataset)
    assert {alert.asset_id for alert in await bench.alerts()} == {
        asset_name(dataset, engine.unit) for engine in dataset.engines
    }


def test_a_worker_leaves_no_files_where_it_is_started(bench: DetectorBench) -> None:
    before = set(Path.cwd().iterdir())

    with bench.running():
        during = set(Path.cwd().iterdir())

    ours = {path.name for path in during - before if bench.kafka.topic_prefix in path.name}
    assert ours == set()


async def test_bad_messages_get_their_reason_and_the_stream_goes_on(bench: DetectorBench) -> None:
    good = [sound_reading(cycle) for cycle in range(1, 4)]
    key = good[0].asset_id.encode()
    sensors, settings = good[1].sensors, good[1].settings
    warm = sensors["T24"] or 0.0
    messages: list[tuple[bytes | None, bytes | None]] = [
        (key, good[0].to_json()),
        (key, b'{"asset_id": "engine-1", "cyc'),
        (key, changed(good[1], cycle="2")),
        (key, changed(good[1], settings={**settings, "mach": float("nan")})),
        (key, changed(good[1], sensors={"P2": sensors["P2"]})),
        (key, changed(good[1], sensors={**sensors, "T24": warm * 10})),
        (key, b"x" * 10_000_000),
        (key, changed(good[1], cycle=0)),
        (key, good[0].to_json()),
        (key, good[1].to_json()),
        (key, sound_reading(5).to_json()),
        (key, sound_reading(4).to_json()),
        (None, good[2].to_json()),
        (key, None),
        (key, sound_reading(6).to_json()),
    ]

    with bench.running():
        await bench.send(messages)
        await bench.settled()

    assert await bench.verdict_total() == 10
    assert sorted(letter.reason for letter in await bench.dead_letters()) == sorted(
        [
            "malformed_json",
            "invalid_cycle",
            "non_finite",
            "missing_channel",
            "out_of_range",
            "too_large",
            "invalid_cycle",
            "key_mismatch",
            "empty",
        ]
    )
    by_cycle = {verdict.cycle: verdict.status for verdict in await bench.verdicts()}
    assert by_cycle == {
        1: Verdict.WARMING_UP,
        2: Verdict.WARMING_UP,
        5: Verdict.WARMING_UP,
        6: Verdict.WARMING_UP,
    }


async def test_a_stuck_sensor_is_named_beside_the_scores_and_in_the_alert(
    bench: DetectorBench,
) -> None:
    (engine,) = simulate(1, seed=5, split="train").engines
    readings = [
        SensorReading.model_validate_json(value)
        for _, value in fleet_messages(Dataset("FD001", "train", (engine,), None, ""), "run-1")
    ]
    stuck_from = 60
    value = readings[stuck_from - 1].sensors["T50"]
    messages = [
        (
            item.asset_id.encode(),
            changed(item, sensors={**item.sensors, "T50": value})
            if item.cycle >= stuck_from
            else item.to_json(),
        )
        for item in readings
    ]

    with bench.running():
        await bench.send(messages)
        await bench.settled()

    said = "T50 has not moved for 30 readings: stuck?"
    details = {verdict.cycle: verdict.detail for verdict in await bench.verdicts()}
    assert {cycle for cycle, detail in details.items() if detail == said} == set(
        range(stuck_from + 29, len(readings) + 1)
    )
    late = [alert for alert in await bench.alerts() if alert.cycle >= stuck_from + 29]
    assert late
    assert all(alert.reason.endswith(said) for alert in late)
