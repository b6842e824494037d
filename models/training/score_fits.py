"""What a score learns of healthy windows before it can score: one fit per score that needs one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring import forest, subspace, trend
from models.scoring.contributions import ScoreParams
from models.scoring.scores import Score
from models.training import isolation_forest as forest_training

Fit = Callable[[NDArray[np.float32], NDArray[np.float32]], ScoreParams]
SeededFit = Callable[[NDArray[np.float32], NDArray[np.float32], int], ScoreParams]


def _unseeded(fit: Fit) -> SeededFit:
    return lambda windows, expected, seed: fit(windows, expected)


FITS: Final[Mapping[str, SeededFit]] = MappingProxyType(
    {
        "residual_trend": _unseeded(trend.fit_trend),
        "input_trend": _unseeded(trend.fit_trend),
        "hybrid": _unseeded(trend.fit_hybrid),
        "hybrid_upper": _unseeded(trend.fit_hybrid),
        "iforest": partial(forest_training.fit_forest, forest.summary),
        "iforest_flat": partial(forest_training.fit_forest, subspace.flat),
        "pca_spe": _unseeded(subspace.fit_pca_spe),
        "pca_t2": _unseeded(subspace.fit_pca_t2),
        "mahalanobis": _unseeded(subspace.fit_mahalanobis),
    }
)
"""By the score's name; a score that is not here learns nothing."""


def fit_params(
    score: Score, windows: NDArray[np.float32], expected: NDArray[np.float32], seed: int = 0
) -> ScoreParams:
    """Return what ``score`` learns of healthy windows.

    Args:
        score: Which score.
        windows: Healthy windows, shape ``(n, window_length, n_channels)``, z-scored, ``n`` >= 1.
        expected: The network's reconstruction of them, or zeros.
        seed: Decides what is drawn at random, if anything is.
    """
    fit = FITS.get(score.name)
    return {} if fit is None else fit(windows, expected, seed)
