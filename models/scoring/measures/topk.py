"""The largest few of a network's errors, over time and over channels, of values and of changes.

A mean over the window hides a short fault in one channel; the largest error alone is noise. So of
each channel the largest few errors count, and of the channels the worst few. Errors of the values
and of their changes from reading to reading are blended, each in what is usual of it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.change import changes
from models.scoring.measures.contributions import (
    SMALLEST_DEVIATION,
    Contributions,
    ScoreParams,
    residuals_of,
)

VALUE_SCALE: Final = "value_scale"
CHANGE_SCALE: Final = "change_scale"
TOPK_SCALES: Final = (VALUE_SCALE, CHANGE_SCALE)

TIME_PART: Final = 0.1
"""Part of a window's errors of a channel that count, the largest."""

CHANNEL_PART: Final = 0.2
"""Part of the channels that count, the worst."""


def fit_topk(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return how large the largest errors of healthy windows usually are, per channel.

    Args:
        windows: Healthy windows, shape ``(n, window_length, n_channels)``, z-scored.
        expected: The network's reconstruction of them.
    """
    residuals = residuals_of(windows, expected)
    usual = (_largest(np.abs(each)).mean(axis=0) for each in (residuals, changes(residuals)))
    return {
        name: np.where(size > SMALLEST_DEVIATION, size, 1.0)
        for name, size in zip(TOPK_SCALES, usual, strict=True)
    }


def blended_topk(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the mean over the worst channels of their largest errors, in what is usual of them.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; the network's reconstruction.
        params: What :func:`fit_topk` returned.
    """
    residuals = residuals_of(windows, expected)
    parts = (
        _largest(np.abs(each)) / params[name]
        for name, each in zip(TOPK_SCALES, (residuals, changes(residuals)), strict=True)
    )
    channels = sum(parts, np.zeros((len(windows), windows.shape[2]))) / len(TOPK_SCALES)
    worst = math.ceil(CHANNEL_PART * channels.shape[1])
    totals = np.sort(channels, axis=1)[:, -worst:].sum(axis=1) / worst
    return Contributions(totals, channels)


def _largest(sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each channel's mean of its largest sizes over time, shape ``(n, n_channels)``."""
    kept = math.ceil(TIME_PART * sizes.shape[1])
    largest = np.sort(sizes, axis=1)[:, -kept:]
    means: NDArray[np.float64] = largest.sum(axis=1) / kept
    return means
