"""What a run must come to, computed twice in one go: by the batch path, and by the core.

Scores come from ``models.evaluation.batch_path``: whole stretches of an engine cut into windows
with numpy, the very code that evaluation uses. It shares no line with the live assembler, only the
artifact, so that agreement proves something. Verdicts and alerts come from one pass of the core
over everything an asset ever sent, as one single batch, from nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.machines.rows import as_rows
from common.records import Alert, ScoreRecord, Verdict
from detector.core.conclusion import conclude
from detector.core.pipeline import AssetRun, DecodedBatch, Plan, prepare
from detector.core.policy import InputPolicy
from detector.core.source import Reading
from models.alarm import AlarmPolicy
from models.evaluation.batch_path import score_record
from models.scoring.scorer import WindowScorer


@dataclass(frozen=True, slots=True)
class Expected:
    """What some whole assets of a run must come to.

    Attributes:
        scores: The batch path's scores by cycle, of each asset.
        verdicts: The verdicts on cycles by cycle, of each asset.
        repeats: How many messages are late, duplicate or rejected.
        alerts: In order, asset by asset.
        readings: How many messages there were, rejected ones included.
        went_on: Runs that were opened by rule because a counter restarted or had jumped. They are
            runs of their own, and not compared here.
    """

    scores: Mapping[AssetRun, Mapping[int, float]]
    verdicts: Mapping[AssetRun, Mapping[int, ScoreRecord]]
    repeats: Counter[Verdict]
    alerts: Sequence[Alert]
    readings: int
    went_on: Sequence[str] = ()


def expect(
    batch: DecodedBatch, scorer: WindowScorer, alarm: AlarmPolicy, inputs: InputPolicy
) -> Expected:
    """Return what a batch that holds whole assets must come to.

    Args:
        batch: All readings of its assets, in the order of the topic.
        scorer: The model.
        alarm: The alarm rule.
        inputs: Which gaps are bridged.
    """
    plan = prepare(batch, {}, scorer, inputs)
    outcome = conclude(plan, scorer.score(plan.windows), alarm, scorer.spec)
    verdicts: dict[AssetRun, dict[int, ScoreRecord]] = {key: {} for key in batch.by_asset}
    repeats: Counter[Verdict] = Counter()
    went_on = {run_id for _, run_id in outcome.opened}
    for verdict in [*outcome.verdicts, *batch.rejected]:
        if verdict.run_id in went_on:
            continue
        if verdict.status.of_message:
            repeats[verdict.status] += 1
        else:
            verdicts[verdict.asset_id, verdict.run_id][verdict.cycle] = verdict
    set_aside = sum(map(len, plan.misplaced.values()))
    set_aside += sum(len(asset.refused) for asset in plan.assets.values())
    if set_aside:
        repeats[Verdict.REJECTED] += set_aside
    scores = {
        key: batch_scores(scorer, _readings_of_run(plan, key), inputs.bridge_cycles)
        for key in batch.by_asset
    }
    readings = sum(map(len, batch.by_asset.values())) + len(batch.rejected)
    alerts = [alert for alert in outcome.alerts if alert.run_id not in went_on]
    return Expected(scores, verdicts, repeats, alerts, readings, sorted(went_on))


def _readings_of_run(plan: Plan, key: AssetRun) -> list[Reading]:
    """Return the readings that belong to the run as its source names it, refused ones included."""
    asset = plan.assets[key]
    runs = dict(zip(asset.assembled.taken, asset.assembled.opened, strict=True))
    return [item.reading for index, item in enumerate(asset.fresh) if runs.get(index) is None]


def batch_scores(
    scorer: WindowScorer, readings: Sequence[Reading], bridge_cycles: int
) -> dict[int, float]:
    """Return the batch path's score of each cycle that completes a window.

    Args:
        scorer: The model.
        readings: Of one asset and run, in the order of the topic, repeats included.
        bridge_cycles: Longest gap a window may span, missing cycles.
    """
    if not readings:
        return {}
    cycles = np.array([reading.cycle for reading in readings], np.int64)
    rows = as_rows(np.array([reading.values for reading in readings], np.float64))
    scored = score_record(scorer, cycles, rows, bridge_cycles)
    return dict(zip(scored.cycles.tolist(), scored.scores.tolist(), strict=True))
