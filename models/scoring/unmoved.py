"""Sensors that do not move: a frozen one repeats its last value for ever.

Counted on values as measured, so it works across operating regimes: a sound sensor reads another
value in another regime, and never one and the same to the last bit for long.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIN_FROZEN: Final = 20
"""Readings: no channel counts as frozen earlier, however lively it was when healthy."""

FROZEN_RUNS: Final = 2
"""A channel counts as frozen after this many times the longest run seen when healthy."""


def unmoved_runs(
    rows: NDArray[np.float32], ends: NDArray[np.int64], window_length: int
) -> NDArray[np.int64]:
    """Return for how many readings in a row each channel has held one and the same value.

    The same to the last bit. A value that is not a number differs from everything.

    Args:
        rows: As measured, shape ``(m, n_channels)``, oldest first; of one asset, or of several if
            at least ``window_length`` rows of its own asset end at each of ``ends``.
        ends: Up to and including which row to count, shape ``(n,)``, each in ``[0, m)``.
        window_length: Counts stop here; at least 1.

    Returns:
        Shape ``(n, n_channels)``, from 1, where a channel moved just now, to
        ``min(window_length, end + 1)``.

    Example:
        >>> rows = np.array([[5], [7], [7], [7]], np.float32)
        >>> unmoved_runs(rows, np.array([0, 1, 3]), 30).ravel().tolist()
        [1, 1, 3]
    """
    runs = np.ones((len(ends), rows.shape[1]), np.int64)
    # nearly every channel moved between the last two rows: look closer only at the rest
    still = np.asarray(rows[ends] == rows[ends - 1])
    which, channels = np.nonzero(still)
    for back in range(1, window_length):
        inside = ends[which] >= back
        which, channels = which[inside], channels[inside]
        at = ends[which]
        same = rows[at - back, channels] == rows[at, channels]
        which, channels = which[same], channels[same]
        if not len(which):
            break
        runs[which, channels] += 1
    return runs


def frozen_after(
    rows_by_asset: Iterable[NDArray[np.float32]], window_length: int
) -> NDArray[np.int64]:
    """Return after how many unmoved readings each channel counts as frozen.

    At least :data:`MIN_FROZEN`, and at least twice the longest run of a sound machine.

    Args:
        rows_by_asset: Readings of sound machines as measured, ``(m, n_channels)`` each, consecutive
            within one.
        window_length: Readings the detector remembers.

    Returns:
        Shape ``(n_channels,)``; 0 for a channel that stands still so long when sound that a window
        cannot tell.

    Raises:
        ValueError: If no asset came.

    Example:
        >>> lively, still = np.arange(40), np.zeros(40)
        >>> frozen_after([np.stack([lively, still], axis=1).astype(np.float32)], 30).tolist()
        [20, 0]
    """
    longest = [
        unmoved_runs(rows, np.arange(len(rows)), window_length).max(axis=0, initial=1)
        for rows in rows_by_asset
    ]
    if not longest:
        raise ValueError("no asset came; readings of at least one sound machine were expected")
    needed = np.maximum(MIN_FROZEN, FROZEN_RUNS * np.max(longest, axis=0))
    return np.where(needed <= window_length, needed, 0)
