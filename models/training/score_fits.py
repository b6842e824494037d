"""What a score learns of healthy windows before it can score: one fit per score that needs one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures import (
    forest,
    moves,
    nearest,
    nearest_window,
    subspace,
    topk,
    trend,
    views,
    window_pca,
)
from models.scoring.measures.contributions import ScoreParams
from models.scoring.scores import Score
from models.training import isolation_forest as forest_training

Windows = NDArray[np.float32]
Fit = Callable[[Windows, Windows], ScoreParams]
Seeded = Callable[[Windows, Windows, int], ScoreParams]
AnyFit = Callable[[Windows, Windows, int, NDArray[np.int64]], ScoreParams]


def _plain(fit: Fit) -> AnyFit:
    return lambda windows, expected, seed, units: fit(windows, expected)


def _seeded(fit: Seeded) -> AnyFit:
    return lambda windows, expected, seed, units: fit(windows, expected, seed)


FITS: Final[Mapping[str, AnyFit]] = MappingProxyType(
    {
        "residual_trend": _plain(trend.fit_trend),
        "input_trend": _plain(trend.fit_trend),
        "hybrid": _plain(trend.fit_hybrid),
        "hybrid_upper": _plain(trend.fit_hybrid),
        "iforest": _seeded(partial(forest_training.fit_forest, forest.summary)),
        "iforest_flat": _seeded(partial(forest_training.fit_forest, subspace.flat)),
        "iforest_rolling": _seeded(partial(forest_training.fit_forest, moves.moves)),
        "pca_rolling": _plain(moves.fit_pca_rolling),
        "pca_spe": _plain(subspace.fit_pca_spe),
        "pca_t2": _plain(subspace.fit_pca_t2),
        "mahalanobis": _plain(subspace.fit_mahalanobis),
        "blended_topk": _plain(topk.fit_topk),
        "window_pca": _plain(window_pca.fit_window_pca),
        "nearest_window": _plain(nearest_window.fit_nearest_window),
        "three_views": _plain(views.fit_three_views),
        "nearest_healthy": lambda windows, expected, seed, units: nearest.fit_nearest(
            windows, expected, units
        ),
    }
)
"""By the score's name; a score that is not here learns nothing."""


def fit_params(
    score: Score,
    windows: Windows,
    expected: Windows,
    seed: int = 0,
    units: NDArray[np.int64] | None = None,
) -> ScoreParams:
    """Return what ``score`` learns of healthy windows.

    Args:
        score: Which score.
        windows: Healthy windows, shape ``(n, window_length, n_channels)``, z-scored, ``n`` >= 1.
        expected: The network's reconstruction of them, or zeros.
        seed: Decides what is drawn at random, if anything is.
        units: Shape ``(n,)``; asset of each window; none for all of one.
    """
    fit = FITS.get(score.name)
    if fit is None:
        return {}
    return fit(
        windows, expected, seed, np.zeros(len(windows), np.int64) if units is None else units
    )
