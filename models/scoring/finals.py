"""A score at once and a score for good: what later windows say of a reading is counted in.

A window's score is of its last reading, and there at once: it is *provisional*. Each of the next
``window_length - 1`` windows holds that reading too. The mean of all windows that do is *final*: a
burst that one window alone finds odd is evened out, and the middle of an anomaly is known by what
came before and after. It costs that many readings of patience, and is never rewritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

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


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """Remembered rows of a run, oldest first, and what their windows came to so far.

    Attributes:
        sums: Shape ``(n,)``, float64; of the scores of the windows that cover each.
        counts: Shape ``(n,)``, uint16; how many windows do.
        closed: How many at the front are final already, or never will be.
    """

    sums: NDArray[np.float64]
    counts: NDArray[np.uint16]
    closed: int


NOTHING_PENDING: Final = Pending(np.empty(0), np.empty(0, np.uint16), 0)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """Rows whose score became final.

    Attributes:
        rows: Shape ``(m,)``; which, ascending.
        scores: Shape ``(m,)``; NaN where no window covers the row, so that it never has one.
        pending: All rows, those that came included.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    pending: Pending


def settle(
    before: Pending,
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    scores: NDArray[np.float64],
    window_length: int,
) -> Settled:
    """Take in the next rows of a run, and say whose scores are final with them.

    A row is final once a whole window has begun at it, or once what comes no longer belongs
    together with it. Cut a run anywhere, and the scores are the same to the bit, which are those of
    :func:`covering_means`.

    Args:
        before: What is remembered.
        begins: Shape ``(k,)``; for each row that came the first that belongs together with it, as
            numbers that count from the oldest remembered row; its own number plus 1 for a row that
            belongs to no window. Not falling.
        ends: Shape ``(w,)``; the row each window ends at, ascending.
        scores: Shape ``(w,)``; of each window.
        window_length: Rows in a window.
    """
    sums = np.concatenate([before.sums, np.zeros(len(begins))])
    counts = np.concatenate([before.counts, np.zeros(len(begins), np.uint16)])
    for end, score in zip(ends.tolist(), scores.tolist(), strict=True):
        covered = slice(end - window_length + 1, end + 1)
        sums[covered] += score
        counts[covered] += 1
    closed = before.closed
    if len(begins):
        last = len(sums) - 1
        closed = max(closed, int(begins[-1]), last - window_length + 2)
    rows = np.arange(before.closed, closed)
    found = np.full(len(rows), np.nan)
    np.divide(sums[rows], counts[rows], out=found, where=counts[rows] > 0)
    return Settled(rows, found, Pending(sums, counts, closed))


def settled_rows(
    begins: NDArray[np.int64], ends: NDArray[np.int64], rows: int
) -> NDArray[np.bool_]:
    """Return of which rows of a record the score is final, as far as it goes; shape ``(rows,)``.

    Nothing more is known of a row once a window begins at it, or once a later row came that none of
    its windows holds. The last rows of a record that may go on are not final.

    Args:
        begins: Shape ``(m,)``; the row each window begins at, ascending.
        ends: Shape ``(m,)``; the row each ends at.
        rows: How many rows there are.

    Example:
        >>> settled_rows(np.array([0, 1]), np.array([1, 2]), 3).tolist()
        [True, True, False]
    """
    numbers = np.arange(rows)
    latest = np.searchsorted(begins, numbers, side="right") - 1
    if not len(begins):
        return np.zeros(rows, np.bool_)
    covered = (latest >= 0) & (ends[latest] >= numbers)
    found: NDArray[np.bool_] = covered & ((begins[latest] == numbers) | (ends[latest] < rows - 1))
    return found
