"""What of a run's scores is not final yet, and how far its threshold has followed, as bytes."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.scoring.finals import NOTHING_PENDING, Pending
from models.thresholding.trailing import UNTRAILED, Trailed

HEAD: Final = struct.Struct("<HHIqdd")
"""Rows, rows of these that are closed, remembered scores, readings seen, the threshold, the
smoothed score (NaN for none). The sums follow (float64), the counts (uint16), and the remembered
scores (float32)."""


@dataclass(frozen=True, slots=True, eq=False)
class RunFinals:
    """Of a run whose scores become final later.

    Attributes:
        pending: The rows of its ring, and what their windows came to so far.
        trailed: How far its threshold has followed.
        smoothed: The last smoothed score; none before the first, or where none is smoothed.
    """

    pending: Pending = NOTHING_PENDING
    trailed: Trailed = UNTRAILED
    smoothed: float | None = None


def pack_finals(finals: RunFinals) -> bytes:
    """Return it as bytes: 32, 10 a row of the ring, and 4 for each remembered score."""
    pending, trailed = finals.pending, finals.trailed
    head = HEAD.pack(
        len(pending.sums),
        pending.closed,
        len(trailed.recent),
        trailed.seen,
        trailed.value,
        math.nan if finals.smoothed is None else finals.smoothed,
    )
    return (
        head
        + pending.sums.astype("<f8", copy=False).tobytes()
        + pending.counts.astype("<u2", copy=False).tobytes()
        + trailed.recent.astype("<f4", copy=False).tobytes()
    )


def unpack_finals(value: bytes, at: int) -> tuple[RunFinals, int]:
    """Return what begins at a byte of a value, and where it ends.

    Raises:
        ValueError: If it holds what no run has.
        struct.error: If it is cut off.
    """
    rows, closed, remembered, seen, threshold, smoothed = HEAD.unpack_from(value, at)
    sums_at = at + HEAD.size
    counts_at = sums_at + 8 * rows
    recent_at = counts_at + 2 * rows
    end = recent_at + 4 * remembered
    if end > len(value):
        raise struct.error
    sums = np.frombuffer(value, "<f8", rows, sums_at)
    if closed > rows or seen < 0 or math.isnan(threshold) or not np.isfinite(sums).all():
        raise ValueError("asset state with pending scores that no run has")
    found = RunFinals(
        Pending(sums, np.frombuffer(value, "<u2", rows, counts_at), closed),
        Trailed(np.frombuffer(value, "<f4", remembered, recent_at), seen, threshold),
        None if math.isnan(smoothed) else smoothed,
    )
    return found, end
