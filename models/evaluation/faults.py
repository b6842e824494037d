"""Known faults, put into healthy records: what an instrument does when it fails. Pure.

A fault begins at its *onset* and stays. Its size is in deviations of the healthy rows of the
reading's own regime, so the same fault is as large in each regime. Values are changed as measured
and not rounded to a sensor's digits; nothing keeps them within the limits of what is plausible, so
a step of 100 deviations may be one that a detector refuses at its door.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

OBSERVED: Final = 30
"""Readings of a fault that are looked at, the one of its onset included."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some healthy readings of one asset, consecutive.

    Attributes:
        conditions: Shape ``(m, n_conditions)``.
        values: Shape ``(m, n_channels)``; as measured.
        z: Same shape; on the model's scale.
        sds: Same shape; the healthy deviation in the reading's regime, measured units.
        onset: First row that a fault changes.
    """

    conditions: NDArray[np.float64]
    values: NDArray[np.float64]
    z: NDArray[np.float64]
    sds: NDArray[np.float64]
    onset: int

    @property
    def age(self) -> NDArray[np.int64]:
        """How many readings a fault has been there, shape ``(m,)``: 1 at the onset, 0 before."""
        return np.maximum(np.arange(len(self.values)) - self.onset + 1, 0)


Change = Callable[[Stretch, int, float], NDArray[np.float64]]
"""Returns the values of a channel, shape ``(m,)``, with a fault upwards (1.0) or downwards (-1.0).
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: What tables call it.
        change: What it does to a channel.
        directed: Whether it moves a channel up or down.
        sensors: At least and at most how many channels it strikes at once.
    """

    name: str
    change: Change
    directed: bool = True
    sensors: tuple[int, int] = (1, 1)


def ramp(size: float, cycles: int) -> Change:
    """Return a drift: ``size * age / cycles`` deviations, and ``size`` once it is full.

    Strict in that the readings on its way count: of 30 observed, a ramp of 15 cycles is full in the
    last 16, and one of 30 only in the very last.
    """

    def change(stretch: Stretch, channel: int, sign: float) -> NDArray[np.float64]:
        part = np.minimum(1.0, stretch.age / cycles)
        return stretch.values[:, channel] + sign * size * part * stretch.sds[:, channel]

    return change


def step(size: float) -> Change:
    """Return an offset of ``size`` deviations from the onset on."""
    return ramp(size, 1)


def noise(factor: float) -> Change:
    """Return noise: each reading is ``factor`` times as far from the asset's own healthy mean."""

    def change(stretch: Stretch, channel: int, sign: float) -> NDArray[np.float64]:
        z = stretch.z[:, channel]
        added = (factor - 1.0) * (z - z.mean()) * stretch.sds[:, channel]
        return np.where(
            stretch.age > 0, stretch.values[:, channel] + added, stretch.values[:, channel]
        )

    return change


def frozen(stretch: Stretch, channel: int, sign: float) -> NDArray[np.float64]:
    """Repeat the last sound value, as measured, whatever the regime."""
    values = stretch.values[:, channel].copy()
    values[stretch.onset :] = values[stretch.onset - 1]
    return values


FAULTS: Final = (
    Fault("ramp of 3 sd in 15 cycles", ramp(3.0, 15)),
    Fault("ramp of 3 sd in 30 cycles", ramp(3.0, 30)),
    Fault("step of 3 sd", step(3.0)),
    Fault("step of 100 sd", step(100.0)),
    Fault("four-fold noise", noise(4.0), directed=False),
    Fault("frozen", frozen, directed=False),
    Fault("ramps of 3 sd on 4-5 sensors", ramp(3.0, 15), sensors=(4, 5)),
)


@dataclass(frozen=True, slots=True)
class Cases:
    """One fault in one stretch, on each channel in turn.

    Attributes:
        values: Shape ``(n, m, n_channels)``; as measured, with the fault.
        signs: Shape ``(n, n_channels)``; the fault's direction at the channels it strikes, 0 at the
            others.
    """

    values: NDArray[np.float64]
    signs: NDArray[np.int8]


def unchanged(stretch: Stretch) -> Cases:
    """Return a stretch without a fault, as a single case."""
    return Cases(stretch.values[None], np.zeros((1, stretch.values.shape[1]), np.int8))


def inject(fault: Fault, stretch: Stretch, rng: np.random.Generator) -> Cases:
    """Return a stretch with a fault: as many cases as channels, case ``i`` on channel ``i``.

    Directions are drawn for each channel. Where a fault strikes several, the others are drawn.
    """
    n_channels = stretch.values.shape[1]
    values = np.repeat(stretch.values[None], n_channels, axis=0)
    signs = np.zeros((n_channels, n_channels), np.int8)
    for case in range(n_channels):
        least, most = (min(count, n_channels) for count in fault.sensors)
        others = rng.permutation(np.delete(np.arange(n_channels), case))
        struck = [case, *others[: int(rng.integers(least, most + 1)) - 1].tolist()]
        for channel in struck:
            signs[case, channel] = rng.choice([-1, 1])
            values[case, :, channel] = fault.change(stretch, channel, float(signs[case, channel]))
    return Cases(values, signs)
