"""Linear baselines: PCA (two statistics) and Mahalanobis, each as one matrix.

All three are ``|features @ map|**2`` with a symmetric map, so a channel's contribution is the part
of that square in its own columns: non-negative, and the parts add up to the score exactly. Features
have mean 0 when healthy (they are linear in z-scores), so nothing is centred.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import (
    RECENT_ROWS,
    Contributions,
    ScoreParams,
    residuals_of,
)

MAP: Final = "map"
SHRINKAGE: Final = 0.05
"""Part of the mean variance mixed into the covariance, which is nearly singular."""

TINY: Final = float(np.finfo(np.float32).tiny)

Features = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def flat(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each window as one row, shape ``(n, window_length * n_channels)``.

    Column ``j`` belongs to channel ``j % n_channels``, here and in every feature function.
    """
    return residuals.reshape(len(residuals), residuals.shape[1] * residuals.shape[2])


def level_and_slope(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return recent mean and least-squares slope of each channel, shape ``(n, 2 * n_channels)``.

    Slopes are per window rather than per cycle, so that both are of one size.
    """
    length = residuals.shape[1]
    recent = residuals[:, -RECENT_ROWS:]
    steps = np.arange(length) - (length - 1) / 2
    weights = length * steps / np.square(steps).sum()
    return np.concatenate(
        [recent.sum(axis=1) / recent.shape[1], (residuals * weights[:, None]).sum(axis=1)], axis=1
    )


def fit_pca_spe(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return the map to what the principal components of healthy windows leave unexplained.

    Kept are the components of more than the mean variance.
    """
    _, vectors = principal(flat(residuals_of(windows, expected)))
    return {MAP: (np.eye(len(vectors)) - vectors @ vectors.T).astype(np.float32)}


def fit_pca_t2(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return the map to the principal components, each in units of its own deviation."""
    variances, vectors = principal(flat(residuals_of(windows, expected)))
    return {MAP: ((vectors / np.sqrt(variances)) @ vectors.T).astype(np.float32)}


def fit_mahalanobis(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return the inverse square root of the healthy covariance of level and slope."""
    covariance = _second_moment(level_and_slope(residuals_of(windows, expected)))
    size = len(covariance)
    ridge = max(float(np.trace(covariance)) / size, TINY)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * ridge * np.eye(size)
    variances, vectors = np.linalg.eigh(covariance)
    return {MAP: ((vectors / np.sqrt(variances)) @ vectors.T).astype(np.float32)}


def mapped_square(features: Features) -> Callable[..., Contributions]:
    """Return the score function ``|features(windows - expected) @ map|**2``."""

    def contribute(
        windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
    ) -> Contributions:
        rows = features(residuals_of(windows, expected))  # (n, D)
        # one product per window: a product of all would round differently for another n
        mapped = np.matmul(rows[:, None, :], params[MAP].astype(np.float64))[:, 0]  # (n, D)
        n_channels = windows.shape[2]
        shape = (len(rows), rows.shape[1] // n_channels, n_channels)
        squares = np.square(mapped).reshape(shape)  # (n, D / C, C)
        channels = squares.sum(axis=1)
        return Contributions(channels.sum(axis=1), channels)

    return contribute


def _second_moment(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    moment: NDArray[np.float64] = rows.T @ rows / len(rows)
    return moment


def principal(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the components of more than the mean variance: variances, and vectors as columns."""
    variances, vectors = np.linalg.eigh(_second_moment(rows))
    kept = variances > variances.mean()
    kept[-1] = True  # equal variances: keep one, and never divide by zero below
    return np.maximum(variances[kept], TINY), vectors[:, kept]
