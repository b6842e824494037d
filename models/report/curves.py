"""The numbers behind the plots: ROC and precision-recall curves, the threshold sweep, confusion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from models.evaluation.measure import Scored

SWEEP_POINTS: Final = 240
CRITICAL_SPAN: Final = 2.5
"""Plots along the score reach this many times as far as the critical threshold, counted from the
lowest score: scores of a failing engine go far beyond, and would squeeze what matters."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A line.

    Attributes:
        x: Shape ``(n,)``.
        y: Shape ``(n,)``.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What every threshold would give; each of shape ``(n,)``."""

    thresholds: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    false_alarms_per_1000: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Windows by the life left at their end, and those of them that reach a level.

    ``told`` says in a few words when a window does.
    """

    level: str
    threshold: float
    told: str
    faulty: int
    faulty_reported: int
    between: int
    between_reported: int
    healthy: int
    healthy_reported: int

    @property
    def rows(self) -> tuple[tuple[str, int, int], ...]:
        """Name, reported and all windows of each kind."""
        return (
            ("near failure", self.faulty_reported, self.faulty),
            ("between", self.between_reported, self.between),
            ("healthy", self.healthy_reported, self.healthy),
        )


def rankable(scored: Scored) -> bool:
    """Return whether there are both faulty windows and others."""
    return bool(scored.faulty.any()) and not bool(scored.faulty.all())


def roc(scored: Scored) -> Curve:
    """Return true against false positive rate; only if :func:`rankable`."""
    false_rate, true_rate, _ = roc_curve(scored.faulty, scored.scores)
    return Curve(np.asarray(false_rate, float), np.asarray(true_rate, float))


def precision_recall(scored: Scored) -> Curve:
    """Return precision against recall; only if :func:`rankable`."""
    precision, recall, _ = precision_recall_curve(
        scored.faulty, scored.scores, drop_intermediate=True
    )
    return Curve(np.asarray(recall, float), np.asarray(precision, float))


def score_span(scored: Scored, span: float = CRITICAL_SPAN) -> tuple[float, float]:
    """Return the lowest and the highest score that a plot shows; see :data:`CRITICAL_SPAN`."""
    low, high = float(scored.scores.min()), float(scored.scores.max())
    reach = scored.thresholds.critical - low
    top = min(low + span * reach, max(high, low + 1.1 * reach))
    # above it there is nothing to see; a critical threshold at or below all scores says nothing
    return low, top if top > low else max(high, low + 1.0)


def sweep(scored: Scored) -> Sweep:
    """Return precision, recall, F1 and false alarms of a row of thresholds."""
    low, high = score_span(scored)
    thresholds = np.linspace(low, high, SWEEP_POINTS)
    reported = _at_or_above(scored.scores, thresholds)
    hits = _at_or_above(scored.scores[scored.faulty], thresholds)
    false = _at_or_above(scored.scores[scored.healthy], thresholds)
    n_faulty, n_healthy = int(scored.faulty.sum()), int(scored.healthy.sum())
    return Sweep(
        thresholds,
        np.where(reported > 0, hits / np.maximum(reported, 1), np.nan),
        hits / max(1, n_faulty),
        2 * hits / np.maximum(reported + n_faulty, 1),
        1000 * false / n_healthy if n_healthy else np.full(len(thresholds), np.nan),
    )


def operating_point(scored: Scored, level: str) -> tuple[float, float, float]:
    """Return false positive rate, recall and precision of a level; if :func:`rankable`."""
    reported = scored.reached(level)
    hits = int((reported & scored.faulty).sum())
    false = int((reported & ~scored.faulty).sum())
    return (
        false / int((~scored.faulty).sum()),
        hits / int(scored.faulty.sum()),
        hits / max(1, hits + false),
    )


def confusion(scored: Scored, level: str) -> Confusion:
    """Count windows near failure, healthy and between, and how many of each are reported."""
    reported = scored.reached(level)
    faulty, healthy = scored.faulty, scored.healthy
    between = ~faulty & ~healthy
    counts = [
        int(mask.sum()) for kind in (faulty, between, healthy) for mask in (kind, kind & reported)
    ]
    limit = scored.limit(level)
    if level not in scored.levels_of_score:
        told = f"a warning with at most {limit:.1f} cycles expected to be left"
    elif scored.judged is None:
        told = f"score ≥ {limit:.3f}"
    else:
        told = "by all evidence" if level == "warning" else f"a warning with a score ≥ {limit:.3f}"
    return Confusion(level, limit, told, *counts)


def _at_or_above(scores: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    return len(scores) - np.searchsorted(np.sort(scores), thresholds, "left")
