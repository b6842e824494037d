"""Features of a single channel that need no model: change, and rolling mean and deviation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rolling_mean_and_deviation(
    values: NDArray[np.float64], length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and deviation of the ``length`` values up to each, or of fewer at the start.

    Args:
        values: Shape ``(n,)``, finite.
        length: How many, at least 1.

    Returns:
        Both of shape ``(n,)``. Sums are of differences from the first value: large levels cancel.

    Raises:
        ValueError: If ``length`` is less than 1.

    Example:
        >>> mean, deviation = rolling_mean_and_deviation(np.array([1.0, 3.0, 3.0]), 2)
        >>> mean.tolist(), deviation.tolist()
        ([1.0, 2.0, 3.0], [0.0, 1.0, 0.0])
    """
    if length < 1:
        raise ValueError(f"length {length} came; at least 1 was expected")
    if not len(values):
        return np.empty(0), np.empty(0)
    moved = values - values[0]
    counts = np.minimum(np.arange(1, len(values) + 1), length)
    means = _sums(moved, length) / counts
    squares = _sums(np.square(moved), length) / counts
    return means + values[0], np.sqrt(np.maximum(squares - np.square(means), 0.0))


def _sums(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    totals = np.cumsum(values)
    totals[length:] -= totals[:-length].copy()
    return totals
