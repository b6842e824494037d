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

DEVIATION_NAMES: Final = ("sd", "scale", "usual_spread")
"""What a score divides by is called so, or ends so: ``level_sd``, ``usual_spread``."""

SMALLEST_DEVIATION: Final = 1e-9
"""No fit gives a smaller one: it takes 1 instead. Far smaller ones would make scores infinite."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """What a score says of each window, before shares.

    Attributes:
        totals: Shape ``(n,)``; the score.
        channels: Shape ``(n, n_channels)``; non-negative; what each channel contributed.
        signs: Shape ``(n, n_channels)``; +1 where a channel reads above what was expected, -1
            below its healthy level; none for a score that does not measure it.
        against: The same against what the model expected of the window; none likewise.
    """

    totals: NDArray[np.float64]
    channels: NDArray[np.float64]
    signs: NDArray[np.int8] | None = None
    against: NDArray[np.int8] | None = None


def residuals_of(
    windows: NDArray[np.float32], expected: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return ``windows - expected`` in float64, laid out row by row.

    The layout decides in which order sums are taken, so a view and its copy score the same.
    """
    return np.subtract(windows, expected, dtype=np.float64, order="C")


def check_deviations(params: ScoreParams) -> None:
    """Refuse numbers to divide by that are zero, negative, not finite or too small for any fit.

    Args:
        params: What a score learned; only :data:`DEVIATION_NAMES` are looked at.

    Raises:
        ValueError: Naming the first that is wrong.

    Example:
        >>> check_deviations({"level_mean": np.zeros(1), "level_sd": np.ones(1)})
    """
    for name, values in params.items():
        if not name.endswith(DEVIATION_NAMES):
            continue
        wrong = values[~(np.isfinite(values) & (values >= SMALLEST_DEVIATION))]
        if len(wrong):
            raise ValueError(
                f"score param {name!r} holds {wrong.flat[0]:g}; deviations of at least "
                f"{SMALLEST_DEVIATION:g} were expected"
            )
