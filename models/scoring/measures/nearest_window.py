"""How far a window is from the most similar healthy window that was kept.

The whole shape is compared, value by value and at its level: a pattern that healthy machines never
showed is far from all of them, however usual each value is. In the words of the field: the nearest
neighbour distance of subsequences (a discord, where the reference is what was recorded before).
Windows are not normalised one by one: their level is what a fault shifts.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import Contributions, ScoreParams, residuals_of
from models.scoring.measures.subspace import flat

KEPT: Final = "kept_windows"
"""Healthy windows, shape ``(n_kept, window_length * n_channels)``, z-scored."""

MAX_KEPT: Final = 1000
"""Kept at most, evenly over time. Three times as many change no figure of ``docs/telemetry.md`` by
more than .01, and cost three times the time."""

MAX_VALUES: Final = 4_000_000
"""Kept at most in all windows, 16 MB: wider windows are fewer."""


def fit_nearest_window(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return healthy windows, evenly over those that came.

    Args:
        windows: Healthy windows, shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.
    """
    width = windows.shape[1] * windows.shape[2]
    most = max(1, min(MAX_KEPT, MAX_VALUES // width, len(windows)))
    chosen = np.linspace(0, len(windows) - 1, most).astype(np.int64)
    return {KEPT: flat(residuals_of(windows[chosen], expected[chosen])).astype(np.float32)}


def nearest_window(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the root mean square distance from the nearest window that was kept.

    It reads above what was expected when, on the whole, it is above that window.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.
        params: What :func:`fit_nearest_window` returned.
    """
    n, length, n_channels = windows.shape
    kept = params[KEPT].astype(np.float64)  # (K, D)
    rows = flat(residuals_of(windows, expected))  # (n, D)
    sizes = np.square(kept).sum(axis=1)
    # |row - kept|**2 without |row|**2, which is the same for all of them; one product per window
    away = sizes - 2.0 * np.matmul(rows[:, None, :], kept.T)[:, 0]  # (n, K)
    offsets = (rows - kept[away.argmin(axis=1)]).reshape(n, length, n_channels)
    channels = np.square(offsets).sum(axis=1) / (length * n_channels)
    signs = np.where(offsets.sum(axis=1) >= 0.0, 1, -1).astype(np.int8)
    return Contributions(np.sqrt(channels.sum(axis=1)), channels, signs)


def check_kept(params: ScoreParams, length: int, n_channels: int) -> None:
    """Refuse windows of another width, none, or such that are not finite.

    Raises:
        ValueError: Saying what came.
    """
    came = params[KEPT]
    if came.ndim != 2 or came.shape[1] != length * n_channels or not len(came):
        raise ValueError(
            f"kept windows of shape {came.shape} came; (n, {length * n_channels}) was expected"
        )
    if came.dtype.kind != "f" or not np.isfinite(came).all():
        raise ValueError("a kept window is not finite")
