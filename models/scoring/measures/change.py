"""How much a machine moves from one reading to the next, lately. No model, nothing learned."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import Contributions, ScoreParams, residuals_of

HALF_LIFE: Final = 1 / 3
"""Part of the window after which a change counts half as much."""


def changes(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each reading differs from the one before; the same in training and serving.

    Args:
        rows: Shape ``(n, length, n_channels)``.

    Returns:
        Shape ``(n, length - 1, n_channels)``.
    """
    return rows[:, 1:] - rows[:, :-1]


def fading(length: int) -> NDArray[np.float64]:
    """Return weights of the changes in a window, the latest the largest; they sum to 1.

    Args:
        length: How many changes there are.

    Example:
        >>> fading(3).round(2).tolist()
        [0.14, 0.29, 0.57]
    """
    weights = np.exp2(-np.arange(length)[::-1] / (HALF_LIFE * length))
    return np.asarray(weights / weights.sum())


def difference(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the exponentially weighted mean of absolute changes within the window.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.
        params: Not used.
    """
    moved = np.abs(changes(residuals_of(windows, expected)))  # (n, W - 1, C)
    weighted = moved * fading(moved.shape[1])[:, None]
    channels = weighted.sum(axis=1) / moved.shape[2]
    return Contributions(channels.sum(axis=1), channels)
