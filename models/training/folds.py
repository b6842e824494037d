"""Deals assets into folds. Windows of one asset are not independent, so folds go by asset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.training.config import FOLDS


def assign_folds(units: Sequence[int], folds: int = FOLDS, seed: int = 0) -> dict[int, int]:
    """Return the fold of each asset, from 0: dealt out at random, with regard to nothing.

    The same assets and seed give the same folds, in whatever order the assets are given. Folds
    differ by at most one asset in size; with fewer assets than ``folds`` each has its own.

    Raises:
        ValueError: If there are fewer than two assets or folds.

    Example:
        >>> sorted(assign_folds([4, 2, 9, 7], folds=2).values())
        [0, 0, 1, 1]
    """
    distinct = sorted(set(units))
    if len(distinct) < 2 or folds < 2:
        raise ValueError(
            f"{len(distinct)} assets and {folds} folds came; at least 2 of each are needed to "
            "score assets by models that never saw them"
        )
    dealt = np.random.default_rng(seed).permutation(distinct).tolist()
    return {unit: place % min(folds, len(distinct)) for place, unit in enumerate(dealt)}


def folds_of(units: NDArray[np.int64], folds: int = FOLDS, seed: int = 0) -> NDArray[np.int64]:
    """Return the fold of each window's asset, shape ``(n,)``, as :func:`assign_folds` deals.

    Example:
        >>> folds_of(np.array([4, 4, 2]), folds=2).tolist()
        [1, 1, 0]
    """
    dealt = assign_folds(units.tolist(), folds, seed)
    return np.array([dealt[unit] for unit in units.tolist()], np.int64)
