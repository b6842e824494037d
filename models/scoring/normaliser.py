"""Readings to z-scores within their operating regime: one table, of one row or of six.

A regime is a point in the space of the three settings at which an engine is held, such as cruise at
35,000 ft. Sensors differ far more between regimes than a fault moves them, so each regime has its
own healthy mean and deviation. A reading near no regime of the training data is not guessed at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.scorer import NormalisedRows

SETTING_TOLERANCES: Final = (0.5, 0.02, 1.0)
"""How far altitude (1000 ft), Mach and throttle angle (deg) may each stray within a regime. The
published sets stray 0.009, 0.0015 and 0; their regimes lie at least 7, 0.14 or 40 apart."""

REGIME_RADIUS: Final = 1.0
"""Largest distance from a regime's centre, in tolerances."""

MIN_REGIME_ROWS: Final = 30
"""Fewer healthy rows give no usable mean and deviation; such a regime stays unknown."""

MAX_REGIMES: Final = 64
"""More means that the settings vary continuously, which a table of regimes cannot describe."""

Z_LIMIT: Final = 1e6
"""Z-scores are cut here, so that any finite reading keeps a finite score."""

CONSTANT_SD: Final = 1e-9
"""A deviation below this part of the mean is rounding: the channel is constant when healthy."""


@dataclass(frozen=True, slots=True)
class Normaliser:
    """The regime table.

    Attributes:
        tolerances: Shape ``(3,)``; scale of each setting.
        radius: Largest distance from a centre, in tolerances.
        centres: Shape ``(n_regimes, 3)``; settings of each regime.
        means: Shape ``(n_regimes, n_channels)``; healthy mean, physical units.
        sds: Shape ``(n_regimes, n_channels)``; healthy deviation, physical units, positive.
    """

    tolerances: NDArray[np.float64]
    radius: float
    centres: NDArray[np.float64]
    means: NDArray[np.float64]
    sds: NDArray[np.float64]

    def regimes(self, settings: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the regime of each row, -1 where none is near.

        Args:
            settings: Shape ``(n, 3)``.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            offsets = (settings[:, None, :] - self.centres) / self.tolerances  # (n, R, 3)
            distances = np.square(offsets).sum(axis=2)  # (n, R)
            nearest = distances.argmin(axis=1)
            near = distances[np.arange(len(settings)), nearest] <= self.radius**2
        return np.where(near, nearest, -1)

    def normalise(
        self, settings: NDArray[np.float64], sensors: NDArray[np.float64]
    ) -> NormalisedRows:
        """Put readings on the model's scale; computed in float64, handed on as float32.

        Args:
            settings: Shape ``(n, 3)``.
            sensors: Shape ``(n, n_channels)``, physical units.

        Raises:
            ValueError: If a shape is another.
        """
        n_channels = self.means.shape[1]
        if settings.shape != (len(sensors), 3) or sensors.shape != (len(sensors), n_channels):
            raise ValueError(
                f"settings {settings.shape} and sensors {sensors.shape} came; (n, 3) and "
                f"(n, {n_channels}) were expected"
            )
        regimes = self.regimes(settings)
        known = regimes >= 0
        with np.errstate(over="ignore"):
            z = (sensors - self.means[regimes]) / self.sds[regimes]
        np.clip(z, -Z_LIMIT, Z_LIMIT, out=z)
        z[~known] = 0.0
        return NormalisedRows(z.astype(np.float32), known)


def fit_normaliser(settings: NDArray[np.float64], sensors: NDArray[np.float64]) -> Normaliser:
    """Find the regimes of healthy rows, and each one's mean and deviation per channel.

    Regimes are numbered by their settings, so the order of the rows does not matter to the table.
    A channel that never moves within a regime gets deviation 1: its z-score is then its departure
    in physical units.

    Args:
        settings: Shape ``(n, 3)``, finite.
        sensors: Shape ``(n, n_channels)``, finite.

    Raises:
        ValueError: If no regime has enough rows, or there are too many regimes.
    """
    tolerances = np.array(SETTING_TOLERANCES)
    labels = _cluster(settings / tolerances)
    counts = np.bincount(labels) if len(labels) else np.empty(0, np.int64)
    kept = np.flatnonzero(counts >= MIN_REGIME_ROWS)
    if not len(kept):
        raise ValueError(
            f"{len(settings)} healthy rows came; at least {MIN_REGIME_ROWS} in one operating "
            "regime are needed"
        )
    centres = np.stack([settings[labels == label].mean(axis=0) for label in kept])
    means = np.stack([sensors[labels == label].mean(axis=0) for label in kept])
    sds = np.stack([sensors[labels == label].std(axis=0) for label in kept])
    sds[sds <= CONSTANT_SD * np.maximum(1.0, np.abs(means))] = 1.0
    order = np.lexsort(np.round(centres / tolerances).T[::-1])
    return Normaliser(tolerances, REGIME_RADIUS, centres[order], means[order], sds[order])


def _cluster(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Label points of shape ``(n, 3)`` by greedy leaders: a ball of the radius round each."""
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
    if (labels < 0).any():
        raise ValueError(
            f"the settings form more than {MAX_REGIMES} operating regimes; they seem to vary "
            "continuously"
        )
    return labels
