"""Smoothing as a stage of its own, after any score: an exponentially weighted mean.

One reading's score is a draw; what lasts is what counts. Nothing waits: each value is there at
once, and depends on those before it alone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def smoothed(
    scores: NDArray[np.float64], half_life: float, before: float | None = None
) -> NDArray[np.float64]:
    """Return the exponentially weighted mean of scores up to each.

    Args:
        scores: Shape ``(n,)``, finite, in order.
        half_life: After so many readings a score counts half as much; positive.
        before: The last value for the scores before these; none if these are the first.

    Returns:
        Shape ``(n,)``. The last value is the ``before`` of what comes next: cut a stream anywhere,
        and the values are the same.

    Raises:
        ValueError: If ``half_life`` is not positive.

    Example:
        >>> smoothed(np.array([0.0, 1.0, 1.0]), 1.0).tolist()
        [0.0, 0.5, 0.75]
    """
    if not half_life > 0.0:
        raise ValueError(f"half_life {half_life} came; a positive number was expected")
    weight = 1.0 - math.exp2(-1.0 / half_life)
    found = np.empty(len(scores))
    last = before
    for index, score in enumerate(scores.tolist()):
        last = score if last is None else last + weight * (score - last)
        found[index] = last
    return found
