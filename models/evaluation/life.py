"""How good are statements of remaining life: errors, intervals, and "critical" by what is left.

The truth is held at the model's cap, as the usual figures of these sets are: longer lives are not
told apart. Windows of one asset are not independent, so coverage is also given by asset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.intervals import Interval, wilson
from models.evaluation.measure import ON_DELAY, alarm_begin
from models.evaluation.splits import FAULT_RUL

LIFE_BINS: Final = ((0, 30), (30, 60), (60, 100), (100, None))
"""True life, cycles: from (included in the first, else excluded) to (included)."""

EARLY_CYCLES: Final = 13.0
LATE_CYCLES: Final = 10.0
"""Of the score of the 2008 PHM challenge: a prediction that is too long costs more."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of single predictions.

    Attributes:
        n: How many predictions.
        rmse: Root mean square error, cycles, truth and prediction capped.
        score: The challenge's score, summed; less is better.
    """

    n: int
    rmse: float
    score: float


@dataclass(frozen=True, slots=True)
class Held:
    """How often intervals hold the true life.

    Attributes:
        n: How many intervals.
        coverage: Part of them that hold it.
        width: Mean width, cycles.
        interval: 95 % of the coverage; assets count, not windows (:func:`coverage_interval`).
    """

    n: int
    coverage: float
    width: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a limit on predicted life finds of the windows near failure.

    Attributes:
        f1: At the limit.
        precision: Likewise.
        recall: Likewise.
        average_precision: Of the order, whatever the limit.
    """

    f1: float
    precision: float
    recall: float
    average_precision: float


def errors_of(predicted: NDArray[np.float64], life: NDArray[np.int64], cap: float) -> Errors:
    """Return the errors of some predictions, such as those at the last cycle of each asset.

    With ``d = predicted - true`` the score is the sum of ``exp(-d / 13) - 1`` where ``d < 0`` and
    ``exp(d / 10) - 1`` elsewhere (Saxena et al. 2008, "Damage Propagation Modeling for Aircraft
    Engine Run-to-Failure Simulation").

    Example:
        >>> errors_of(np.array([10.0, 140.0]), np.array([10, 125]), 125.0)
        Errors(n=2, rmse=0.0, score=0.0)
    """
    late = np.minimum(predicted, cap) - np.minimum(life, cap)
    cost = np.where(late < 0, np.expm1(-late / EARLY_CYCLES), np.expm1(late / LATE_CYCLES))
    return Errors(len(late), float(np.sqrt(np.square(late).mean())), float(cost.sum()))


def holds(
    low: NDArray[np.float64], high: NDArray[np.float64], life: NDArray[np.int64], cap: float
) -> NDArray[np.bool_]:
    """Return which intervals hold the true life; one that ends at the cap holds all beyond.

    Example:
        >>> holds(np.array([90.0, 90.0]), np.array([125.0, 120.0]), np.array([200, 200]), 125.0)
        array([ True, False])
    """
    true = np.minimum(life, cap)
    return (low <= true) & (true <= high)


def held(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    life: NDArray[np.int64],
    units: NDArray[np.int64],
    cap: float,
) -> Held:
    """Return coverage and width of at least one interval; ``units`` says of which asset each is."""
    inside = holds(low, high, life, cap)
    interval = coverage_interval(inside, units)
    return Held(len(low), float(inside.mean()), float((high - low).mean()), interval)


def held_by_life(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    life: NDArray[np.int64],
    units: NDArray[np.int64],
    cap: float,
) -> Mapping[str, Held]:
    """Return the same in each of :data:`LIFE_BINS` that has a window, by its name."""
    found = {}
    for first, last in LIFE_BINS:
        inside = (life > first) | ((first == 0) & (life == 0))
        inside &= True if last is None else life <= last
        if inside.any():
            name = f"{first}+" if last is None else f"{first}-{last}"
            found[name] = held(low[inside], high[inside], life[inside], units[inside], cap)
    return found


def coverage_by_asset(inside: NDArray[np.bool_], units: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the part of each asset's intervals that hold, ascending.

    Example:
        >>> coverage_by_asset(np.array([True, False, True]), np.array([1, 1, 2])).tolist()
        [0.5, 1.0]
    """
    _, where, counts = np.unique(units, return_inverse=True, return_counts=True)
    return np.sort(np.bincount(where, inside) / counts)


def coverage_interval(inside: NDArray[np.bool_], units: NDArray[np.int64]) -> Interval:
    """Return the 95 % interval of the part of intervals that hold, engines being what is drawn.

    Windows of one asset resemble each other, so they count as many as would vary as much if they
    were independent: Wilson's interval of that number. Where assets do not differ at all, it is the
    number of assets.

    Args:
        inside: Shape ``(n,)``, ``n`` at least 1; which intervals hold the true life.
        units: Shape ``(n,)``; asset of each.

    References:
        Franco et al. 2019, doi:10.1093/jssam/smy019 (Wilson's with an effective sample size).

    Example:
        >>> found = coverage_interval(np.array([True, True, False, True]), np.array([1, 1, 2, 2]))
        >>> found.written(2)
        ('0.26', '0.96')
    """
    _, where = np.unique(units, return_inverse=True)
    counts, hits = np.bincount(where), np.bincount(where, inside)
    n, assets = len(inside), len(counts)
    part = float(hits.sum() / n)
    spread = np.square(hits - part * counts).sum() / n**2 * assets / max(1, assets - 1)
    worth = min(part * (1.0 - part) / spread, n) if spread > 0 else float(assets)
    return wilson(part * worth, worth)


def first_warnings(
    scores: NDArray[np.float64],
    units: NDArray[np.int64],
    threshold: float,
    on_delay: int = ON_DELAY,
) -> NDArray[np.bool_]:
    """Return the window at which each asset's first warning is raised, early ones included.

    Args:
        scores: Shape ``(n,)``; each asset's windows in the order of time.
        units: Shape ``(n,)``; asset of each window.
        threshold: A window is anomalous when ``score >= threshold``.
        on_delay: Anomalous windows in a row, the last of which raises the warning.

    Example:
        >>> first_warnings(np.array([1.0, 1, 1, 0, 1]), np.array([1, 1, 1, 2, 2]), 1.0, 2).tolist()
        [False, True, False, False, False]
    """
    marks = np.zeros(len(scores), np.bool_)
    for unit in np.unique(units):
        own = np.flatnonzero(units == unit)
        begin = alarm_begin(scores[own] >= threshold, np.zeros(len(own), np.bool_), on_delay)
        if begin is not None:
            marks[own[begin]] = True
    return marks


def ranking(badness: NDArray[np.float64], life: NDArray[np.int64], least: float) -> Ranking:
    """Return what "critical where ``badness >= least``" finds of windows near failure.

    Args:
        badness: Shape ``(n,)``; higher is worse: a score, or the predicted life with a minus.
        life: Shape ``(n,)``; true life left, cycles; near failure where at most ``FAULT_RUL``.
        least: The limit.
    """
    from sklearn.metrics import average_precision_score  # slow to import

    near, said = life <= FAULT_RUL, badness >= least
    hits = int((near & said).sum())
    precision, recall = hits / max(1, int(said.sum())), hits / max(1, int(near.sum()))
    return Ranking(
        2 * precision * recall / (precision + recall) if hits else 0.0,
        precision,
        recall,
        float(average_precision_score(near, badness)),
    )


def last_windows(units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each asset's last window, assets ascending.

    Example:
        >>> last_windows(np.array([1, 1, 4])).tolist()
        [1, 2]
    """
    _, from_behind = np.unique(units[::-1], return_index=True)
    found: NDArray[np.int64] = len(units) - 1 - from_behind
    return found
