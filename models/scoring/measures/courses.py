"""Windows laid out time first: the course of every channel of every window, side by side.

Sums over time then run along memory, whole rows of a batch at once, and cost a fourth of what sums
within each window do. Whatever the batch, one reading is added after another, so that a window
alone gets the same bits as among others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import RECENT_ROWS

Rows = NDArray[np.float64]
"""Shape ``(window_length, n, n_channels)``, oldest reading first."""

LENGTHS: Final = 64
"""Of so many lengths of windows the weights are kept; a worker knows one for each model."""


ABOVE, BELOW = np.int8(1), np.int8(-1)


@dataclass(frozen=True, slots=True)
class Courses:
    """What several kinds of evidence start from: measured once, used by all.

    Attributes:
        rows: The windows, time first, in float64.
        levels: Mean of the last :data:`RECENT_ROWS` rows, shape ``(n, n_channels)``.
        slopes: Least-squares slope over the window, per row, same shape; 0 for a single row.
        signs: Of the levels, +1 or -1 (:func:`signs_of`), same shape.
        sizes: Levels, then slopes, both without sign, shape ``(2, n, n_channels)``.
    """

    rows: Rows
    levels: NDArray[np.float64]
    slopes: NDArray[np.float64]
    signs: NDArray[np.int8]
    sizes: NDArray[np.float64]

    @classmethod
    def of(cls, windows: NDArray[np.float32] | NDArray[np.float64]) -> Self:
        """Measure windows of shape ``(n, window_length, n_channels)``."""
        return cls._measured(by_time(windows))

    def less(self, expected: NDArray[np.float32]) -> Self:
        """Measure what is left of the windows without what was expected of them."""
        rows = empty_rows(*self.rows.shape)
        np.subtract(self.rows, expected.transpose(1, 0, 2), out=rows)
        return self._measured(rows)

    @classmethod
    def _measured(cls, rows: Rows) -> Self:
        length, n, channels = rows.shape
        both = np.empty((2, n, channels))
        recent = np.add.reduce(rows[-RECENT_ROWS:], axis=0)
        np.divide(recent, min(RECENT_ROWS, length), out=both[0])
        both[1] = weighed(rows, slope_weights(length))
        return cls(rows, both[0], both[1], signs_of(recent), np.abs(both))


@lru_cache(LENGTHS)
def slope_weights(length: int) -> NDArray[np.float64]:
    """Return how much each reading counts in the least-squares slope of so many."""
    steps = np.arange(length) - (length - 1) / 2
    weights: NDArray[np.float64] = steps / (np.square(steps).sum() or 1.0)
    weights.flags.writeable = False
    return weights


def by_time(windows: NDArray[np.float32] | NDArray[np.float64]) -> Rows:
    """Return windows of shape ``(n, window_length, n_channels)`` time first, in float64.

    Example:
        >>> by_time(np.array([[[1, 5], [2, 6]], [[3, 7], [4, 8]]], np.float32)).tolist()
        [[[1.0, 5.0], [3.0, 7.0]], [[2.0, 6.0], [4.0, 8.0]]]
    """
    n, length, channels = windows.shape
    rows = empty_rows(length, n, channels)
    rows[...] = windows.transpose(1, 0, 2)
    return rows


def empty_rows(length: int, n: int, channels: int) -> Rows:
    """Return rows that hold no numbers yet.

    Those of a single channel lie in memory window by window: numpy adds numbers that lie side by
    side in pairs, and must do so in the same way for one window as for many.
    """
    if channels == 1:
        return np.empty((n, length, 1)).transpose(1, 0, 2)
    return np.empty((length, n, channels))


def weighed(rows: Rows, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of each window's readings, each times its weight, ``(n, n_channels)``.

    Args:
        rows: Shape ``(window_length, n, n_channels)``, laid out as :func:`by_time` does.
        weights: Shape ``(window_length,)``.

    Example:
        >>> weighed(by_time(np.ones((1, 3, 2))), np.array([1.0, 2.0, 3.0])).tolist()
        [[6.0, 6.0]]
    """
    found: NDArray[np.float64]
    if rows.shape[2] == 1:  # einsum would add the readings of a single channel in another order
        found = np.add.reduce(rows * weights[:, None, None], axis=0)
    else:  # four times as fast, and the same bits
        found = np.einsum("wnc,w->nc", rows, weights)
    return found


def signs_of(sums: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return +1 where a sum is at or above zero, else -1.

    Example:
        >>> signs_of(np.array([2.0, 0.0, -1.0])).tolist()
        [1, 1, -1]
    """
    return np.where(sums >= 0.0, ABOVE, BELOW)
