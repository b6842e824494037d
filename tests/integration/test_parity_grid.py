"""Live equals batch on the real engines, however records are cut into batches and partitions.

In this process, over the fakes that the contract tests hold to the real stores' promises, and on
the grid's diagonal with a part of the engines. All of it through real servers is ``make parity``.
"""

from __future__ import annotations

import zlib
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from common.clock import SystemClock
from common.cmapss.reader import Dataset, load_dataset
from common.records.verdicts import SourcePosition, Verdict
from common.retry import Backoff
from common.scorestore.memory import MemoryScoreStore
from common.scorestore.port import ScoreQuery
from detector.adapters.memory import MemoryHistory, MemoryPublisher, MemoryStateStore
from detector.core.policy import InputPolicy
from detector.core.reading.source import SourceRecord, dense
from detector.delivery.service import DetectorPolicy, DetectorPorts, DetectorService
from detector.metrics import DetectorMetrics
from detector.worker.health import Health
from models.alarm import AlarmPolicy
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.evaluation.batch_path import score_engine
from models.scoring.scorer import WindowScorer
from tests.support.builders import fleets_of
from tests.support.fleet_messages import asset_name, fleet_messages

ENGINES = 15
GRID = [(1, 1), (7, 3), (500, 8)]
"""Readings in a batch, and partitions."""

TOLERANCE = 1e-6
RUN = "run-1"

Scores = dict[tuple[str, int], float]


def on_topic(dataset: Dataset, partitions: int) -> list[SourceRecord]:
    """The fleet's records, spread over partitions by key, in the order they were sent."""
    next_offset = [0] * partitions
    records = []
    for key, value in fleet_messages(dataset, RUN):
        partition = zlib.crc32(key) % partitions
        position = SourcePosition("topic", partition, next_offset[partition])
        records.append(SourceRecord(position, 1_767_225_600_000, key, value))
        next_offset[partition] += 1
    return records


async def live(
    scorer: WindowScorer, records: list[SourceRecord], batch: int
) -> tuple[Scores, set[str]]:
    """Scores by asset and cycle, and alert ids, of the records fed in batches."""
    scores, publisher = MemoryScoreStore(), MemoryPublisher()
    service = DetectorService(
        fleets_of(scorer, InputPolicy(65_536, bridge_cycles=0), AlarmPolicy(3, 10, 0.05)),
        DetectorPorts(
            MemoryStateStore(),
            scores,
            publisher,
            MemoryHistory(),
            SystemClock(),
        ),
        DetectorPolicy(Backoff(), follow_after=30),
        DetectorMetrics(),
        Health(),
    )
    rest = iter(records)
    while part := list(islice(rest, batch)):
        await service.process(dense(part))
    found: Scores = {}
    cursor: str | None = None
    while True:
        page = await scores.query(ScoreQuery(status=Verdict.SCORED, limit=10_000, cursor=cursor))
        found |= {(row.asset_id, row.cycle): row.score or 0.0 for row in page.records}
        cursor = page.next_cursor
        if cursor is None:
            return found, {alert.alert_id for alert in publisher.alerts}


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["FD001", "FD002"])
async def test_live_equals_batch_for_every_batch_size_and_number_of_partitions(
    name: str, cmapss_dir: Path
) -> None:
    whole = load_dataset(cmapss_dir, name, "test")
    dataset = Dataset(whole.name, whole.split, whole.engines[:ENGINES], None, whole.sha256)
    scorer = open_scorer(load_artifact(name.lower()))
    batch_scores = {
        (asset_name(dataset, engine.unit), int(cycle)): float(score)
        for engine in dataset.engines
        for scored in [score_engine(scorer, engine)]
        for cycle, score in zip(scored.cycles, scored.scores, strict=True)
    }
    alert_sets = set()
    largest = 0.0
    for batch, partitions in GRID:
        found, alerts = await live(scorer, on_topic(dataset, partitions), batch)
        assert found.keys() == batch_scores.keys()
        came = np.array([found[key] for key in batch_scores])
        expected = np.array(list(batch_scores.values()))
        difference = float(np.max(np.abs(came - expected) / np.abs(expected)))
        largest = max(largest, difference)
        alert_sets.add(frozenset(alerts))

    assert largest <= TOLERANCE
    assert len(alert_sets) == 1
    assert alert_sets.pop()
