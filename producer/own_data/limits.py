"""Proposes limits of plausibility: wide ones, since a fault must be seen, not refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

RANGES: Final = 3.0
"""At least so many ranges of what was seen lie between it and a limit."""

TIMES: Final = 5.0
"""And a limit is at least so many times the largest value seen: a vibration that grows fourfold is
a fault, not a broken sensor."""

FEWEST_ROWS: Final = 100
OUTLYING: Final = 20.0
"""Values this many ordinary ranges away (1st to 99th percentile) may come from a broken sensor."""

LARGEST: Final = 1e17


def find_limits(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return limits far beyond what was seen; none where that would say nothing.

    0 is always well within them: machines stand still, and their sensors then show about 0.

    Args:
        values: Shape ``(n,)``, NaN where blank.
    """
    there = values[~np.isnan(values)]
    if len(there) < FEWEST_ROWS or outlier(values) is not None:
        return None
    low, high = float(there.min()), float(there.max())
    span = high - low
    if span <= 0 or max(abs(low), abs(high), span) > LARGEST:
        return None
    beyond, size = RANGES * span, max(abs(low), abs(high))
    lowest = min(low - beyond, TIMES * low, -size / 2)
    highest = max(high + beyond, TIMES * high, size / 2)
    return _outward(lowest, math.floor), _outward(highest, math.ceil)


def outlier(values: NDArray[np.float64]) -> float | None:
    """Return the value that lies so far from all others that it may be no measurement.

    Args:
        values: Shape ``(n,)``, NaN where blank.
    """
    there = values[~np.isnan(values)]
    if len(there) < FEWEST_ROWS:
        return None
    first, last = np.percentile(there, [1, 99])
    span = float(last - first)
    if not span:
        return None
    extreme = float(there[np.abs(there - (first + last) / 2).argmax()])
    return extreme if abs(extreme - float(first + last) / 2) > OUTLYING * span else None


def _outward(value: float, towards: Callable[[float], int]) -> float:
    """Return a value with two digits, away from what was seen: more would claim to be known."""
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    return float(f"{towards(value / step) * step:.6g}")
