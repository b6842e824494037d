"""Rows of one asset to windows of consecutive rows. Views where possible, never a filled gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.history import Trail


def sliding_windows(rows: NDArray[np.float32], window_length: int) -> NDArray[np.float32]:
    """Return every window of consecutive rows, without copying.

    Args:
        rows: Shape ``(n, n_channels)``, oldest first.
        window_length: Rows in a window, at least 1.

    Returns:
        Read-only view of shape ``(max(0, n - window_length + 1), window_length, n_channels)``;
        window ``i`` ends at row ``i + window_length - 1``.

    Raises:
        ValueError: If ``rows`` is not two-dimensional or ``window_length`` is less than 1.

    Example:
        >>> sliding_windows(np.arange(4, dtype=np.float32).reshape(4, 1), 3)[:, :, 0].tolist()
        [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0]]
    """
    if rows.ndim != 2:
        raise ValueError(f"rows of shape {rows.shape} came; (n, n_channels) was expected")
    if window_length < 1:
        raise ValueError(f"window_length {window_length} came; at least 1 was expected")
    if len(rows) < window_length:
        return np.empty((0, window_length, rows.shape[1]), dtype=rows.dtype)
    # what sliding_window_view makes in three times the time: many batches are a few windows
    shape = (len(rows) - window_length + 1, window_length, rows.shape[1])
    by_row, by_channel = rows.strides
    strides = (by_row, by_row, by_channel)
    return np.lib.stride_tricks.as_strided(rows, shape, strides, writeable=False)


def complete_window_ends(known: NDArray[np.bool_], window_length: int) -> NDArray[np.int64]:
    """Return the rows at which a window of known rows alone ends, ascending.

    Args:
        known: Shape ``(n,)``; false for a row that must not enter a window.
        window_length: Rows in a window, at least 1.

    Example:
        >>> complete_window_ends(np.array([True, True, False, True, True]), 2).tolist()
        [1, 4]
    """
    counts = np.concatenate(([0], np.cumsum(known, dtype=np.int64)))
    full = counts[window_length:] - counts[: max(0, len(counts) - window_length)] == window_length
    return np.flatnonzero(full).astype(np.int64) + window_length - 1


LIFE_UNKNOWN: Final = -1
"""Stands for the life left of a window of which nobody knows it."""


@dataclass(frozen=True, slots=True)
class WindowSet:
    """Windows of several assets with what is known of each.

    Attributes:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        units: Shape ``(n,)``; asset number, from 1 in the order of the recording.
        cycles: Shape ``(n,)``; cycle at the window's end.
        life_left: Shape ``(n,)``; steps until the asset failed, at the window's end;
            :data:`LIFE_UNKNOWN` where it did not, or nobody knows.
        healthy: Shape ``(n,)``; whether it is known to be of a sound machine throughout.
        faulty: Shape ``(n,)``; whether its end is known to be of a failing one.
        unmoved: Shape ``(n, n_channels)``; readings in a row for which each channel held one value;
            none where nobody counted.
        trail: What was remembered of its run at each window (``history.py``); none where nobody
            followed it.
    """

    windows: NDArray[np.float32]
    units: NDArray[np.int64]
    cycles: NDArray[np.int64]
    life_left: NDArray[np.int64]
    healthy: NDArray[np.bool_]
    faulty: NDArray[np.bool_]
    unmoved: NDArray[np.int64] | None = None
    trail: Trail | None = None

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.windows)

    def followed_by(self, other: WindowSet) -> WindowSet:
        """Return both as one."""
        unmoved = None
        if self.unmoved is not None and other.unmoved is not None:
            unmoved = np.concatenate([self.unmoved, other.unmoved])
        trail = None
        if self.trail is not None and other.trail is not None:
            trail = np.concatenate([self.trail, other.trail])
        return WindowSet(
            np.concatenate([self.windows, other.windows]),
            np.concatenate([self.units, other.units]),
            np.concatenate([self.cycles, other.cycles]),
            np.concatenate([self.life_left, other.life_left]),
            np.concatenate([self.healthy, other.healthy]),
            np.concatenate([self.faulty, other.faulty]),
            unmoved,
            trail,
        )

    def where(self, mask: NDArray[np.bool_]) -> WindowSet:
        """Return the windows at which ``mask``, shape ``(n,)``, is true."""
        return WindowSet(
            self.windows[mask],
            self.units[mask],
            self.cycles[mask],
            self.life_left[mask],
            self.healthy[mask],
            self.faulty[mask],
            None if self.unmoved is None else self.unmoved[mask],
            None if self.trail is None else self.trail[mask],
        )
