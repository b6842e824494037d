"""From a plan and its findings to its verdicts, as columns; ``ScoreRecord`` is what a row means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

import numpy as np

from common.records.ids import renewed_run_id
from common.records.verdict_batch import Findings, VerdictColumns
from common.records.verdicts import Verdict
from detector.core.conclusion.weighing import Weighed
from detector.core.fleet import Fleet
from detector.core.pipeline import AssetPlan, Plan
from detector.core.readings import AssetRun
from detector.core.state.asset import Place

SCORED: Final = Verdict.SCORED


def verdict_columns(plan: Plan, weighed: Sequence[Weighed], fleet: Fleet) -> VerdictColumns:
    """Return the verdict on each reading that has one, asset by asset.

    Args:
        plan: The readings.
        weighed: Their windows in order, all together or asset by asset; one part at least.
        fleet: Theirs.
    """
    runs: list[tuple[AssetRun, int]] = []
    statuses: list[Verdict] = []
    details: list[str] = []
    refused: list[int] = []
    begin = 0
    for (key, asset), steady in zip(plan.assets.items(), plan.steady.tolist(), strict=True):
        runs += _runs_of(key, asset, steady=steady)
        statuses += asset.assembled.verdicts
        details += asset.assembled.details
        refused += [begin + refusal.at for refusal in asset.assembled.refused]
        begin += len(asset.fresh)
    stamps = plan.placed.readings.stamps
    if refused:
        stamps = np.delete(stamps, refused, axis=0)
    sources, published_ts_ms = plan.placed.positions(refused)
    scored = np.array([status is SCORED for status in statuses], np.bool_)
    _say_what_is_stuck(details, np.flatnonzero(scored).tolist(), weighed)
    return VerdictColumns(
        fleet.name,
        fleet.spec.ref.label,
        fleet.spec.machine.step.clock == "time",
        [run for run, _ in runs],
        [count for _, count in runs],
        stamps[:, 0],
        stamps[:, 1],
        statuses,
        details,
        sources,
        published_ts_ms,
        scored,
        Findings.joined([part.findings for part in weighed]),
    )


def _runs_of(key: AssetRun, asset: AssetPlan, *, steady: bool) -> Iterator[tuple[AssetRun, int]]:
    """Yield an asset's runs, and how many of its readings are of each."""
    opened = asset.assembled.opened
    if steady:
        yield run_of(key, opened[0]), len(opened)
        return
    for place, readings in groupby(opened):
        yield run_of(key, place), len(list(readings))


def run_of(key: AssetRun, opened: Place | None) -> AssetRun:
    """Return an asset's run, which may have been opened by rule."""
    return key if opened is None else (key[0], renewed_run_id(key[1], *opened))


def _say_what_is_stuck(details: list[str], rows: Sequence[int], weighed: Sequence[Weighed]) -> None:
    """Add a warning to the details of readings with a channel that does not move."""
    begin = 0
    for part in weighed:
        for position in np.flatnonzero(part.any_stuck).tolist():
            row = rows[begin + position]
            details[row] = "; ".join(filter(None, [details[row], part.stuck_sentence(position)]))
        begin += len(part.found)
