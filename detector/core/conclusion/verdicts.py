"""From a plan and its findings to its verdicts, as columns; ``ScoreRecord`` is what a row means."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, repeat
from typing import Final

import numpy as np

from common.records.ids import renewed_run_id
from common.records.verdict_batch import Findings, VerdictColumns
from common.records.verdicts import Verdict
from detector.core.conclusion.weighing import Weighed
from detector.core.fleet import Fleet
from detector.core.pipeline import Plan
from detector.core.reading.columns import AssetRun
from detector.core.state.asset import Place
from detector.core.steady import AssembledBatch

SCORED: Final = Verdict.SCORED


def verdict_columns(plan: Plan, weighed: Sequence[Weighed], fleet: Fleet) -> VerdictColumns:
    """Return the verdict on each reading that has one, asset by asset.

    Args:
        plan: The readings.
        weighed: Their windows in order, all together or asset by asset; one part at least.
        fleet: Theirs.
    """
    found = plan.found
    runs: list[AssetRun] = []
    counts: list[int] = []
    verdicts: Sequence[Verdict]
    said: Sequence[str]
    statuses: list[Verdict] = []
    details: list[str] = []
    refused: list[int] = []
    opened = _opened(found)
    firsts, each_read = found.readings.firsts.tolist(), found.readings.counts.tolist()
    filling = np.flatnonzero(found.counts != found.readings.counts).tolist()

    def say_scored(begin: int, end: int) -> None:
        """Of most assets each reading has its score, and that is all."""
        n = sum(each_read[begin:end])
        runs.extend(plan.keys[begin:end])
        counts.extend(each_read[begin:end])
        statuses.extend(repeat(SCORED, n))
        details.extend(repeat("", n))

    begin = 0
    for asset in sorted({*found.apart, *opened, *filling}):
        say_scored(begin, asset)
        begin = asset + 1
        key = plan.keys[asset]
        if asset not in found.apart:
            verdicts, said = found.said(asset)
            runs.append(run_of(key, opened.get(asset)))
            counts.append(each_read[asset])
        else:
            alone = found.apart[asset]
            verdicts, said = alone.verdicts, alone.details
            for place, readings in groupby(alone.opened):
                runs.append(run_of(key, place))
                counts.append(len(list(readings)))
            refused += [firsts[asset] + refusal.at for refusal in alone.refused]
        statuses += verdicts
        details += said
    say_scored(begin, len(plan.keys))
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
        runs,
        counts,
        stamps[:, 0],
        stamps[:, 1],
        statuses,
        details,
        sources,
        published_ts_ms,
        scored,
        Findings.joined([part.findings for part in weighed]),
    )


def _opened(found: AssembledBatch) -> dict[int, Place]:
    """Return where the runs of steady assets were opened by rule; hardly any was."""
    head, assets = found.after.head, np.flatnonzero(found.steady)
    which = np.flatnonzero(head["opened_partition"] >= 0)
    places = map(
        Place, head["opened_partition"][which].tolist(), head["opened_offset"][which].tolist()
    )
    return dict(zip(assets[which].tolist(), places, strict=True))


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
