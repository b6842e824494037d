"""The trend scores: how far most channels stand from the expected, and how fast they move away.

A fault moves many channels a little; noise moves a few a lot. So each channel's level and slope are
measured in its own healthy deviations, and the *median* channel counts: a score is high only when
at least half of the channels deviate. Where faults of several kinds occur, each moves fewer
channels, and the channel that 30 % exceed may rank better than the one that half exceed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import Contributions, ScoreParams, residuals_of
from models.scoring.measures.courses import Courses

ContributeMeasured = Callable[[Courses, NDArray[np.float32]], Contributions]
"""Scores windows that are measured already, given what was expected of them."""

STATISTICS: Final = ("level_mean", "level_sd", "slope_mean", "slope_sd")
"""Healthy mean and deviation of each channel's level and slope."""

INPUT, RESIDUAL = "input_", "residual_"
HYBRID_STATISTICS: Final = tuple(
    prefix + name for prefix in (INPUT, RESIDUAL) for name in STATISTICS
)

RESIDUAL_WEIGHT: Final = 0.25
"""Weight of the network's residual beside the inputs in ``hybrid``."""

MEDIAN: Final = 0.5
UPPER: Final = 0.7
"""Which channel counts, as a quantile over the channels."""

MIN_SD: Final = 1e-9
"""A magnitude that deviates less than this when healthy is constant; it then counts as it is."""


def magnitudes(residuals: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each channel's level and slope, both without sign.

    Level is ``|mean of the last 5 rows|``, in deviations; slope is
    ``|least-squares slope over the window|``, in deviations per cycle.

    Args:
        residuals: Shape ``(n, window_length, n_channels)``.

    Returns:
        Two arrays of shape ``(n, n_channels)``.

    Example:
        >>> level, slope = magnitudes(np.arange(8.0).reshape(1, 8, 1))
        >>> level.tolist(), slope.round(9).tolist()
        ([[5.0]], [[1.0]])
    """
    levels, slopes = Courses.of(residuals).sizes
    return levels, slopes


def fit_trend(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return :data:`STATISTICS` of healthy windows, each of shape ``(n_channels,)``."""
    fitted = [
        statistic
        for values in magnitudes(residuals_of(windows, expected))
        for statistic in (values.mean(axis=0), _deviation(values))
    ]
    return dict(zip(STATISTICS, fitted, strict=True))


def fit_hybrid(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return :data:`HYBRID_STATISTICS` of healthy windows: of the inputs and of the residuals."""
    return {
        prefix + name: values
        for prefix, reference in ((INPUT, np.zeros_like(expected)), (RESIDUAL, expected))
        for name, values in fit_trend(windows, reference).items()
    }


def trend(
    windows: NDArray[np.float32],
    expected: NDArray[np.float32],
    params: ScoreParams,
    channel: float = MEDIAN,
) -> Contributions:
    """Return the median standardised level plus the median standardised slope, over channels.

    With ``z = (magnitude - healthy mean) / healthy deviation`` of each channel, the score is
    ``median(z_level) + median(z_slope)``. About 0 is healthy; it can be a little below.

    A median is not a sum, so the decomposition is one of what the median looks at: a channel
    contributes ``max(0, z_level) + max(0, z_slope)``, its own excess over healthy. Channels that do
    not deviate contribute nothing, those that deviate most are named first.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; the network's reconstruction, or zeros for a score of the inputs.
        params: What :func:`fit_trend` returned.
        channel: Another quantile over channels than the median.
    """
    return trend_of(params, channel)(Courses.of(windows), expected)


def trend_of(params: ScoreParams, channel: float = MEDIAN) -> ContributeMeasured:
    """Return :func:`trend` of windows that are measured already."""
    standard = _Standard(params, ("",), channel)

    def contribute(courses: Courses, expected: NDArray[np.float32]) -> Contributions:
        residual = courses.less(expected)
        totals, channels = standard.trends(residual)
        return Contributions(totals[0], channels[0], courses.signs, residual.signs)

    return contribute


def hybrid(
    windows: NDArray[np.float32],
    expected: NDArray[np.float32],
    params: ScoreParams,
    channel: float = MEDIAN,
) -> Contributions:
    """Return the trend of the inputs plus a quarter of the trend of the residuals.

    Totals and contributions are both ``trend(inputs) + RESIDUAL_WEIGHT * trend(residuals)``.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; the network's reconstruction.
        params: What :func:`fit_hybrid` returned.
        channel: Another quantile over channels than the median.
    """
    return hybrid_of(params, channel)(Courses.of(windows), expected)


def hybrid_of(params: ScoreParams, channel: float = MEDIAN) -> ContributeMeasured:
    """Return :func:`hybrid` of windows that are measured already."""
    standard = _Standard(params, (INPUT, RESIDUAL), channel)

    def contribute(courses: Courses, expected: NDArray[np.float32]) -> Contributions:
        residual = courses.less(expected)
        totals, channels = standard.trends(courses, residual)
        return Contributions(
            totals[0] + RESIDUAL_WEIGHT * totals[1],
            channels[0] + RESIDUAL_WEIGHT * channels[1],
            courses.signs,
            residual.signs,
        )

    return contribute


def hybrid_upper(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return :func:`hybrid` of the channel that 30 % of the channels exceed."""
    return hybrid(windows, expected, params, UPPER)


def hybrid_upper_of(params: ScoreParams) -> ContributeMeasured:
    """Return :func:`hybrid_upper` of windows that are measured already."""
    return hybrid_of(params, UPPER)


class _Standard:
    """Puts levels and slopes of ``k`` trends into healthy deviations.

    Args:
        params: What was learned.
        prefixes: Of each trend's names in it.
        quantile: Which channel counts.
    """

    def __init__(self, params: ScoreParams, prefixes: Sequence[str], quantile: float) -> None:
        self._means = _stacked(params, prefixes, "mean")  # (2, k, 1, C)
        self._sds = _stacked(params, prefixes, "sd")
        self._quantile = quantile

    def trends(self, *courses: Courses) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return totals ``(k, n)`` and contributions ``(k, n, n_channels)`` of ``k`` courses."""
        found = np.empty((2, len(courses), *courses[0].levels.shape))  # (2, k, n, C)
        for index, each in enumerate(courses):
            np.subtract(each.sizes, self._means[:, index], out=found[:, index])
        found /= self._sds
        level, slope = _at(found, self._quantile)
        beyond = np.maximum(found, 0.0, out=found)
        return level + slope, beyond[0] + beyond[1]


def _stacked(params: ScoreParams, prefixes: Sequence[str], name: str) -> NDArray[np.float64]:
    return np.array(
        [
            [[params[f"{prefix}{kind}_{name}"]] for prefix in prefixes]
            for kind in ("level", "slope")
        ],
        np.float64,
    )


def _at(values: NDArray[np.float64], quantile: float) -> NDArray[np.float64]:
    """Return ``np.quantile(values, quantile, axis=-1)``, ten times as fast for rows this short."""
    ordered = np.sort(values, axis=-1)
    position = quantile * (values.shape[-1] - 1)
    below = int(position)
    part = position - below
    low: NDArray[np.float64] = ordered[..., below]
    high: NDArray[np.float64] = ordered[..., min(below + 1, values.shape[-1] - 1)]
    # from the nearer side, as numpy does: the same bits
    gap: NDArray[np.float64] = high - low
    found: NDArray[np.float64] = low + gap * part if part < 0.5 else high - gap * (1 - part)
    return found


def _deviation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    deviation = values.std(axis=0)
    return np.where(deviation > MIN_SD, deviation, 1.0)
