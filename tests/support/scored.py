"""Scores of made-up engines, for tests of what is made of scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.evaluation.measure import Scored
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL
from models.scoring.scorer import Thresholds
from models.scoring.windows import WindowSet


def scored(
    lives: Sequence[int],
    scores: NDArray[np.float64] | None = None,
    *,
    thresholds: Thresholds | None = None,
    left: int = 0,
    noise: float = 0.0,
    seed: int = 0,
) -> Scored:
    """Return one window per cycle, each engine down to ``left`` cycles.

    Without ``scores``, the score is minus the life left, plus ``noise`` times a normal deviate and
    a normal offset per engine; the thresholds then fit it.
    """
    units = np.repeat(np.arange(1, len(lives) + 1), lives)
    rul = np.concatenate([np.arange(n - 1, -1, -1) + left for n in lives])
    cycles = np.concatenate([np.arange(1, n + 1) for n in lives])
    if scores is None:
        rng = np.random.default_rng(seed)
        offsets = rng.normal(size=len(lives))[units - 1]
        scores = noise * (rng.normal(size=len(rul)) + offsets) - rul
    return Scored(units, cycles, rul, scores, thresholds or Thresholds(-60.0, -30.0))


def resampled(source: Scored, weights: NDArray[np.float64]) -> Scored:
    """Return the engines really repeated, each copy under its own number: the slow, plain way."""
    parts = [np.flatnonzero(source.units == unit) for unit in np.unique(source.units)]
    copies = [part for part, times in zip(parts, weights, strict=True) for _ in range(int(times))]
    index = np.concatenate(copies)
    units = np.repeat(np.arange(1, len(copies) + 1), [len(copy) for copy in copies])
    return Scored(
        units, source.cycles[index], source.rul[index], source.scores[index], source.thresholds
    )


def windows_of(
    units: NDArray[np.int64], cycles: NDArray[np.int64], rul: NDArray[np.int64]
) -> WindowSet:
    """Return empty windows of engines, labelled by the life left."""
    windows = np.zeros((len(rul), 2, 1), np.float32)
    return WindowSet(windows, units, cycles, rul, rul > HEALTHY_RUL, rul <= FAULT_RUL)
