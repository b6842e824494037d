"""Several fleets on one real worker, and other models while it runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from common.clock import SystemClock
from common.cmapss.reader import Dataset, load_dataset
from common.records.verdicts import ScoreRecord, Verdict
from common.settings import load_settings
from detector.tools.parity.report import parity_report
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.evaluation.batch_path import score_engine
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import asset_name, fleet_messages

ENGINES = 4


def file_of(folder: Path, **artifacts: str) -> Path:
    """Write which artifact judges which fleet."""
    path = folder / "fleets.toml"
    draft = folder / "draft.toml"
    draft.write_text(
        "".join(f'[fleet.{name}]\nartifact = "{value}"\n' for name, value in artifacts.items())
    )
    draft.replace(path)
    return path


def of_fleet(
    messages: list[tuple[bytes, bytes]], fleet: str, run_id: str | None = None
) -> list[tuple[bytes, bytes]]:
    """Return messages that say a fleet."""
    changes = {"fleet": fleet} | ({} if run_id is None else {"run_id": run_id})
    return [(key, json.dumps(json.loads(value) | changes).encode()) for key, value in messages]


async def loaded(bench: DetectorBench, times: int, metric: str = "loaded") -> None:
    """Wait until the worker has loaded (or refused) fleets so often."""
    clock = SystemClock()
    line = f"surgeline_fleets_{metric}_total {times}.0"
    async with asyncio.timeout(30):
        while line not in await asyncio.to_thread(_metrics, bench.http_port):
            await clock.sleep(0.05)


def _metrics(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text: str = answer.read().decode()
    return text


def scores(rows: list[ScoreRecord], label: str) -> dict[tuple[str, int], float]:
    """Return the scores a model gave, by asset and cycle."""
    return {
        (row.asset_id, row.cycle): row.score
        for row in rows
        if row.status is Verdict.SCORED and row.model == label and row.score is not None
    }


def batch_scores(dataset: Dataset, artifact: str) -> dict[tuple[str, int], float]:
    """Return what the batch path comes to."""
    scorer = open_scorer(load_artifact(artifact))
    return {
        (asset_name(dataset, engine.unit), int(cycle)): float(score)
        for engine in dataset.engines
        for scored in [score_engine(scorer, engine)]
        for cycle, score in zip(scored.cycles, scored.scores, strict=True)
    }


def label_of(artifact: str) -> str:
    ref = load_artifact(artifact).ref
    return f"{ref.name}@{ref.version}"


async def test_another_model_by_sighup_scores_the_very_next_reading(
    bench: DetectorBench, tmp_path: Path
) -> None:
    dataset = simulate(ENGINES, seed=3, split="train")
    messages = fleet_messages(dataset, "run-1")
    half = ENGINES * 60
    path = file_of(tmp_path, default="fd001")

    with bench.running(SURGELINE_FLEETS=str(path)) as worker:
        await bench.send(messages[:half])
        await bench.settled()
        file_of(tmp_path, default="fd003")
        os.kill(worker.pid, signal.SIGHUP)
        await loaded(bench, 1)
        await bench.send(messages[half:])
        await bench.settled()

    rows = await bench.verdicts()
    counts = {status: sum(row.status is status for row in rows) for status in Verdict}
    assert counts[Verdict.WARMING_UP] == 29 * ENGINES
    assert sum(counts.values()) == counts[Verdict.WARMING_UP] + counts[Verdict.SCORED]
    for artifact, wanted in (("fd001", range(30, 61)), ("fd003", range(61, 1000))):
        live = scores(rows, label_of(artifact))
        batch = {key: s for key, s in batch_scores(dataset, artifact).items() if key[1] in wanted}
        assert live == batch


async def test_fleets_that_cannot_be_are_refused_and_those_before_stay(
    bench: DetectorBench, tmp_path: Path
) -> None:
    messages = fleet_messages(simulate(1, seed=3, split="train"), "run-1")
    path = file_of(tmp_path, default="fd001")

    with bench.running(SURGELINE_FLEETS=str(path)):
        await bench.send(messages[:40])
        await bench.settled()
        file_of(tmp_path, default="no-such-model")
        await loaded(bench, 1, "refused")
        path.write_text("[fleet")
        await loaded(bench, 2, "refused")
        await bench.send(messages[40:50])
        await bench.settled()

    rows = await bench.verdicts()
    assert len(rows) == 50
    assert len(scores(rows, label_of("fd001"))) == 21


async def test_two_fleets_at_the_same_time_are_each_equal_to_the_batch_path(
    bench: DetectorBench, tmp_path: Path
) -> None:
    one, two = simulate(3, seed=3, split="train"), simulate(3, seed=4, split="test")
    messages = [
        message
        for pair in zip(
            of_fleet(fleet_messages(one, "one"), "first"),
            of_fleet(fleet_messages(two, "two"), "second"),
            strict=False,
        )
        for message in pair
    ]
    path = file_of(tmp_path, first="fd001", second="fd003")

    with bench.running(SURGELINE_FLEETS=str(path)):
        await bench.send(messages)
        await bench.settled()

    settings = load_settings(bench.environment(SURGELINE_FLEETS=str(path)))
    for run_id, artifact in (("one", "fd001"), ("two", "fd003")):
        report = await parity_report(run_id, settings)
        assert report.equal, report
        assert report.model == label_of(artifact)
        assert report.compared > 100
    assert {alert.fleet for alert in await bench.alerts()} <= {"first", "second"}


@pytest.mark.real_data
async def test_three_data_sets_side_by_side_find_their_own_models(
    bench: DetectorBench, cmapss_dir: Path
) -> None:
    sets = [("FD001", "test"), ("FD002", "test"), ("FD003", "train")]
    messages: list[tuple[bytes, bytes]] = []
    for name, split in sets:
        dataset = load_dataset(cmapss_dir, name, split)  # type: ignore[arg-type]
        some = Dataset(name, dataset.split, dataset.engines[:8], None, dataset.sha256)
        messages += of_fleet(fleet_messages(some, name), name)

    with bench.running():
        await bench.send(messages)
        await bench.settled()

    rows = await bench.verdicts()
    assert len(rows) == len(messages)
    assert {row.status for row in rows} == {Verdict.WARMING_UP, Verdict.SCORED}
    for name, _ in sets:
        report = await parity_report(name, load_settings(bench.environment()))
        assert report.equal, report
        assert report.largest is not None
        assert report.largest.relative == 0.0
        assert np.isclose(report.compared, report.readings - 29 * 8)
