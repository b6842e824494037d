"""How far a window is from the nearest state in which healthy machines were seen.

A fleet's machines are not alike, and one machine is run in several ways: what is healthy is a
number of places rather than one. So healthy states are kept, a few of each asset, and a window
counts by its distance from the nearest: nobody need say which asset it is of, and what lies between
two healthy states is still unusual. In the words of process monitoring: a nearest neighbour in the
space of moving averages, near the multivariate state estimation technique (MSET).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import Contributions, ScoreParams, residuals_of

SCALE: Final = "scale"
STATES: Final = "states"
"""Levels of healthy windows, shape ``(n_states, n_channels)``, z-scored."""

MAX_STATES: Final = 1000
"""Kept at most, the same number of each asset, evenly over its time."""

MIN_SD: Final = 1e-9
"""A level that deviates less than this when healthy is constant; it then counts as it is."""


def levels(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each channel over the window, shape ``(n, n_channels)``."""
    # sums over axis 1 add row after row: one window alone gives the same bits as in a batch
    means: NDArray[np.float64] = residuals.sum(axis=1) / residuals.shape[1]
    return means


def fit_nearest(
    windows: NDArray[np.float32], expected: NDArray[np.float32], units: NDArray[np.int64]
) -> ScoreParams:
    """Return the healthy states, and how much a level deviates while an asset stays the same.

    That deviation is each asset's own, and of these the median: neither differences between assets
    nor one that wanders count as noise.

    Args:
        windows: Healthy windows, shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.
        units: Shape ``(n,)``; asset of each.
    """
    found = levels(residuals_of(windows, expected))
    numbers = np.unique(units)
    own = [found[units == unit] for unit in numbers.tolist()]
    deviation = np.median([of_one.std(axis=0) for of_one in own], axis=0)
    each = max(1, MAX_STATES // len(own))
    states = np.concatenate([_evenly(of_one, each) for of_one in own])
    return {
        SCALE: np.where(deviation > MIN_SD, deviation, 1.0),
        STATES: _evenly(states, MAX_STATES).astype(np.float32),
    }


def nearest_healthy(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the root mean square distance from the nearest healthy state, in deviations.

    A channel contributes its part of the mean square; the root is taken of their sum. It reads
    above what was expected when it is above that state.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.
        params: What :func:`fit_nearest` returned.
    """
    n_channels = windows.shape[2]
    scale = params[SCALE]
    states = params[STATES].astype(np.float64) / scale  # (S, C)
    found = levels(residuals_of(windows, expected)) / scale
    channels, signs = (
        np.empty((len(found), n_channels)),
        np.empty((len(found), n_channels), np.int8),
    )
    for index, level in enumerate(found):  # of all at once: windows times states times channels
        offsets = level - states
        squares = np.square(offsets)
        nearest = int(squares.sum(axis=1).argmin())
        channels[index] = squares[nearest] / n_channels
        signs[index] = np.where(offsets[nearest] >= 0.0, 1, -1)
    return Contributions(np.sqrt(channels.sum(axis=1)), channels, signs)


def check_states(params: ScoreParams, n_channels: int) -> None:
    """Refuse states of another width, none, or such that are not finite.

    Raises:
        ValueError: Saying what came.
    """
    came = params[STATES]
    if came.ndim != 2 or came.shape[1] != n_channels or not len(came):
        raise ValueError(f"states of shape {came.shape} came; (n, {n_channels}) was expected")
    if came.dtype.kind != "f" or not np.isfinite(came).all():
        raise ValueError("a state is not finite")


def _evenly(rows: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Return at most so many of the rows, the first and the last among them."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
