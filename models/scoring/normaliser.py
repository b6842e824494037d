"""Readings to z-scores within their operating regime: one table, of one row or of six.

A regime is a point in the space of the conditions at which a machine is held, such as cruise at
35,000 ft. Channels differ far more between regimes than a fault moves them, so each regime has its
own healthy mean and deviation. A reading near no regime of the training data is not guessed at. A
machine without conditions has one regime, near which every reading is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.scorer import NormalisedRows

REGIME_RADIUS: Final = 1.0
"""Largest distance from a regime's centre, in the conditions' tolerances."""

MIN_REGIME_ROWS: Final = 30
"""Fewer healthy rows give no usable mean and deviation; such a regime stays unknown."""

MAX_REGIMES: Final = 64
"""More means that the conditions vary continuously, which a table of regimes cannot describe."""

Z_LIMIT: Final = 1e6
"""Z-scores are cut here, so that any finite reading keeps a finite score."""

CONSTANT_SD: Final = 1e-9
"""A deviation below this part of the mean is rounding: the channel is constant when healthy."""

PAIRWISE: Final = 8
"""From so many numbers on numpy's sum adds in another order than one after another."""

ODD: Final = 12.0
"""Robust deviations from the median beyond which a healthy value is left out of mean and deviation.
Healthy rows of NASA's four training files stay below 8.5, so theirs are the plain ones."""

MIN_AWAY: Final = 3
"""Fewer values that differ from all others are no habit of the channel."""

TAILS: Final = ((0.01, 2.3263), (0.05, 1.6449), (0.1, 1.2816), (0.25, 0.6745))
"""Quantiles, and how many deviations from the mean they are of normally distributed values."""

MAX_STRAYS: Final = 0.01
"""Part of the rows that may be run in yet other ways when all regimes are found: spikes."""


@dataclass(frozen=True, slots=True)
class Normaliser:
    """The regime table.

    Attributes:
        tolerances: Shape ``(n_conditions,)``; scale of each condition.
        radius: Largest distance from a centre, in tolerances.
        centres: Shape ``(n_regimes, n_conditions)``; conditions of each regime.
        means: Shape ``(n_regimes, n_channels)``; healthy mean, measured units.
        sds: Shape ``(n_regimes, n_channels)``; healthy deviation, measured units, positive.
    """

    tolerances: NDArray[np.float64]
    radius: float
    centres: NDArray[np.float64]
    means: NDArray[np.float64]
    sds: NDArray[np.float64]

    def regimes(self, conditions: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the regime of each row, -1 where none is near.

        Args:
            conditions: Shape ``(n, n_conditions)``.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            distances = self.squared_distances(conditions)  # (n, R)
            nearest = distances.argmin(axis=1)
            near = distances[np.arange(len(conditions)), nearest] <= self.radius**2
        return np.where(near, nearest, -1)

    def squared_distances(self, conditions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far each row is from each centre, in tolerances, squared.

        Args:
            conditions: Shape ``(n, n_conditions)``.

        Returns:
            Shape ``(n, n_regimes)``.
        """
        found: NDArray[np.float64]
        if len(self.tolerances) >= PAIRWISE:
            offsets = (conditions[:, None, :] - self.centres) / self.tolerances  # (n, R, K)
            found = np.square(offsets).sum(axis=2)
            return found
        # so few are added one after another anyway: the same bits, and no loops of three steps
        found = np.zeros((len(conditions), len(self.centres)))
        for column, tolerance in enumerate(self.tolerances):
            offset = (conditions[:, column, None] - self.centres[:, column]) / tolerance  # (n, R)
            found += np.square(offset)
        return found

    def normalise(
        self, conditions: NDArray[np.float64], channels: NDArray[np.float64]
    ) -> NormalisedRows:
        """Put readings on the model's scale; computed in float64, handed on as float32.

        Args:
            conditions: Shape ``(n, n_conditions)``.
            channels: Shape ``(n, n_channels)``, measured units.

        Raises:
            ValueError: If a shape is another.
        """
        expected = (self.centres.shape[1:], self.means.shape[1:])
        same_length = conditions.shape[:1] == channels.shape[:1]
        if (conditions.shape[1:], channels.shape[1:]) != expected or not same_length:
            raise ValueError(
                f"conditions {conditions.shape} and channels {channels.shape} came; "
                f"(n, {expected[0][0]}) and (n, {expected[1][0]}) were expected"
            )
        regimes = self.regimes(conditions)
        known = regimes >= 0
        # of a single regime there is nothing to choose: broadcasting it is cheaper
        of_row = slice(0, 1) if len(self.centres) == 1 else regimes
        with np.errstate(over="ignore"):
            z = (channels - self.means[of_row]) / self.sds[of_row]
        np.clip(z, -Z_LIMIT, Z_LIMIT, out=z)
        if not known.all():
            z[~known] = 0.0
        return NormalisedRows(z.astype(np.float32), known)

    def healthy(
        self, conditions: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return healthy mean and deviation of each channel, of machines run like these rows.

        Args:
            conditions: Shape ``(n, n_conditions)``, each near a regime.
        """
        regimes = self.regimes(conditions)
        return self.means[regimes], self.sds[regimes]


def fit_normaliser(
    conditions: NDArray[np.float64], channels: NDArray[np.float64], tolerances: NDArray[np.float64]
) -> Normaliser:
    """Find the regimes of healthy rows, and each one's mean and deviation per channel.

    Regimes are numbered by their conditions, so the order of the rows does not matter to the table.
    A channel that never moves within a regime gets deviation 1: its z-score is then its departure
    in measured units. Values further than :data:`ODD` robust deviations from the median count for
    neither: one of 1e12 would otherwise blind its channel.

    Args:
        conditions: Shape ``(n, n_conditions)``, finite.
        channels: Shape ``(n, n_channels)``, finite.
        tolerances: Shape ``(n_conditions,)``; how far each condition may stray within a regime.

    Raises:
        ValueError: If no regime has enough rows, or there are too many regimes.
    """
    labels = cluster(conditions / tolerances)
    counts = np.bincount(labels[labels >= 0]) if len(labels) else np.empty(0, np.int64)
    kept = np.flatnonzero(counts >= MIN_REGIME_ROWS)
    if not len(kept):
        raise ValueError(
            f"{len(conditions)} healthy rows came; at least {MIN_REGIME_ROWS} in one operating "
            "regime are needed"
        )
    centres = np.stack([conditions[labels == label].mean(axis=0) for label in kept])
    usual = [location_and_scale(channels[labels == label]) for label in kept]
    means = np.stack([mean for mean, _ in usual])
    sds = np.stack([sd for _, sd in usual])
    sds[sds <= CONSTANT_SD * np.maximum(1.0, np.abs(means))] = 1.0
    # without conditions there is one regime, and nothing to sort by
    order = np.lexsort(np.round(centres / tolerances).T[::-1]) if len(tolerances) else [0]
    return Normaliser(tolerances, REGIME_RADIUS, centres[order], means[order], sds[order])


def location_and_scale(
    rows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and deviation of each column, without its odd values.

    Odd is what lies more than :data:`ODD` robust deviations from the median. Where nothing is odd
    these are the plain mean and deviation, to the bit.

    Args:
        rows: Shape ``(n, n_channels)``, finite, ``n`` >= 1.

    Example:
        >>> mean, sd = location_and_scale(np.array([[1.0], [3.0]] * 50 + [[1e12]]))
        >>> mean.tolist(), sd.tolist()
        ([2.0], [1.0])
    """
    means, sds = rows.mean(axis=0), rows.std(axis=0)
    distances = np.abs(rows - np.median(rows, axis=0))
    odd = distances > ODD * _robust_deviation(rows, distances)
    for column in np.flatnonzero(odd.any(axis=0)):
        kept = rows[~odd[:, column], column]
        means[column], sds[column] = kept.mean(), kept.std()
    return means, sds


def _robust_deviation(
    rows: NDArray[np.float64], distances: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the widest of the deviations that the quantiles in :data:`TAILS` speak of.

    The widest, since channels with steps or several levels are narrow in some of them; none sees
    what fewer than one value in a hundred does on a side. A channel that reads the same almost
    always is judged by how far it usually goes when it does not.
    """
    tails = np.array([tail for tail, _ in TAILS])
    # the inner of two neighbours: of few rows, too, the outermost value counts for nothing
    low = np.quantile(rows, tails, axis=0, method="higher")
    high = np.quantile(rows, 1 - tails, axis=0, method="lower")
    widths = (high - low) / (2 * np.array([[deviations] for _, deviations in TAILS]))
    widest: NDArray[np.float64] = widths.max(axis=0)
    rounding = CONSTANT_SD * np.maximum(1.0, np.abs(np.median(rows, axis=0)))
    for column in np.flatnonzero(widest <= rounding):
        away = distances[:, column][distances[:, column] > rounding[column]]
        often = len(away) >= MIN_AWAY
        widest[column] = max(rounding[column], np.median(away) if often else 0.0)
    return widest


def cluster(points: NDArray[np.float64], *, strict: bool = True) -> NDArray[np.int64]:
    """Label points by greedy leaders: a ball of the radius round each.

    Args:
        points: Shape ``(n, n_conditions)``, in tolerances.
        strict: Whether more regimes than :data:`MAX_REGIMES` are an error.

    Returns:
        Shape ``(n,)``; -1 for the few points beyond the last regime.

    Raises:
        ValueError: If more than :data:`MAX_STRAYS` of the points are.
    """
    labels = np.full(len(points), -1, dtype=np.int64)
    for label in range(MAX_REGIMES):
        free = np.flatnonzero(labels < 0)
        if not len(free):
            return labels
        leader = points[free[0]]
        # the first row may lie at its regime's edge: move to the middle of its ball, then draw it
        for _ in range(2):
            inside = np.square(points[free] - leader).sum(axis=1) <= REGIME_RADIUS**2
            if not inside.any():
                break
            leader = points[free[inside]].mean(axis=0)
        inside = np.square(points[free] - leader).sum(axis=1) <= REGIME_RADIUS**2
        inside[0] = True  # always at least the row it started from, so the loop ends
        labels[free[inside]] = label
    if strict and np.mean(labels < 0) > MAX_STRAYS:
        raise ValueError(
            f"the conditions form more than {MAX_REGIMES} operating regimes; they seem to vary "
            "continuously"
        )
    return labels
