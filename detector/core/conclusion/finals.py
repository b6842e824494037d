"""Scores that become final later: what a batch settles of one asset's run, and what is left.

For assets with a part of their own (``models.artifact.parts_scorer``). A reading's score is there
at once, and never changes. Its final score is the mean over all windows that cover it, once the
last of them has come (``models.scoring.finals``); it is written beside the first. Alarms are of
final scores: with each window the one reading is judged that the window begins at, by the threshold
that held for it. What a gap cuts off is final, and stored, and not judged: no window is behind it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from common.records.ids import renewed_run_id
from common.records.verdict_batch import Findings
from common.records.verdicts import Evidence, FinalScore, Verdict
from detector.core.assembler import Assembled
from detector.core.conclusion.weighing import Weighed, weigh
from detector.core.pipeline import EPOCH, AssetRun
from detector.core.state.asset import AssetState, Place
from detector.core.state.finals_codec import RunFinals
from models.scoring.evidence import LARGEST, Judged, Weight, severities_of
from models.scoring.finals import Pending, settle
from models.scoring.scorer import WARNING_SEVERITY, ScorerSpec, WindowScores
from models.scoring.smoothing import smoothed
from models.thresholding.series_rule import AssetFinals
from models.thresholding.trailing import UNTRAILED, Trailed, follow_on


@dataclass(frozen=True, slots=True)
class Followed:
    """What one asset's batch came to.

    Attributes:
        scores: Of each window, as it is told at once; shape ``(w,)``.
        judged: Of each window, the row it begins at, whose score is final with it; likewise.
        finals: That final score; likewise.
        thresholds: What it is compared with; likewise.
        settled: All rows that became final, ascending; shape ``(m,)``.
        settled_scores: Their final scores; NaN for one that never has any; likewise.
        opened: Where the run of each was opened by rule; likewise.
        after: What is left, of the rows that the next state remembers.
    """

    scores: NDArray[np.float64]
    judged: NDArray[np.int64]
    finals: NDArray[np.float64]
    thresholds: NDArray[np.float64]
    settled: NDArray[np.int64]
    settled_scores: NDArray[np.float64]
    opened: Sequence[Place | None]
    after: RunFinals


def follow_finals(
    start: AssetState,
    assembled: Assembled,
    scores: NDArray[np.float64],
    asset: AssetFinals,
    window_length: int,
) -> Followed:
    """Take an asset's windows in.

    Args:
        start: What was remembered.
        assembled: What its readings came to.
        scores: Of its windows, shape ``(w,)``.
        asset: How its scores become final.
        window_length: Rows in a window.
    """
    before = start.finals or _begun(len(start.ring))
    begins, runs = _begins(start, assembled)
    told, last = _smoothed(scores, assembled.ends, runs, asset.half_life, before.smoothed)
    done = settle(before.pending, begins, assembled.ends, told, window_length)
    thresholds = np.empty(len(done.rows))
    trailed = before.trailed
    for number, (first, _) in enumerate(runs):
        beyond = runs[number + 1][0] if number + 1 < len(runs) else len(done.pending.sums)
        if number:  # what another run was like says nothing
            trailed = UNTRAILED
        part = slice(*np.searchsorted(done.rows, [first if number else 0, beyond]).tolist())
        thresholds[part], trailed = _thresholds(trailed, done.scores[part], asset)
    judged = assembled.ends - (window_length - 1)
    at = np.searchsorted(done.rows, judged)
    cut = len(done.pending.sums) - len(assembled.state.ring)
    after = Pending(
        done.pending.sums[cut:], done.pending.counts[cut:], max(0, done.pending.closed - cut)
    )
    firsts = np.array([first for first, _ in runs[1:]], np.int64)
    which = np.searchsorted(firsts, done.rows, side="right").tolist()
    return Followed(
        told,
        judged,
        done.scores[at],
        thresholds[at],
        done.rows,
        done.scores,
        [runs[number][1] for number in which],
        RunFinals(after, trailed, last),
    )


def _begun(rows: int) -> RunFinals:
    """Return what is known of a run that another model saw: its rows never become final."""
    return RunFinals(Pending(np.zeros(rows), np.zeros(rows, np.uint16), rows))


def _begins(
    start: AssetState, assembled: Assembled
) -> tuple[NDArray[np.int64], list[tuple[int, Place | None]]]:
    """Return for each new row the first that belongs together with it, and where runs begin."""
    begin, row = 0, len(start.ring)
    begins: list[int] = []
    runs: list[tuple[int, Place | None]] = [(0, start.opened)]
    for verdict, opened in zip(assembled.verdicts, assembled.opened, strict=True):
        if verdict.of_message:
            continue
        if opened != runs[-1][1]:
            runs.append((row, opened))
            begin = row
        if verdict is Verdict.GAP:
            begin = row
        elif verdict is Verdict.UNKNOWN_REGIME:
            begin = row + 1
        begins.append(begin)
        row += 1
    return np.array(begins, np.int64), runs


def _smoothed(
    scores: NDArray[np.float64],
    ends: NDArray[np.int64],
    runs: Sequence[tuple[int, Place | None]],
    half_life: float | None,
    last: float | None,
) -> tuple[NDArray[np.float64], float | None]:
    if half_life is None:
        return scores, None
    parts: list[NDArray[np.float64]] = []
    bounds = [0, *np.searchsorted(ends, [first for first, _ in runs[1:]]).tolist(), len(ends)]
    for number, (begin, end) in enumerate(pairwise(bounds)):
        if number:
            last = None
        part = smoothed(scores[begin:end], half_life, last)
        last = float(part[-1]) if len(part) else last
        parts.append(part)
    return np.concatenate(parts), last


def _thresholds(
    trailed: Trailed, finals: NDArray[np.float64], asset: AssetFinals
) -> tuple[NDArray[np.float64], Trailed]:
    threshold = asset.threshold
    if threshold.rule is None:
        return np.full(len(finals), threshold.fixed), trailed
    return follow_on(trailed, finals, threshold.past, threshold.rule)


def final_scores(
    key: AssetRun, assembled: Assembled, followed: Followed, model: str, fleet: str, *, timed: bool
) -> list[FinalScore]:
    """Return the final scores to store beside those that were told at once."""
    moments = assembled.marks.moments()
    found: list[FinalScore] = []
    for row, score, opened in zip(
        followed.settled.tolist(), followed.settled_scores.tolist(), followed.opened, strict=True
    ):
        moment = moments[row]
        if score != score or moment is None:
            continue
        run_id = key[1] if opened is None else renewed_run_id(key[1], *opened)
        taken = EPOCH + timedelta(microseconds=moment.taken_us)
        found.append(FinalScore(key[0], run_id, moment.cycle, taken, score, model, fleet, timed))
    return found


def weigh_finals(
    assembled: Assembled, found: WindowScores, followed: Followed, spec: ScorerSpec
) -> Weighed:
    """Weigh an asset's windows: alarms look at final scores, verdicts tell those at once."""
    told = replace(found, scores=followed.scores)
    base = weigh(assembled.rows, assembled.ends, told, spec)
    thresholds = np.minimum(followed.thresholds, LARGEST)
    severities = severities_of(followed.finals, thresholds)
    zeros = np.zeros(len(found), np.int64)
    judged = Judged(
        severities, zeros > 0, zeros, followed.finals, thresholds, found.shares, found.directions
    )
    at_once = severities_of(followed.scores, thresholds)
    moments = assembled.marks.moments()
    cycles = [moments[row] for row in followed.judged.tolist()]
    return replace(
        base,
        judged=judged,
        findings=_findings(base, followed, at_once),
        severities=severities.tolist(),
        critical=[False] * len(found),
        cycles=[0 if moment is None else moment.cycle for moment in cycles],
        weights=[
            Weight(Evidence.DEGRADATION, score, threshold, None, severity)
            for score, threshold, severity in zip(
                followed.finals.tolist(), thresholds.tolist(), severities.tolist(), strict=True
            )
        ],
    )


def _findings(base: Weighed, followed: Followed, severities: NDArray[np.float64]) -> Findings:
    thresholds = followed.thresholds
    return replace(
        base.findings,
        warning_thresholds=np.where(np.isfinite(thresholds), thresholds, np.nan),
        critical_threshold=None,
        ranks=np.where(severities < WARNING_SEVERITY, 0, 1),
        evidence=[Evidence.DEGRADATION] * len(severities),
        severities=severities,
    )
