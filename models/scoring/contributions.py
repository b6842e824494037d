"""What every score function takes and gives; the scores themselves are in ``scores.py``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

ScoreParams = Mapping[str, NDArray[Any]]
"""What a score learned of healthy windows, by name."""

RECENT_ROWS: Final = 5
"""Rows at a window's end that say where a channel is now: enough to average noise, few enough to
be now. Directions and the trend scores' levels use them."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """What a score says of each window, before shares.

    Attributes:
        totals: Shape ``(n,)``; the score.
        channels: Shape ``(n, n_channels)``; non-negative; what each channel contributed.
        signs: Shape ``(n, n_channels)``; +1 where a channel reads above what was expected, -1
            below; none for a score that expects what it was given to expect.
    """

    totals: NDArray[np.float64]
    channels: NDArray[np.float64]
    signs: NDArray[np.int8] | None = None


def residuals_of(
    windows: NDArray[np.float32], expected: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return ``windows - expected`` in float64, laid out row by row.

    The layout decides in which order sums are taken, so a view and its copy score the same.
    """
    return np.subtract(windows, expected, dtype=np.float64, order="C")
