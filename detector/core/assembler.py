"""From one asset's readings, in the order of the topic, to verdicts and windows.

The verdict of a reading depends on what came before it on the topic and on nothing else: not on
how the records were cut into batches, not on the number of partitions. Hence readings are taken in
offset order and never sorted: a reading that comes after a later cycle is ``late``, in whichever
batch it arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from common.records import Verdict
from detector.core.state import AssetState


@dataclass(frozen=True, slots=True)
class Assembled:
    """What an asset's readings of one batch came to.

    Attributes:
        verdicts: One for each reading.
        details: One sentence for each reading, empty where the verdict says it all.
        windows: The full windows, one for each ``scored`` verdict, in order; shape
            ``(n, window_length, n_channels)``.
        state: The state after the last reading, its alarm and fence not yet moved on.
    """

    verdicts: Sequence[Verdict]
    details: Sequence[str]
    windows: NDArray[np.float32]
    state: AssetState


def assemble(
    state: AssetState,
    cycles: Sequence[int],
    rows: NDArray[np.float32],
    known: NDArray[np.bool_],
    window_length: int,
    bridge_cycles: int,
) -> Assembled:
    """Take readings of one (asset, run) into account.

    Args:
        state: What is remembered.
        cycles: Their cycles, in the order of the topic.
        rows: Their values, normalised, shape ``(n, n_channels)``, float32.
        known: False where the operating regime is unknown, shape ``(n,)``.
        window_length: Rows in a window.
        bridge_cycles: Longest gap a window may span, missing cycles.
    """
    verdicts: list[Verdict] = []
    details: list[str] = []
    windows: list[NDArray[np.float32]] = []
    stretch = _Stretch(state.ring, window_length)
    last, seen_from = state.last_cycle, state.seen_from
    for index, cycle in enumerate(cycles):
        if cycle <= last:
            repeated = cycle >= seen_from
            verdicts.append(Verdict.DUPLICATE if repeated else Verdict.LATE)
            details.append("" if repeated else f"came after cycle {last}")
            continue
        missing = cycle - last - 1 if last else 0
        refused = missing > bridge_cycles
        if refused:
            windows.append(stretch.cut())
        if missing or not last:
            seen_from = cycle
        last = cycle
        if not known[index]:
            windows.append(stretch.cut())
            verdicts.append(Verdict.UNKNOWN_REGIME)
            details.append("operating settings outside every regime of the training data")
            continue
        stretch.add(rows[index])
        if refused:
            verdicts.append(Verdict.GAP)
            details.append(_gap(missing))
            continue
        warming_up = stretch.length < window_length
        verdicts.append(Verdict.WARMING_UP if warming_up else Verdict.SCORED)
        detail = f"{stretch.length} of {window_length} cycles" if warming_up else ""
        if missing:
            detail = "; ".join(filter(None, [detail, f"{_gap(missing)}, bridged"]))
        details.append(detail)
    ring = stretch.tail()
    windows.append(stretch.cut())
    after = replace(state, ring=ring, last_cycle=last, seen_from=seen_from)
    return Assembled(verdicts, details, np.concatenate(windows), after)


def _gap(missing: int) -> str:
    return f"{missing} {'cycle' if missing == 1 else 'cycles'} missing before it"


class _Stretch:
    """Rows that belong together: those remembered, then those added, until a gap cuts it."""

    def __init__(self, ring: NDArray[np.float32], window_length: int) -> None:
        self._ring = ring
        self._added: list[NDArray[np.float32]] = []
        self._window_length = window_length

    @property
    def length(self) -> int:
        """Rows in the stretch."""
        return len(self._ring) + len(self._added)

    def add(self, row: NDArray[np.float32]) -> None:
        """Append the next cycle's row."""
        self._added.append(row)

    def tail(self) -> NDArray[np.float32]:
        """Return the last ``window_length`` rows, or all there are."""
        return self._all()[-self._window_length :]

    def cut(self) -> NDArray[np.float32]:
        """Return the windows that end at an added row, and start anew with nothing.

        A stretch of n rows of which m were added holds
        ``min(m, max(0, n - window_length + 1))`` of them.
        """
        rows = self._all()
        n_channels = rows.shape[1]
        count = min(len(self._added), max(0, len(rows) - self._window_length + 1))
        self._ring = np.empty((0, n_channels), np.float32)
        self._added = []
        if not count:
            return np.empty((0, self._window_length, n_channels), np.float32)
        needed = rows[-(count + self._window_length - 1) :]
        return sliding_window_view(needed, self._window_length, axis=0).transpose(0, 2, 1)

    def _all(self) -> NDArray[np.float32]:
        if not self._added:
            return self._ring
        return np.concatenate([self._ring, np.stack(self._added)])
