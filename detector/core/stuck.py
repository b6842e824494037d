"""Sensors that do not move: a stuck one repeats its last value for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.scorer import ScorerSpec

NAMED: Final = 3
"""How many channels a sentence names."""


def stuck_channels(unmoved: NDArray[np.int64], spec: ScorerSpec) -> NDArray[np.bool_]:
    """Return which channels have not moved for longer than they ever do when healthy.

    Of a model that does not know how long that is, those that have not moved for a whole window: a
    working sensor's noise never lets that happen (in NASA's files the longest such stretch of a
    used channel is 11 cycles).

    Args:
        unmoved: Shape ``(n, n_channels)``; what ``unmoved_runs`` returned.
        spec: The scorer's.

    Returns:
        Shape ``(n, n_channels)``; all false for windows of a single row.
    """
    if spec.window_length < 2:
        return np.zeros(unmoved.shape, np.bool_)
    after = np.array(spec.frozen_after or [spec.window_length] * len(spec.channels), np.int64)
    return (unmoved >= after) & (after > 0)


def stuck_sentence(names: Sequence[str], readings: int) -> str:
    """Return what to tell a person of stuck channels; empty when there are none.

    Args:
        names: Theirs.
        readings: For how many readings none of them has moved.

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
    return f"{listed} {verb} not moved for {readings} readings: stuck?"
