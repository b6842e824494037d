"""Finds set points: columns that stay on a few levels, as a machine is told, not as it behaves."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

NAMED: Final = re.compile(
    r"set ?-?_?point|\bsp\b|_sp$|setting|demand|_dmd|command|_cmd|\bmode\b|_mode$|stage|gear|recipe"
    r"|sollwert|betriebsart|stufe",
    re.IGNORECASE,
)
"""Names under which a set point goes; a column of another name must be clearer."""

MOST_LEVELS: Final = 10
MOST_UNNAMED: Final = 6
FEWEST_ROWS: Final = 200
RAREST: Final = 0.02
"""A level on which fewer readings are is none."""

APART: Final = 0.1
"""Of the largest level: nearer ones may be the steps of a coarse sensor."""

TIGHT: Final = 0.1
"""Of the distance between levels: readings of one level are not wider than this."""

STAY: Final = 10
"""Readings in a row on one level, on average. What flickers may be measured, and a measured channel
that is taken for a condition is lost: a reading off its levels would not be scored at all."""


class Levels(NamedTuple):
    """Levels of a set point.

    Attributes:
        values: The middle of each, rising.
        tolerance: How far from each other readings of one level may be.
    """

    values: tuple[float, ...]
    tolerance: float


def find_levels(name: str, values: NDArray[np.float64]) -> Levels | None:
    """Return the levels on which a column stays; none if it does not, or that is not sure.

    Args:
        name: The column's name; one that means a set point makes it surer.
        values: Shape ``(n,)``, in the order of time, NaN where blank.
    """
    there = values[~np.isnan(values)]
    if len(there) < FEWEST_ROWS:
        return None
    ordered = np.sort(there)
    span = float(ordered[-1] - ordered[0])
    cuts = np.flatnonzero(np.diff(ordered) > span / (5 * MOST_LEVELS)) + 1
    if not 1 <= len(cuts) < MOST_LEVELS:
        return None
    parts = np.split(ordered, cuts)
    middles = np.array([float(np.median(part)) for part in parts])
    apart = float(np.diff(middles).min())
    if min(map(len, parts)) < RAREST * len(there):
        return None
    if max(float(part[-1] - part[0]) for part in parts) > TIGHT * apart:
        return None
    if NAMED.search(name) is None and not _stays(there, middles, apart):
        return None
    return Levels(tuple(middles.tolist()), _rounded(apart * TIGHT))


def _stays(values: NDArray[np.float64], middles: NDArray[np.float64], apart: float) -> bool:
    """Return whether levels are far apart, and a machine stays on each for a while.

    0 and 1 may as well say that something is wrong.
    """
    if len(middles) > MOST_UNNAMED or np.array_equal(middles, [0.0, 1.0]):
        return False
    nearest = np.abs(values[:, None] - middles).argmin(axis=1)
    changes = int(np.count_nonzero(np.diff(nearest)))
    return apart >= APART * float(np.abs(middles).max()) and len(values) >= STAY * (changes + 1)


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")
