"""Windows with a spike: single values far from all that is usual, as of a broken line.

What is learned, and the thresholds, are to be of usual readings: one value of 1e12 in a hundred
thousand would set them alone. So a healthy window with a spike teaches nothing. It stays a window
all the same: ``sanity.py`` counts how many of them would warn.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.windows import WindowSet

SPIKE: Final = 30.0
"""Healthy deviations. Healthy rows of NASA's four training files stay below 10."""

SPIKE_PART: Final = 0.1
"""Of a window's rows, at most: what lasts longer is no spike but another state."""


def spiked(windows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return which windows hold a spike in some channel, shape ``(n,)``.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.

    Example:
        >>> windows = np.zeros((2, 20, 1), np.float32)
        >>> windows[1, 7] = 1e6
        >>> spiked(windows).tolist()
        [False, True]
    """
    if not windows.size or max(windows.max(), -windows.min()) <= SPIKE:
        return np.zeros(len(windows), np.bool_)
    rows = (np.abs(windows) > SPIKE).sum(axis=1)  # (n, C)
    most = max(1, int(SPIKE_PART * windows.shape[1]))
    return np.asarray(((rows > 0) & (rows <= most)).any(axis=1))


def usual(windows: WindowSet) -> NDArray[np.bool_]:
    """Return which windows are healthy and hold no spike, shape ``(n,)``."""
    return windows.healthy & ~spiked(windows.windows)
