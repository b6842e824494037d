"""Many assets at once: those that go on as they should, which is nearly all of them, by array.

An asset is *steady* in a batch when each of its readings is the next cycle of the run, with every
value measured, in a known regime. Of such assets the verdicts, the windows and what is remembered
follow from counting alone. All others are taken one by one (``assembler.py``), which is the
definition; ``test_steady.py`` holds both against each other, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from common.machines.rows import split_rows
from common.records.verdicts import Verdict
from common.ring import NOTHING_HELD, STAMP_BYTES, Marks, packed_stamps
from detector.core.assembler import NO_RIVAL, Assembled, Course, Readings, assemble, lay_out
from detector.core.fleet import Fleet
from detector.core.state.asset import AssetState
from models.scoring.history import LifeHistory, Trail, follow_on, trail_width
from models.scoring.scorer import NormalisedRows, ScorerSpec
from models.scoring.windows import sliding_windows

ROWS_AT_ONCE: Final = 4096
"""Rows put on a model's scale together: what comes about on the way stays in the cache."""

WARMING_UP: Final = Verdict.WARMING_UP
SCORED: Final = Verdict.SCORED
"""Named once: asking an enumeration for a member takes longer than all else done for a reading."""


@dataclass(frozen=True, slots=True)
class ReadingBatch:
    """Readings of several assets, asset by asset.

    Attributes:
        counts: How many of each asset, shape ``(n_assets,)``, each at least 1.
        readings: All of them.
    """

    counts: NDArray[np.int64]
    readings: Readings

    @property
    def firsts(self) -> NDArray[np.int64]:
        """The first reading of each asset, shape ``(n_assets,)``."""
        return np.cumsum(self.counts) - self.counts

    def of(self, asset: int) -> Readings:
        """Return the readings of one asset."""
        begin = int(self.counts[:asset].sum())
        return self.readings[begin : begin + int(self.counts[asset])]

    @classmethod
    def joined(cls, parts: Iterable[Readings]) -> Self:
        """Return the readings of some assets as one batch; at least one asset's."""
        each = list(parts)
        return cls(
            np.array(list(map(len, each)), np.int64),
            Readings(
                np.concatenate([part.offsets for part in each]),
                np.concatenate([part.stamps for part in each]),
                np.concatenate([part.clock_us for part in each]),
                np.concatenate([part.rows for part in each]),
            ),
        )


@dataclass(frozen=True, slots=True)
class AssembledBatch:
    """What the readings of several assets came to.

    Attributes:
        assets: One for each asset; their windows and rows are parts of those below.
        windows: All windows to score, asset by asset, shape ``(n, window_length, n_channels)``.
        trail: What was remembered of its run at each window, shape ``(n, ...)``.
        rows: The rows of all assets as measured or held, shape ``(m, width)``.
        ends: At which of them each window ends, shape ``(n,)``.
        steady: Which assets went on as they should, shape ``(n_assets,)``.
    """

    assets: Sequence[Assembled]
    windows: NDArray[np.float32]
    trail: Trail
    rows: NDArray[np.float32]
    ends: NDArray[np.int64]
    steady: NDArray[np.bool_]


def assemble_batch(
    starts: Sequence[AssetState], batch: ReadingBatch, fleet: Fleet
) -> AssembledBatch:
    """Give each reading its verdict, cut the windows and follow the runs.

    Args:
        starts: What is remembered of each asset, as the model takes it over.
        batch: The readings of each, in the order of the topic.
        fleet: Its model, which gaps a window may span, and when a new run is opened.
    """
    spec, length = fleet.spec, fleet.spec.window_length
    if not starts:
        return _nothing(spec)
    steady = _goes_on(starts, batch, spec)
    courses = {asset: _course(asset, starts, batch, fleet) for asset in _where(~steady)}
    table = _table(starts, batch, courses, fleet)
    for asset in table.with_unknown_rows():
        if steady[asset]:
            courses[asset] = _course(asset, starts, batch, fleet)
            steady[asset] = False
    apart = {
        asset: assemble(course, table.normalised_of(asset), length, follows=spec.knows_life)
        for asset, course in courses.items()
    }
    windows = _windows(batch, table, steady, apart, length)
    trail, histories = np.empty((len(windows.ends), 0)), [start.history for start in starts]
    if spec.knows_life:
        trail = _followed(histories, batch, table, windows, apart)
    values = table.windows_at(windows.ends, length)
    found = apart | dict(_each(starts, batch, table, windows, histories, (values, trail)))
    in_order = [found[asset] for asset in range(len(starts))]
    return AssembledBatch(in_order, values, trail, table.rows, windows.ends, steady)


def _nothing(spec: ScorerSpec) -> AssembledBatch:
    channels = len(spec.channels)
    return AssembledBatch(
        [],
        np.empty((0, spec.window_length, channels), np.float32),
        np.empty((0, trail_width(channels) if spec.knows_life else 0)),
        np.empty((0, spec.machine.row_width), np.float32),
        np.empty(0, np.int64),
        np.empty(0, np.bool_),
    )


def _where(mask: NDArray[np.bool_]) -> list[int]:
    found: list[int] = np.flatnonzero(mask).tolist()
    return found


def _goes_on(
    starts: Sequence[AssetState], batch: ReadingBatch, spec: ScorerSpec
) -> NDArray[np.bool_]:
    """Return which assets are steady, as far as the model's scale is not asked."""
    readings, firsts = batch.readings, batch.firsts
    last = np.array([start.last_cycle for start in starts], np.int64)
    before = np.empty_like(readings.cycles)
    before[1:] = readings.cycles[:-1]
    before[firsts] = last
    is_next = readings.cycles == before + 1
    is_next &= ~np.isnan(readings.rows).any(axis=1)
    steady: NDArray[np.bool_] = np.logical_and.reduceat(is_next, firsts) & (last > 0)
    steady &= ~np.array([start.marks.held.size > 0 for start in starts])
    if spec.knows_life:  # a run's first window is taken in as a whole
        sizes = np.array([len(start.ring) for start in starts], np.int64) + batch.counts
        begun = np.array([start.history.count > 0 for start in starts])
        steady &= begun | (sizes < spec.window_length)
    return steady


def _course(asset: int, starts: Sequence[AssetState], batch: ReadingBatch, fleet: Fleet) -> Course:
    return lay_out(starts[asset], batch.of(asset), fleet.spec.machine, fleet.inputs)


@dataclass(frozen=True, slots=True)
class _Table:
    """All rows of a batch, asset by asset: what is remembered, then the readings.

    Attributes:
        rows: As measured or held, shape ``(m, width)``.
        normalised: The same on the model's scale.
        sizes: How many rows each asset has, shape ``(n_assets,)``.
        bases: At which row each asset begins.
    """

    rows: NDArray[np.float32]
    normalised: NormalisedRows
    sizes: NDArray[np.int64]
    bases: NDArray[np.int64]

    def with_unknown_rows(self) -> list[int]:
        """Return the assets with a row near no regime."""
        unknown = np.flatnonzero(~self.normalised.known)
        found = np.searchsorted(self.bases, unknown, side="right") - 1
        return sorted(set(found.tolist()))

    def normalised_of(self, asset: int) -> NormalisedRows:
        """Return one asset's rows on the model's scale."""
        base = int(self.bases[asset])
        return self.normalised[base : base + int(self.sizes[asset])]

    def windows_at(self, ends: NDArray[np.int64], length: int) -> NDArray[np.float32]:
        """Return the windows that end at some rows."""
        windows = sliding_windows(self.normalised.rows, length)
        return windows[ends - (length - 1)] if len(ends) else windows[:0]


def _table(
    starts: Sequence[AssetState],
    batch: ReadingBatch,
    courses: Mapping[int, Course],
    fleet: Fleet,
) -> _Table:
    parts: list[NDArray[np.float32]] = []
    sizes: list[int] = []
    fresh, end = batch.readings.rows, 0
    for asset, count in enumerate(batch.counts.tolist()):
        begin, end = end, end + count
        if asset in courses:
            parts.append(courses[asset].rows)
            sizes.append(len(courses[asset].rows))
        else:
            ring = starts[asset].ring
            parts += (ring, fresh[begin:end])
            sizes.append(len(ring) + count)
    rows = np.concatenate(parts)
    each = np.array(sizes, np.int64)
    return _Table(rows, _normalised(rows, fleet), each, np.cumsum(each) - each)


def _normalised(rows: NDArray[np.float32], fleet: Fleet) -> NormalisedRows:
    """Put rows on the model's scale, some at a time: on the way each number takes twice as much."""
    n_conditions = len(fleet.spec.machine.conditions)
    parts = [
        fleet.scorer.normalise(*split_rows(rows[first : first + ROWS_AT_ONCE], n_conditions))
        for first in range(0, max(len(rows), 1), ROWS_AT_ONCE)
    ]
    if len(parts) == 1:
        return parts[0]
    return NormalisedRows(
        np.concatenate([part.rows for part in parts]),
        np.concatenate([part.known for part in parts]),
        next((part.why_not for part in parts if part.why_not), ""),
    )


@dataclass(frozen=True, slots=True)
class _Windows:
    """Where the windows of a batch are, asset by asset.

    Attributes:
        steady: Which assets are, shape ``(n_assets,)``.
        counts: How many windows each asset has, likewise.
        firsts: Which is the first of each, likewise.
        ends: At which row of the table each window ends, shape ``(n,)``.
    """

    steady: NDArray[np.bool_]
    counts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    ends: NDArray[np.int64]


def _windows(
    batch: ReadingBatch,
    table: _Table,
    steady: NDArray[np.bool_],
    apart: Mapping[int, Assembled],
    length: int,
) -> _Windows:
    # a steady asset has a window at each of its readings, as soon as there are rows enough
    counts = np.clip(table.sizes - (length - 1), 0, batch.counts)
    for asset, found in apart.items():
        counts[asset] = len(found.ends)
    ends = _last(table.bases + table.sizes, counts)
    firsts = np.cumsum(counts) - counts
    for asset, found in apart.items():
        first = int(firsts[asset])
        ends[first : first + len(found.ends)] = found.ends + table.bases[asset]
    return _Windows(steady, counts, firsts, ends)


def _last(ends: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the last few of each asset, given where each asset's end.

    Example:
        >>> _last(np.array([3, 9]), np.array([1, 2])).tolist()
        [2, 7, 8]
    """
    return np.repeat(ends - np.cumsum(counts), counts) + np.arange(counts.sum())


def _followed(
    histories: list[LifeHistory],
    batch: ReadingBatch,
    table: _Table,
    windows: _Windows,
    apart: Mapping[int, Assembled],
) -> Trail:
    """Return what was remembered at each window; the histories of steady assets are moved on."""
    counts = np.where(windows.steady, windows.counts, 0)
    go_on = _where(counts > 0)
    trail = np.empty((len(windows.ends), trail_width(table.normalised.rows.shape[1])))
    if go_on:
        cycles = batch.readings.cycles[_last(np.cumsum(batch.counts), counts)]
        own = np.repeat(windows.steady, windows.counts)
        rows = table.normalised.rows[windows.ends[own]]
        begun = [histories[asset] for asset in go_on]
        trail[own], after = follow_on(begun, counts[go_on], rows, cycles)
        for asset, history in zip(go_on, after, strict=True):
            histories[asset] = history
    for asset, found in apart.items():
        first = int(windows.firsts[asset])
        trail[first : first + len(found.ends)] = found.trail
    return trail


def _each(
    starts: Sequence[AssetState],
    batch: ReadingBatch,
    table: _Table,
    windows: _Windows,
    histories: Sequence[LifeHistory],
    of_windows: tuple[NDArray[np.float32], Trail],
) -> Iterator[tuple[int, Assembled]]:
    """Yield each steady asset with what its readings came to."""
    values, trail = of_windows
    length = values.shape[1]
    stamps, own_ends = packed_stamps(batch.readings.stamps), _own(windows, table)
    cycles, clock_us = batch.readings.cycles, batch.readings.clock_us
    last = np.cumsum(batch.counts) - 1
    for asset, count, end, base, size, first, n_windows, cycle, newest_us in zip(
        *(
            column[windows.steady].tolist()
            for column in (
                np.arange(len(starts)), batch.counts, last + 1, table.bases, table.sizes,
                windows.firsts, windows.counts, cycles[last], clock_us[last],
            )
        ),
        strict=True,
    ):  # fmt: skip
        start = starts[asset]
        behind = first + n_windows
        rows = table.rows[base : base + size]
        fresh = stamps[(end - count) * STAMP_BYTES : end * STAMP_BYTES]
        marks = Marks(start.known_marks.stamps + fresh, NOTHING_HELD)
        kept = max(0, size - length)
        after = AssetState(
            start.machine,
            start.model,
            rows[kept:].copy(),
            cycle,
            start.seen_from,
            start.alarm,
            start.fence,
            start.alarm_id,
            newest_us,
            start.opened,
            NO_RIVAL,
            start.former,
            (),
            start.fleet,
            histories[asset],
            Marks(marks.stamps[kept * STAMP_BYTES :], NOTHING_HELD),
        )
        yield (
            asset,
            Assembled(
                range(count),
                [WARMING_UP] * (count - n_windows) + [SCORED] * n_windows,
                [""] * count
                if count == n_windows
                else _details(size - count, count - n_windows, n_windows, length),
                [start.opened] * count,
                (),
                values[first:behind],
                rows,
                marks,
                own_ends[first:behind],
                trail[first:behind],
                after,
                0,
                0,
            ),
        )


def _own(windows: _Windows, table: _Table) -> NDArray[np.int64]:
    """Return the same ends, counted from each asset's own first row."""
    return windows.ends - np.repeat(table.bases, windows.counts)


def _details(remembered: int, warming_up: int, scored: int, length: int) -> list[str]:
    filling = range(remembered + 1, remembered + warming_up + 1)
    return [*(f"{together} of {length} cycles" for together in filling), *[""] * scored]
