"""Windows and readings in a row through a model, by the batch path."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from api.adapters.scoring.models import OpenModel
from api.detection.values import (
    Found,
    LifeLeftValue,
    ReadingFound,
    ReadingsFound,
    RowStatus,
    Share,
    UnknownRegime,
    WindowsFound,
)
from common.machines.rows import as_rows, split_rows
from common.records.verdicts import Evidence
from models.evaluation.batch_path import BRIDGE, counting_rows, record_windows
from models.scoring.evidence import WARNERS, Judged, judge
from models.scoring.history import AGE, AGE_UNKNOWN
from models.scoring.life import Life
from models.scoring.scorer import WindowScorer, WindowScores
from models.scoring.unmoved import unmoved_runs

STATUSES: Final[tuple[RowStatus, ...]] = ("scored", "warming_up", "unknown_regime", "refused")
SCORED, WARMING_UP, UNKNOWN, REFUSED = range(len(STATUSES))
"""Of a reading, as numbers; each is the place of its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What became of each of ``n`` readings in a row.

    Attributes:
        statuses: Shape ``(n,)``; places in :data:`STATUSES`.
        ends: Shape ``(m,)``; the readings at which a scored window ends, ascending.
        found: What the scorer found of these windows.
        judged: What that comes to.
    """

    statuses: NDArray[np.int64]
    ends: NDArray[np.int64]
    found: WindowScores
    judged: Judged


def score_windows(model: OpenModel, values: NDArray[np.float64]) -> WindowsFound:
    """Score windows, each by itself; see the port."""
    scorer = model.scorer
    machine = scorer.spec.machine
    count, length = len(values), machine.window.length
    conditions = len(machine.conditions)
    rows = as_rows(values.reshape(count * length, machine.row_width))
    normalised = scorer.normalise(*split_rows(rows, conditions))
    known = normalised.known.reshape(count, length)
    whole = np.flatnonzero(known.all(axis=1))
    windows = normalised.rows.reshape(count, length, len(machine.used))[whole]
    found = scorer.score(windows)
    unmoved = unmoved_runs(rows[:, conditions:], (whole + 1) * length - 1, length)
    judged = judge(found, unmoved, scorer.spec)
    sure = model.confidences(judged.severities)
    items: list[Found | UnknownRegime] = [
        UnknownRegime(rows=tuple(np.flatnonzero(~each).tolist())) for each in known
    ]
    for at, index in enumerate(whole.tolist()):
        items[index] = _found(scorer, found, judged, at, sure[at])
    return WindowsFound(items=tuple(items), sureness=model.sureness)


def score_readings(
    model: OpenModel, values: NDArray[np.float64], first_cycle: int | None
) -> ReadingsFound:
    """Score readings of one machine that follow each other; see the port."""
    first = 1 if first_cycle is None else first_cycle
    cycles = np.arange(first, first + len(values), dtype=np.int64)
    course = take_through(model.scorer, cycles, as_rows(values), age_known=first_cycle is not None)
    judged, found = course.judged, course.found
    sure = model.confidences(judged.severities)
    counts = Counter(course.statuses.tolist())
    return ReadingsFound(
        found=tuple(
            ReadingFound(
                reading=reading,
                score=float(found.scores[at]),
                severity=float(judged.severities[at]),
                level=judged.level(at),
                confidence=sure[at],
                life=_life(found.life, at),
            )
            for at, reading in enumerate(course.ends.tolist())
        ),
        unscored={
            name: counts[place] for place, name in enumerate(STATUSES) if place and counts[place]
        },
        sureness=model.sureness,
    )


def take_through(
    scorer: WindowScorer,
    cycles: NDArray[np.int64],
    rows: NDArray[np.float32],
    *,
    age_known: bool = True,
) -> Course:
    """Take readings in a row through the batch path.

    Args:
        scorer: The model.
        cycles: Shape ``(n,)``; rising.
        rows: Shape ``(n, width)``; NaN where nothing was measured.
        age_known: Whether the cycles are counted from the start of the run.
    """
    laid = record_windows(scorer, scorer.spec.machine, cycles, rows, BRIDGE)
    trail = laid.trail
    if not age_known:
        trail = trail.copy()
        trail[:, AGE] = AGE_UNKNOWN
    found = scorer.score(laid.windows, trail)
    judged = judge(found, laid.unmoved, scorer.spec)
    return Course(_statuses(scorer, cycles, rows, laid.ends), laid.ends, found, judged)


def _statuses(
    scorer: WindowScorer,
    cycles: NDArray[np.int64],
    rows: NDArray[np.float32],
    ends: NDArray[np.int64],
) -> NDArray[np.int64]:
    machine = scorer.spec.machine
    kept, filled = counting_rows(machine, cycles, rows)
    known = scorer.normalise(*split_rows(filled, len(machine.conditions))).known
    statuses = np.full(len(cycles), REFUSED, np.int64)
    statuses[kept] = np.where(known, WARMING_UP, UNKNOWN)
    statuses[ends] = SCORED
    return statuses


def shares_at(
    scorer: WindowScorer, found: WindowScores, judged: Judged, at: int
) -> tuple[Share, ...]:
    """Return each channel's part in the evidence at one window, largest first."""
    against = found.against
    if against is None or WARNERS[judged.speakers[at]] is not Evidence.DEGRADATION:
        against = judged.directions
    order = np.argsort(-judged.shares[at], kind="stable")
    return tuple(
        Share(
            name=scorer.spec.channels[index],
            share=float(judged.shares[at][index]),
            direction=_side(judged.directions[at][index]),
            against=None
            if against[at][index] == judged.directions[at][index]
            else _side(against[at][index]),
        )
        for index in order.tolist()
    )


def _found(
    scorer: WindowScorer, found: WindowScores, judged: Judged, at: int, confidence: float | None
) -> Found:
    return Found(
        score=float(found.scores[at]),
        severity=float(judged.severities[at]),
        level=judged.level(at),
        evidence=WARNERS[judged.speakers[at]],
        threshold=float(judged.thresholds[at]),
        confidence=confidence,
        life=_life(found.life, at),
        channels=shares_at(scorer, found, judged, at),
    )


def _life(life: Life | None, at: int) -> LifeLeftValue | None:
    if life is None:
        return None
    return LifeLeftValue(
        expected=float(life.expected[at]), low=float(life.low[at]), high=float(life.high[at])
    )


def _side(sign: np.int8) -> Literal["high", "low"]:
    return "high" if sign > 0 else "low"
