"""How a machine moves within a window: level, rolling mean and deviation, and change.

What many add by hand to each reading before a forest or a PCA looks at it, per channel: the mean
and the deviation of the readings up to it, and what it differs from the one before. Training and
serving compute them here alone. All four are in deviations of the channel, and twice the residual
gives twice each, so nothing that is larger looks smaller.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.change import changes
from models.scoring.measures.contributions import (
    RECENT_ROWS,
    SMALLEST_DEVIATION,
    ScoreParams,
    residuals_of,
)
from models.scoring.measures.subspace import MAP, principal

MOVES: Final = 4
"""Features of a channel."""


def moves(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return level, mean, deviation and mean absolute change of each channel of each window.

    Args:
        residuals: Shape ``(n, window_length, n_channels)``.

    Returns:
        Shape ``(n, 4 * n_channels)``; column ``j`` belongs to channel ``j % n_channels``. The level
        is the mean of the last 5 rows; the change is 0 for windows of one row.

    Example:
        >>> moves(np.array([[[0.0], [2.0], [0.0], [2.0]]])).tolist()
        [[1.0, 1.0, 1.0, 2.0]]
    """
    length = residuals.shape[1]
    recent = residuals[:, -RECENT_ROWS:]
    mean = residuals.sum(axis=1) / length  # (n, C)
    deviation = np.sqrt(np.square(residuals - mean[:, None]).sum(axis=1) / length)
    change = np.abs(changes(residuals)).sum(axis=1) / max(1, length - 1)
    return np.concatenate([recent.sum(axis=1) / recent.shape[1], mean, deviation, change], axis=1)


def fit_pca_rolling(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return the map to what the usual moves leave of a window's, each in what is usual of it.

    Kept as usual are the principal components of more than the mean variance.

    Args:
        windows: Healthy windows, shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.
    """
    rows = moves(residuals_of(windows, expected))  # (n, D)
    sizes = np.sqrt(np.square(rows).sum(axis=0) / len(rows))
    sizes = np.where(sizes > SMALLEST_DEVIATION, sizes, 1.0)
    _, vectors = principal(rows / sizes)
    left = np.eye(len(vectors)) - vectors @ vectors.T
    return {MAP: (left / sizes[:, None]).astype(np.float32)}
