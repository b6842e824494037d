"""A score at once and a score for good: what later windows say of a reading is counted in.

A window's score is of its last reading, and there at once: it is *provisional*. Each of the next
``window_length - 1`` windows holds that reading too. The mean of all windows that do is *final*: a
burst that one window alone finds odd is evened out, and the middle of an anomaly is known by what
came before and after. It costs that many readings of patience, and is never rewritten.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def final_after(window_length: int) -> int:
    """Return how many readings later a score is final.

    Example:
        >>> final_after(100)
        99
    """
    return window_length - 1


def covering_means(
    scores: NDArray[np.float64],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    rows: int,
) -> NDArray[np.float64]:
    """Return the final score of each row: the mean over the windows that cover it.

    Args:
        scores: Shape ``(m,)``; of each window.
        begins: Shape ``(m,)``; the row each begins at.
        ends: Shape ``(m,)``; the row each ends at, ascending.
        rows: How many rows there are.

    Returns:
        Shape ``(rows,)``; NaN where no window is. Rows at either end have fewer windows.

    Example:
        >>> first, last = np.array([0, 1]), np.array([1, 2])
        >>> covering_means(np.array([1.0, 3.0]), first, last, 4).tolist()
        [1.0, 2.0, 3.0, nan]
    """
    sums, counts = np.zeros(rows), np.zeros(rows)
    longest = int((ends - begins).max(initial=-1)) + 1
    # the oldest window of a row first, as they arrive: a live sum rounds alike
    for back in reversed(range(longest)):
        at = ends - back
        inside = at >= begins
        sums[at[inside]] += scores[inside]
        counts[at[inside]] += 1.0
    return np.where(counts > 0.0, sums / np.maximum(counts, 1.0), np.nan)


def provisional(
    scores: NDArray[np.float64], ends: NDArray[np.int64], rows: int
) -> NDArray[np.float64]:
    """Return each window's score at the row it ends at, shape ``(rows,)``; elsewhere NaN."""
    found = np.full(rows, np.nan)
    found[ends] = scores
    return found
