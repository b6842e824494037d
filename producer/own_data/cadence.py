"""How often readings come, and how many of them in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.readers.gathering import AssetRows
from common.settings import InputSettings
from producer.own_data.findings import Cadence

ROUNDED_TO_S: Final = (1.0, 1e-3, 1e-6)
ROUNDING: Final = 0.01
"""A clock that drifts by less than this means the rounder number."""

NEAR: Final = 0.1
LONGER: Final = 1.5
BRIDGED: Final = InputSettings().bridge_cycles
"""Missing readings that the detector spans unless it is told otherwise
(``SURGELINE_DETECTOR__INPUT__BRIDGE_CYCLES``)."""

WORDS: Final = {0.001: "millisecond", 1.0: "second", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}


def find_cadence(clock_us: NDArray[np.int64], assets: Sequence[AssetRows]) -> Cadence | None:
    """Return how often readings come; none where time never goes on.

    Args:
        clock_us: Shape ``(n,)``, rising within each asset.
        assets: Where each asset's rows are.
    """
    steps = np.concatenate([np.diff(clock_us[each.rows]) for each in assets]) / 1e6
    forward = steps[steps > 0]
    if not forward.size:
        return None
    interval_s = nominal(float(np.median(forward)))
    return Cadence(
        interval_s,
        float(np.mean(np.abs(forward - interval_s) <= NEAR * interval_s)),
        int(np.count_nonzero(forward > LONGER * interval_s)),
        float(forward.max()),
        int(steps.size - forward.size),
    )


def nominal(seconds: float) -> float:
    """Return the whole seconds, milliseconds or microseconds that an interval is meant to be.

    Example:
        >>> nominal(59.98), nominal(0.0201), nominal(1.5)
        (60.0, 0.02, 1.5)
    """
    for unit in ROUNDED_TO_S:
        rounded = round(seconds / unit) * unit
        if rounded and abs(rounded - seconds) <= ROUNDING * seconds:
            return round(rounded, 6)
    return round(seconds, 6)


def word_for(interval_s: float) -> str:
    """Return what one reading may be called.

    Example:
        >>> word_for(60.0), word_for(900.0)
        ('minute', 'reading')
    """
    return WORDS.get(interval_s, "reading")


def usual_stretch(cycles: Sequence[NDArray[np.int64]]) -> int:
    """Return how many readings follow each other without a gap that the detector cannot span.

    Half of all readings are in stretches at least this long.

    Args:
        cycles: Of each asset, rising.
    """
    lengths = []
    for own in cycles:
        breaks = np.flatnonzero(np.diff(own) > BRIDGED + 1) + 1
        lengths.append(np.diff(np.concatenate(([0], breaks, [len(own)]))))
    sizes = np.sort(np.concatenate(lengths))
    return int(sizes[np.searchsorted(np.cumsum(sizes), sizes.sum() / 2)])


def usual_blank(values: NDArray[np.float64], assets: Sequence[AssetRows]) -> int:
    """Return for how many readings in a row a column is blank: 95 of 100 blanks are not longer.

    Args:
        values: Shape ``(n,)``, NaN where blank.
        assets: Where each asset's rows are.
    """
    lengths = []
    for each in assets:
        blank = np.isnan(values[each.rows]).astype(np.int8)
        edges = np.flatnonzero(np.diff(blank, prepend=0, append=0))
        lengths.append(edges[1::2] - edges[::2])
    found = np.concatenate(lengths)
    return int(np.percentile(found, 95)) if found.size else 0
