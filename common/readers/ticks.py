"""Readings of a source that does not count: each belongs to the tick of the clock it is nearest."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import Step

MICROSECONDS: Final = 1e6
ANYWHERE: Final = 0.5
"""No reading is farther than half an interval from its tick."""


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
    return np.rint(clock_us / _interval_us(step)).astype(np.int64)


def off_tick(clock_us: NDArray[np.int64], step: Step) -> NDArray[np.bool_]:
    """Return which readings lie farther from their tick than the tolerance allows.

    Args:
        clock_us: Shape ``(n,)``, UTC epoch microseconds.
        step: Says how long an interval is, and which part of it is tolerated.
    """
    interval_us = _interval_us(step)
    away = np.abs(clock_us - np.rint(clock_us / interval_us) * interval_us)
    return (away > step.tolerance * interval_us) & (step.tolerance < ANYWHERE)


def _interval_us(step: Step) -> float:
    if step.interval_s is None:
        raise ValueError("a step without interval_s came; one with it was expected")
    return step.interval_s * MICROSECONDS
