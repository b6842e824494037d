"""How far from a prediction the true life may be: intervals from errors on unknown assets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.splits import HEALTHY_RUL
from models.scoring.life import band
from models.scoring.measures.contributions import ScoreParams

COVERAGE: Final = 0.9
BINS: Final = 12
"""Of predictions; each gives one knot of the interval."""

LEAST_TAIL: Final = 0.3
"""Part of what an interval leaves out that lies on either side, at least. The shortest of all would
leave out most lives that are shorter than predicted near the cap. Chosen by cross-validation on fit
and validation engines of FD001, FD002 and FD003."""

SPLITS: Final = 21

LEAST_REACH: Final = 0.5
"""Cycles; an interval reaches at least so far to either side, so that it can be stretched."""


@dataclass(frozen=True, slots=True)
class Course:
    """What trees that did not know an asset say of its windows, and what was true.

    Attributes:
        units: Shape ``(n,)``; asset of each window, each asset's windows in the order of time.
        life: Shape ``(n,)``; true remaining life, cycles, not capped.
        predicted: Shape ``(n,)``; cycles, held between 0 and the cap.
    """

    units: NDArray[np.int64]
    life: NDArray[np.int64]
    predicted: NDArray[np.float64]

    def where(self, mask: NDArray[np.bool_]) -> Course:
        """Return some of them."""
        return Course(self.units[mask], self.life[mask], self.predicted[mask])

    def followed_by(self, other: Course) -> Course:
        """Return both as one."""
        return Course(
            np.concatenate([self.units, other.units]),
            np.concatenate([self.life, other.life]),
            np.concatenate([self.predicted, other.predicted]),
        )

    @property
    def errors(self) -> NDArray[np.float64]:
        """Shape ``(n,)``; capped true life less prediction, cycles."""
        found: NDArray[np.float64] = np.minimum(self.life, HEALTHY_RUL) - self.predicted
        return found


def fit_band(course: Course, coverage: float) -> dict[str, NDArray[np.float64]]:
    """Return ``knots``, ``below`` and ``above`` (see ``models.scoring.life``).

    Windows in the order of their prediction are cut into bins of equal size. In each bin the
    interval goes from one quantile of the signed errors to another, each asset of equal weight: of
    all that hold ``coverage`` of the errors and leave out at least :data:`LEAST_TAIL` of the rest
    on either side, the shortest.
    """
    errors = course.errors
    order = np.argsort(course.predicted, kind="stable")
    found: list[tuple[float, float, float]] = []
    for part in np.array_split(order, BINS):
        knot = float(np.median(course.predicted[part]))
        if not (found and knot <= found[-1][0]):
            low, high = _shortest(errors[part], _by_asset(course.units[part]), 1.0 - coverage)
            found.append((knot, min(low, -LEAST_REACH), max(high, LEAST_REACH)))
    knots, below, above = np.array(found).T
    return {"knots": knots.copy(), "below": below.copy(), "above": above.copy()}


def alarm_reach(
    course: Course, marks: NDArray[np.bool_], params: ScoreParams, coverage: float
) -> NDArray[np.float64]:
    """Return how many times as far the interval must reach down and up at the marked windows.

    One window an asset, so each asset counts once. Of all pairs that hold ``coverage * (n + 1)``
    assets of ``n``, the one with the shortest intervals.

    Args:
        course: Of assets the trees did not know.
        marks: Shape ``(n,)``; at most one window of each asset.
        params: The interval of single readings.
        coverage: Part of the assets whose interval shall hold.
    """
    errors, predicted = course.errors[marks], course.predicted[marks]
    n = len(errors)
    needed = int(np.ceil(coverage * (n + 1)))
    if needed > n or not n:
        return np.ones(2)
    below, above = band(predicted, params)
    # what each asset needs: one of the two is at most 0
    downs, ups = np.maximum(errors / below, 0.0), np.maximum(errors / above, 0.0)
    best, found = np.inf, (1.0, 1.0)
    for down in np.unique(downs):
        inside = np.sort(ups[downs <= down])
        if len(inside) < needed:
            continue
        up = float(inside[needed - 1])
        low = np.maximum(predicted + below * down, 0.0)
        width = float((np.minimum(predicted + above * up, HEALTHY_RUL) - low).mean())
        if width < best:
            best, found = width, (float(down), up)
    return np.array(found)


def half_way(course: Course) -> NDArray[np.bool_]:
    """Return each asset's first window at which half of the cap or less is predicted."""
    marks = np.zeros(len(course.units), np.bool_)
    near = np.flatnonzero(course.predicted <= HEALTHY_RUL / 2)
    _, first = np.unique(course.units[near], return_index=True)
    marks[near[first]] = True
    return marks


def _by_asset(units: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return weights under which each asset counts the same, shape ``(n,)``."""
    _, where, counts = np.unique(units, return_inverse=True, return_counts=True)
    weights: NDArray[np.float64] = 1.0 / counts[where]
    return weights


def _shortest(
    errors: NDArray[np.float64], weights: NDArray[np.float64], outside: float
) -> tuple[float, float]:
    """Return the ends of the shortest interval that leaves so much of the weight outside."""
    order = np.argsort(errors, kind="stable")
    total = np.cumsum(weights[order])
    below = outside * np.linspace(LEAST_TAIL, 1.0 - LEAST_TAIL, SPLITS)
    low, high = (
        errors[order[np.minimum(np.searchsorted(total, part * total[-1]), len(order) - 1)]]
        for part in (below, below + 1.0 - outside)
    )
    best = int((high - low).argmin())
    return float(low[best]), float(high[best])
