"""Runs as they look to whoever joins them late: their windows again, with less to remember."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.history import LATEST_START, NO_HISTORY, Trail, follow, no_trail
from models.scoring.windows import WindowSet

JOINS: Final = 1
"""Times each run is joined; twice bettered nothing on fit and validation engines."""


@dataclass(frozen=True, slots=True)
class Late:
    """Windows of runs that were joined late.

    Attributes:
        places: Shape ``(m,)``; which windows of the set they are.
        trail: Shape ``(m, trail_width)``; what is remembered since the run was joined.
    """

    places: NDArray[np.int64]
    trail: Trail


def join_late(windows: WindowSet, times: int, seed: int) -> Late:
    """Join each run some times, each time at a window drawn at random.

    Args:
        windows: Each asset's in the order of time.
        times: How often each run is joined.
        seed: Of the windows drawn.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(times):
        for first, end in _runs(windows.units):
            earliest = first + LATEST_START + 1
            parts.append((int(rng.integers(earliest, end)) if earliest < end else end, end))
    return _joined(windows, parts)


def join_after(windows: WindowSet, missed: int) -> Late:
    """Join each run after its first ``missed`` windows; of runs that are shorter nothing is left.

    Args:
        windows: Each asset's in the order of time.
        missed: At least 1.
    """
    parts = [(min(first + missed, end), end) for first, end in _runs(windows.units)]
    return _joined(windows, parts)


def _joined(windows: WindowSet, parts: list[tuple[int, int]]) -> Late:
    places, trails = [np.empty(0, np.int64)], [no_trail(windows.windows.shape[2])]
    late = windows.windows.shape[1] + LATEST_START + 1
    for begin, end in parts:
        # whoever joins a run does not know its age, however early that is
        cycles = np.maximum(windows.cycles[begin:end], late)
        trails.append(follow(NO_HISTORY, windows.windows[begin:end], cycles)[0])
        places.append(np.arange(begin, end))
    return Late(np.concatenate(places), np.concatenate(trails))


def _runs(units: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return where each run's windows begin and end."""
    begins = np.flatnonzero(np.diff(units, prepend=-1)).tolist()
    return list(zip(begins, [*begins[1:], len(units)], strict=True))
