"""From one asset's readings, in the order of the topic, to verdicts and windows.

The verdict of a reading depends on what came before it on the topic and on nothing else: not on
how the records were cut into batches, not on the number of partitions. Hence readings are taken in
offset order and never sorted: a reading that comes after a later cycle is ``late``, in whichever
batch it arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from common.records import Verdict
from detector.core.policy import InputPolicy
from detector.core.state import AssetState, Place, Rival

NO_RIVAL: Final = Rival()
UNKNOWN_REGIME_DETAIL: Final = "operating settings outside every regime of the training data"


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings of one partition, in the order of the topic.

    Attributes:
        offsets: Where they stood, shape ``(n,)``, int64, rising within an asset.
        cycles: Their cycles, shape ``(n,)``, int64.
        clock_us: Their times, UTC epoch microseconds, shape ``(n,)``, int64; a time far ahead of
            the broker's stamp is no time to compare with, and the stamp stands in for it.
        rows: Their values, normalised, shape ``(n, n_channels)``, float32.
        known: False where the operating regime is unknown, shape ``(n,)``.
    """

    offsets: NDArray[np.int64]
    cycles: NDArray[np.int64]
    clock_us: NDArray[np.int64]
    rows: NDArray[np.float32]
    known: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, part: slice | NDArray[np.int64]) -> Readings:
        return Readings(
            self.offsets[part],
            self.cycles[part],
            self.clock_us[part],
            self.rows[part],
            self.known[part],
        )


@dataclass(frozen=True, slots=True)
class Assembled:
    """What an asset's readings of one batch came to.

    Attributes:
        verdicts: One for each reading.
        details: One sentence for each reading, empty where the verdict says it all.
        opened: For each reading, where its run was opened by rule; none for the source's own run.
        windows: The full windows, one for each ``scored`` verdict, in order; shape
            ``(n, window_length, n_channels)``.
        state: The state after the last reading, its alarm and fence not yet moved on.
    """

    verdicts: Sequence[Verdict]
    details: Sequence[str]
    opened: Sequence[Place | None]
    windows: NDArray[np.float32]
    state: AssetState


def assemble(
    state: AssetState, readings: Readings, window_length: int, policy: InputPolicy
) -> Assembled:
    """Take readings of one (asset, run) into account.

    A counter that restarts, or that jumped far ahead once, makes everything after it repeat or come
    late. It does so for a while only: as soon as ``follow_after`` such readings in a row agree with
    each other, the last of them opens a new run.

    Args:
        state: What is remembered; its fence says in which partition the readings stood.
        readings: In the order of the topic.
        window_length: Rows in a window.
        policy: Which gaps a window may span, and when a new run is opened.
    """
    verdicts: list[Verdict] = []
    details: list[str] = []
    runs: list[Place | None] = []
    windows: list[NDArray[np.float32]] = []
    stretch = _Stretch(state.ring, window_length)
    last, seen_from, newest_us = state.last_cycle, state.seen_from, state.newest_us
    opened, rival = state.opened, state.rival
    bridge_cycles = policy.bridge_cycles
    known = readings.known
    for index, (cycle, clock_us) in enumerate(
        zip(readings.cycles.tolist(), readings.clock_us.tolist(), strict=True)
    ):
        notice = ""
        if cycle <= last:
            rival = rival.met(cycle, clock_us, newest_us, bridge_cycles + 1)
            if not 0 < policy.follow_after <= rival.count:
                repeated = cycle >= seen_from
                verdicts.append(Verdict.DUPLICATE if repeated else Verdict.LATE)
                details.append("" if repeated else f"came after cycle {last}")
                runs.append(opened)
                continue
            notice = _follows(rival.count, last)
            windows.append(stretch.cut())
            opened = Place(state.fence.partition, int(readings.offsets[index]))
            last = 0
        missing = cycle - last - 1 if last else 0
        refused = missing > bridge_cycles
        if refused:
            windows.append(stretch.cut())
        if missing or not last:
            seen_from = cycle
        last, newest_us, rival = cycle, clock_us, NO_RIVAL
        runs.append(opened)
        if not known[index]:
            windows.append(stretch.cut())
            verdicts.append(Verdict.UNKNOWN_REGIME)
            details.append(_joined(UNKNOWN_REGIME_DETAIL, notice))
            continue
        stretch.add(readings.rows[index])
        if refused:
            verdicts.append(Verdict.GAP)
            details.append(_gap(missing))
            continue
        warming_up = stretch.length < window_length
        verdicts.append(Verdict.WARMING_UP if warming_up else Verdict.SCORED)
        detail = f"{stretch.length} of {window_length} cycles" if warming_up else ""
        if missing or notice:
            detail = _joined(detail, f"{_gap(missing)}, bridged" if missing else "", notice)
        details.append(detail)
    ring = stretch.tail()
    windows.append(stretch.cut())
    after = replace(
        state,
        ring=ring,
        last_cycle=last,
        seen_from=seen_from,
        newest_us=newest_us,
        opened=opened,
        rival=rival,
    )
    return Assembled(verdicts, details, runs, np.concatenate(windows), after)


def _follows(count: int, last: int) -> str:
    return (
        f"a new run, opened by rule: {count} readings in a row repeat cycles of the run that had "
        f"come to cycle {last}, or go back behind it"
    )


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


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
