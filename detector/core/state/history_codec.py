"""What is remembered of a run for remaining life, as bytes within an asset's state."""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from models.scoring.history import SUMS, LifeHistory

HISTORY: Final = struct.Struct("<q?H")
"""Readings taken in, whether the run is whole, channels; the sums follow, as float64."""

SUM_BYTES: Final = 8


def pack_history(history: LifeHistory) -> bytes:
    """Return a history as bytes: 11, and 24 a channel."""
    head = HISTORY.pack(history.count, history.whole, history.sums.shape[1])
    return head + history.sums.astype("<f8", copy=False).tobytes()


def unpack_history(value: bytes, at: int) -> tuple[LifeHistory, int]:
    """Return the history that begins at a byte of a value, and where it ends.

    Raises:
        ValueError: If it holds what no run has.
        struct.error: If it is cut off.
    """
    count, whole, channels = HISTORY.unpack_from(value, at)
    begin = at + HISTORY.size
    end = begin + SUMS * channels * SUM_BYTES
    if end > len(value):
        raise struct.error
    sums = np.frombuffer(value[begin:end], "<f8").reshape(SUMS, channels)
    if count < 0 or not np.isfinite(sums).all():
        raise ValueError("asset state with a history that no run has")
    return LifeHistory(count, whole, sums), end
