"""How anomalous is a window: named scores as pure functions of (windows, what was expected).

Every score gives one non-negative contribution per channel and a total; higher is more anomalous.
``expected`` is the network's reconstruction, or zeros (the healthy mean) for a score that uses no
network. A score may first learn statistics of healthy windows (``fit``); they travel in the
artifact's manifest. To add one: write its two functions, enter it in :data:`SCORES`; the property
tests in ``tests/unit/models/test_scoring.py`` then run over it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.serving import WindowScores

ScoreParams = Mapping[str, NDArray[np.float64]]
"""Healthy statistics by name, each of shape ``(n_channels,)``."""

RECENT_ROWS: Final = 5
"""Rows at a window's end that decide a direction: enough to average noise, few enough to be now."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """What a score says of each window, before shares.

    Attributes:
        totals: Shape ``(n,)``; the score.
        channels: Shape ``(n, n_channels)``; non-negative; what each channel contributed.
    """

    totals: NDArray[np.float64]
    channels: NDArray[np.float64]


Fit = Callable[[NDArray[np.float32], NDArray[np.float32]], ScoreParams]
Contribute = Callable[[NDArray[np.float32], NDArray[np.float32], ScoreParams], Contributions]


@dataclass(frozen=True, slots=True)
class Score:
    """A named score.

    Attributes:
        name: What artifacts and reports call it.
        summary: What it measures, in one sentence.
        uses_network: Whether ``expected`` must be a network's reconstruction; else it is zeros.
        param_names: The healthy statistics that ``fit`` returns and ``contribute`` needs.
        fit: Learns them from healthy windows and what was expected of them.
        contribute: Scores windows, given what was expected and the statistics.
    """

    name: str
    summary: str
    uses_network: bool
    param_names: frozenset[str]
    fit: Fit
    contribute: Contribute


def mean_square(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the mean squared residual over all cycles and channels, in squared deviations.

    With ``residual = windows - expected`` a channel contributes
    ``mean(residual**2 over the window) / n_channels``. 0 is a perfect rebuild.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape and scale.
        params: Not used.
    """
    residuals = np.subtract(windows, expected, dtype=np.float64)
    return _mean_square(residuals)


def last_row_square(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the mean squared residual of the window's last row alone.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape and scale.
        params: Not used.
    """
    residuals = np.subtract(windows[:, -1:], expected[:, -1:], dtype=np.float64)
    return _mean_square(residuals)


def _mean_square(residuals: NDArray[np.float64]) -> Contributions:
    sums = np.einsum("nwc,nwc->nc", residuals, residuals)
    channels = sums / (residuals.shape[1] * residuals.shape[2])
    return Contributions(channels.sum(axis=1), channels)


def _no_fit(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    return {}


SCORES: Final[Mapping[str, Score]] = MappingProxyType(
    {
        score.name: score
        for score in (
            Score(
                "mse",
                "mean squared residual of the autoencoder",
                True,
                frozenset(),
                _no_fit,
                mean_square,
            ),
            Score(
                "input_mse",
                "mean square of the z-scored window, no network",
                False,
                frozenset(),
                _no_fit,
                mean_square,
            ),
            Score(
                "last_row",
                "mean square of the last z-scored row, no network",
                False,
                frozenset(),
                _no_fit,
                last_row_square,
            ),
        )
    }
)
"""Every score by name. An artifact that names another is refused."""


def score_windows(
    score: Score,
    windows: NDArray[np.float32],
    expected: NDArray[np.float32],
    params: ScoreParams,
) -> WindowScores:
    """Score windows, with each channel's share and direction.

    Args:
        score: Which score.
        windows: Shape ``(n, window_length, n_channels)``, z-scored; ``n`` may be 0.
        expected: Same shape.
        params: What ``score.fit`` returned.

    Raises:
        ValueError: If the shapes differ, or a value is not finite.
    """
    if windows.ndim != 3 or windows.shape != expected.shape:
        raise ValueError(
            f"windows {windows.shape} and expected {expected.shape} came; both must be "
            "(n, window_length, n_channels)"
        )
    if not (np.isfinite(windows).all() and np.isfinite(expected).all()):
        raise ValueError("a window holds a value that is not finite; normalised rows were expected")
    contributions = score.contribute(windows, expected, params)
    return WindowScores(
        contributions.totals, shares(contributions.channels), directions(windows, expected)
    )


def shares(contributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each channel's part of its row; equal parts where nothing contributed.

    Args:
        contributions: Shape ``(n, n_channels)``, non-negative.

    Example:
        >>> shares(np.array([[3.0, 1.0], [0.0, 0.0]])).tolist()
        [[0.75, 0.25], [0.5, 0.5]]
    """
    totals = contributions.sum(axis=1)
    silent = totals == 0.0
    parts = contributions / np.where(silent, 1.0, totals)[:, None]
    parts[silent] = 1.0 / contributions.shape[1]
    return parts


def directions(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return +1 where a channel's recent mean is at or above what was expected, else -1.

    Args:
        windows: Shape ``(n, window_length, n_channels)``.
        expected: Same shape.

    Returns:
        Shape ``(n, n_channels)``; the mean is over the last :data:`RECENT_ROWS` rows.
    """
    recent = np.subtract(windows[:, -RECENT_ROWS:], expected[:, -RECENT_ROWS:], dtype=np.float64)
    return np.where(recent.sum(axis=1) >= 0.0, 1, -1).astype(np.int8)
