"""Ticks of many readings at once, by the rule of ``Step.tick``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import Step


def ticks(clock_us: NDArray[np.int64], step: Step) -> NDArray[np.int64]:
    """Return the number of the nearest tick of each reading, counted from 1970.

    Args:
        clock_us: Shape ``(n,)``, UTC epoch microseconds.
        step: Says how long an interval is.

    Raises:
        ValueError: If it has no interval.

    Example:
        >>> ticks(np.array([59_000_000, 121_000_000]), Step(clock="time", interval_s=60.0)).tolist()
        [1, 2]
    """
    return (2 * clock_us + step.interval_us) // (2 * step.interval_us)


def off_tick(clock_us: NDArray[np.int64], step: Step) -> NDArray[np.bool_]:
    """Return which readings lie farther from their tick than the tolerance allows.

    Args:
        clock_us: Shape ``(n,)``, UTC epoch microseconds.
        step: Says how long an interval is, and which part of it is tolerated.
    """
    away = np.abs(clock_us - ticks(clock_us, step) * step.interval_us)
    return np.asarray(away > step.tolerance * step.interval_us)
