"""Sensors that do not move: a stuck one repeats its last value for ever."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.scoring.windows import sliding_windows

NAMED = 3
"""How many channels a sentence names."""


def stuck_channels(
    rows: NDArray[np.float32], ends: NDArray[np.int64], window_length: int
) -> NDArray[np.bool_]:
    """Return which channels hold one and the same value throughout each window.

    Exactly the same, to the last bit: a working sensor's noise never lets that happen for a whole
    window (in NASA's files the longest such stretch of a used channel is 11 cycles).

    Args:
        rows: As measured, shape ``(m, n_channels)``.
        ends: At which row each window ends, shape ``(n,)``.
        window_length: Rows in a window.

    Returns:
        Shape ``(n, n_channels)``; all false for windows of a single row.
    """
    if window_length < 2 or not len(ends):
        return np.zeros((len(ends), rows.shape[1]), np.bool_)
    # nearly every channel differs between its first and last row: look closer only at the rest
    stuck = np.asarray(rows[ends - (window_length - 1)] == rows[ends])
    suspects = np.flatnonzero(stuck.any(axis=1))
    windows = sliding_windows(rows, window_length)[ends[suspects] - (window_length - 1)]
    stuck[suspects] &= (windows == windows[:, :1]).all(axis=1)
    return stuck


def stuck_sentence(names: Sequence[str], window_length: int) -> str:
    """Return what to tell a person of stuck channels; empty when there are none.

    Example:
        >>> stuck_sentence(["T24", "W31"], 30)
        'T24 and W31 have not moved for 30 readings: stuck?'
    """
    if not names:
        return ""
    shown = list(names[:NAMED])
    if len(names) > NAMED:
        shown.append(f"{len(names) - NAMED} more")
    listed = " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    verb = "has" if len(names) == 1 else "have"
    return f"{listed} {verb} not moved for {window_length} readings: stuck?"
