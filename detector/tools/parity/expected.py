"""What a run must come to, computed twice in one go: by the batch path, and by the core.

Scores come from ``models.evaluation.batch_path``: whole stretches of an engine cut into windows
with numpy, the very code that evaluation uses. It shares no line with the live assembler, only the
artifact, so that agreement proves something. Verdicts and alerts come from one pass of the core
over everything an asset ever sent, as one single batch, from nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from common.machines.rows import as_rows
from common.records.alerts import Alert
from common.records.verdicts import LifeLeft, ScoreRecord, Verdict
from detector.core.conclusion.conclude import conclude
from detector.core.conclusion.evidence import Case
from detector.core.fleet import Fleet, Fleets
from detector.core.pipeline import AssetPlan, AssetRun, DecodedBatch, by_fleet, judged, prepare
from detector.core.reading.source import Reading
from detector.tools.parity.differences import Numbers
from detector.tools.parity.finals import batch_finals
from models.evaluation.batch_path import score_record


@dataclass(frozen=True, slots=True)
class Expected:
    """What some whole assets of a run must come to.

    Attributes:
        scores: What the batch path comes to by cycle, of each asset.
        verdicts: The verdicts on cycles by cycle, of each asset.
        repeats: How many messages are late, duplicate or rejected.
        alerts: In order, asset by asset.
        readings: How many messages there were, rejected ones included.
        cases: What each of the alerts rests on, in their order.
        finals: Final scores by cycle, of each asset, of models that have any.
        went_on: Runs that were opened by rule because a counter restarted or had jumped. They are
            runs of their own, and not compared here.
    """

    scores: dict[AssetRun, dict[int, Numbers]]
    verdicts: dict[AssetRun, dict[int, ScoreRecord]]
    repeats: Counter[Verdict]
    alerts: list[Alert]
    readings: int
    cases: list[Case] = field(default_factory=list)
    finals: dict[AssetRun, dict[int, float]] = field(default_factory=dict)
    went_on: list[str] = field(default_factory=list)

    def add(self, other: Expected) -> None:
        """Take in what another fleet's assets must come to."""
        self.scores.update(other.scores)
        self.finals.update(other.finals)
        self.verdicts.update(other.verdicts)
        self.repeats.update(other.repeats)
        self.alerts.extend(other.alerts)
        self.cases.extend(other.cases)
        self.went_on.extend(other.went_on)


def expect(batch: DecodedBatch, fleets: Fleets) -> Expected:
    """Return what a batch that holds whole assets must come to.

    Args:
        batch: All readings of its assets, in the order of the topic.
        fleets: Their models and rules.
    """
    shares = by_fleet(batch, {})
    found = Expected({}, {}, Counter(), [], 0)
    for fleet, part in judged(shares, fleets):
        found.add(_expect(part, fleet))
    found.repeats.update(verdict.status for verdict in batch.rejected)
    if shares.strangers:
        found.repeats[Verdict.REJECTED] += len(shares.strangers)
    readings = sum(map(len, batch.by_asset.values())) + len(batch.rejected)
    return replace(found, readings=readings)


def _expect(batch: DecodedBatch, fleet: Fleet) -> Expected:
    plan = prepare(batch, {}, fleet)
    outcome = conclude(plan, fleet.scorer.score(plan.windows, plan.trail), fleet)
    verdicts: dict[AssetRun, dict[int, ScoreRecord]] = {key: {} for key in batch.by_asset}
    repeats: Counter[Verdict] = Counter()
    went_on = {run_id for _, run_id in outcome.opened}
    for verdict in outcome.verdicts:
        if verdict.run_id in went_on:
            continue
        if verdict.status.of_message:
            repeats[verdict.status] += 1
        else:
            verdicts[verdict.asset_id, verdict.run_id][verdict.cycle] = verdict
    set_aside = sum(map(len, plan.misplaced.values()))
    set_aside += len(list(plan.refused))
    if set_aside:
        repeats[Verdict.REJECTED] += set_aside
    scores: dict[AssetRun, dict[int, Numbers]] = {}
    finals: dict[AssetRun, dict[int, float]] = {}
    assets = plan.assets
    for key in batch.by_asset:
        readings = _readings_of_run(assets[key])
        if fleet.finals is None:
            scores[key] = batch_scores(fleet, readings)
            continue
        goes_on = not any(asset_run == key for asset_run, _ in outcome.opened)
        found = batch_finals(fleet, fleet.finals, readings, goes_on=goes_on)
        scores[key], finals[key] = found.scores, found.finals
    alerts = [alert for alert in outcome.alerts if alert.run_id not in went_on]
    cases = [case for case in outcome.cases if case.alert.run_id not in went_on]
    return Expected(scores, verdicts, repeats, alerts, 0, cases, finals, sorted(went_on))


def _readings_of_run(asset: AssetPlan) -> list[Reading]:
    """Return the readings that belong to the run as its source names it, refused ones included."""
    runs = dict(zip(asset.assembled.taken, asset.assembled.opened, strict=True))
    return [item.reading for index, item in enumerate(asset.fresh) if runs.get(index) is None]


def batch_scores(fleet: Fleet, readings: Sequence[Reading]) -> dict[int, Numbers]:
    """Return what the batch path says of each cycle that completes a window.

    Args:
        fleet: The model, with the thresholds that count, and which gaps a window may span.
        readings: Of one asset and run, in the order of the topic, repeats included.
    """
    if not readings:
        return {}
    cycles = np.array([reading.cycle for reading in readings], np.int64)
    rows = as_rows(np.array([reading.values for reading in readings], np.float64))
    found = score_record(fleet.scorer, cycles, rows, fleet.inputs.bridge_cycles, fleet.spec)
    lives: list[LifeLeft | None] = [None] * len(found.cycles)
    if found.life is not None:
        life = np.stack([found.life.expected, found.life.low, found.life.high], axis=1)
        lives = [LifeLeft(*each) for each in life.tolist()]
    numbers = map(Numbers, found.scores.tolist(), found.judged.severities.tolist(), lives)
    return dict(zip(found.cycles.tolist(), numbers, strict=True))
