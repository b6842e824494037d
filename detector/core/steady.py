"""Many assets at once: those that go on as they should, which is nearly all of them, by array.

An asset is *steady* in a batch when each of its readings is the next cycle of the run, with every
value measured, in a known regime. Of such assets the verdicts, the windows and what is remembered
follow from counting alone. All others are taken one by one (``assembler.py``), which is the
definition; ``test_steady.py`` holds both against each other, to the bit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from common.machines.rows import split_rows
from common.records.verdicts import Verdict
from common.ring import NOTHING_HELD, Marks, Ring, packed_stamps
from detector.core.assembler import Assembled, Course, assemble, lay_out
from detector.core.fleet import Fleet
from detector.core.reading.columns import Readings
from detector.core.state.asset import AssetState
from detector.core.state.starts import Starts
from detector.core.state.table import StateTable, stretches
from models.scoring.history import Histories, Trail, follow_on, trail_width
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
        return self.counts.cumsum() - self.counts

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
        starts: What was remembered of them.
        readings: Theirs.
        apart: What those came to that did not go on as they should, by asset.
        steady: Which did, shape ``(n_assets,)``.
        after: The states of these after their last readings, alarms and fences not yet moved on.
        windows: All windows to score, asset by asset, shape ``(n, window_length, n_channels)``.
        trail: What was remembered of its run at each window, shape ``(n, ...)``.
        rows: The rows of all assets as measured or held, shape ``(m, width)``.
        stamps: Cycle and time of each, shape ``(m, 2)``.
        bases: At which of them each asset's begin, shape ``(n_assets + 1,)``; the last is ``m``.
        counts: How many windows each asset has, shape ``(n_assets,)``.
        ends: At which of the rows each window ends, shape ``(n,)``.
    """

    starts: Starts
    readings: ReadingBatch
    apart: Mapping[int, Assembled]
    steady: NDArray[np.bool_]
    after: StateTable
    windows: NDArray[np.float32]
    trail: Trail
    rows: NDArray[np.float32]
    stamps: NDArray[np.int64]
    bases: NDArray[np.int64]
    counts: NDArray[np.int64]
    ends: NDArray[np.int64]

    @property
    def assets(self) -> list[Assembled]:
        """What each came to."""
        return self.some(range(len(self.steady)))

    def some(self, which: Iterable[int]) -> list[Assembled]:
        """Return what some assets came to, in the order asked for."""
        found = dict(self.apart)
        steady = [asset for asset in which if asset not in found]
        if steady:
            rows = (self.steady.cumsum() - 1)[steady]
            firsts = (self.counts.cumsum() - self.counts)[steady].tolist()
            states = self.after.take(rows).states()
            for asset, first, after in zip(steady, firsts, states, strict=True):
                found[asset] = self._one(asset, first, after)
        return [found[asset] for asset in which]

    def said(self, asset: int) -> tuple[list[Verdict], list[str]]:
        """Return the verdicts on a steady asset's readings, and what is said beside them."""
        count, n_windows = int(self.readings.counts[asset]), int(self.counts[asset])
        filling = count - n_windows
        verdicts = [*[WARMING_UP] * filling, *[SCORED] * n_windows]
        if not filling:
            return verdicts, [""] * count
        together = int(self.bases[asset + 1] - self.bases[asset]) - count
        length = self.windows.shape[1]
        told = (f"{together + ahead} of {length} cycles" for ahead in range(1, filling + 1))
        return verdicts, [*told, *[""] * n_windows]

    def behind(self, asset: int, window: int) -> tuple[Ring, NDArray[np.float32]]:
        """Return the readings of one of an asset's windows, and the same on the model's scale."""
        if asset in self.apart:
            return self.apart[asset].behind(window)
        at = int(self.counts[:asset].sum()) + window
        end = int(self.ends[at]) + 1
        which = slice(end - self.windows.shape[1], end)
        marks = Marks(packed_stamps(self.stamps[which]), NOTHING_HELD)
        return Ring(self.rows[which], marks), self.windows[at]

    def _one(self, asset: int, first: int, after: AssetState) -> Assembled:
        """Return what a steady asset came to, given its first window and its state after it."""
        count, n_windows = int(self.readings.counts[asset]), int(self.counts[asset])
        base, end = self.bases[asset : asset + 2].tolist()
        verdicts, details = self.said(asset)
        windows = slice(first, first + n_windows)
        return Assembled(
            range(count),
            verdicts,
            details,
            [after.opened] * count,
            (),
            self.windows[windows],
            self.rows[base:end],
            Marks(packed_stamps(self.stamps[base:end]), NOTHING_HELD),
            self.ends[windows] - base,
            self.trail[windows],
            after,
            0,
            0,
        )


def assemble_batch(starts: Starts, batch: ReadingBatch, fleet: Fleet) -> AssembledBatch:
    """Give each reading its verdict, cut the windows and follow the runs.

    Args:
        starts: What is remembered of each asset.
        batch: The readings of each, in the order of the topic.
        fleet: Its model, which gaps a window may span, and when a new run is opened.
    """
    spec = fleet.spec
    length = spec.window_length
    goes_on = _goes_on(starts, batch, spec)
    courses = _courses(np.flatnonzero(~goes_on).tolist(), starts, batch, fleet)
    table = _table(starts, batch, courses, fleet)
    unknown = [asset for asset in table.with_unknown_rows() if asset not in courses]
    courses |= _courses(unknown, starts, batch, fleet)
    apart = {
        asset: assemble(course, table.normalised_of(asset), length, follows=spec.knows_life)
        for asset, course in courses.items()
    }
    steady = _others(apart, len(starts))
    counts, ends = _windows(batch, table, apart, length)
    windows = table.windows_at(ends, length)
    before = starts.table.where(steady[starts.places])
    after = _after(before, batch, table, some(steady), length)
    trail = np.empty((len(ends), 0))
    if spec.knows_life:
        trail = np.empty((len(ends), trail_width(windows.shape[2])))
        own = some(steady.repeat(counts))
        newest = table.normalised.rows[ends[own]]
        trail[own], after = _followed(after, batch, some(steady), counts, newest)
        for asset, first in zip(apart, (np.cumsum(counts) - counts)[list(apart)], strict=True):
            trail[first : first + counts[asset]] = apart[asset].trail
    return AssembledBatch(
        starts,
        batch,
        apart,
        steady,
        after,
        windows,
        trail,
        table.rows,
        table.stamps,
        table.bases,
        counts,
        ends,
    )


def _others(assets: Collection[int], n_assets: int) -> NDArray[np.bool_]:
    """Return which assets are not among these, shape ``(n_assets,)``."""
    found = np.ones(n_assets, np.bool_)
    if assets:
        found[list(assets)] = False
    return found


def some(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | slice:
    """Return a mask as an index: nearly always it is all of them, and nothing need be copied."""
    return slice(None) if mask.all() else mask


def _goes_on(starts: Starts, batch: ReadingBatch, spec: ScorerSpec) -> NDArray[np.bool_]:
    """Return which assets are steady, as far as the model's scale is not asked."""
    steady = np.zeros(len(starts), np.bool_)
    if not len(starts.table):
        return steady
    readings, firsts = batch.readings, batch.firsts
    last = np.zeros(len(starts), np.int64)
    last[starts.places] = starts.table.head["last_cycle"]
    before = np.empty_like(readings.cycles)
    before[1:] = readings.cycles[:-1]
    before[firsts] = last
    is_next = readings.cycles == before + 1
    is_next &= ~np.isnan(readings.rows).any(axis=1)
    steady[starts.places] = True
    steady &= np.logical_and.reduceat(is_next, firsts) & (last > 0)
    if spec.knows_life:  # a run's first window is taken in as a whole
        sizes = starts.table.sizes + batch.counts[starts.places]
        begun = starts.table.more["taken_in"] > 0
        steady[starts.places] &= begun | (sizes < spec.window_length)
    return steady


def _courses(
    assets: Sequence[int], starts: Starts, batch: ReadingBatch, fleet: Fleet
) -> dict[int, Course]:
    """Lay out assets one by one."""
    machine, inputs = fleet.spec.machine, fleet.inputs
    if not assets:
        return {}
    ends = batch.counts.cumsum()
    return {
        asset: lay_out(start, batch.readings[end - count : end], machine, inputs)
        for asset, start, count, end in zip(
            assets,
            starts.some(assets),
            batch.counts[list(assets)].tolist(),
            ends[list(assets)].tolist(),
            strict=True,
        )
    }


@dataclass(frozen=True, slots=True)
class _Table:
    """All rows of a batch, asset by asset: what is remembered, then the readings.

    Attributes:
        rows: As measured or held, shape ``(m, width)``.
        stamps: Cycle and time of each, shape ``(m, 2)``.
        normalised: The same on the model's scale.
        bases: At which row each asset begins, shape ``(n_assets + 1,)``; the last is ``m``.
    """

    rows: NDArray[np.float32]
    stamps: NDArray[np.int64]
    normalised: NormalisedRows
    bases: NDArray[np.int64]

    def with_unknown_rows(self) -> list[int]:
        """Return the assets with a row near no regime."""
        if self.normalised.known.all():
            return []
        unknown = np.flatnonzero(~self.normalised.known)
        found = np.searchsorted(self.bases, unknown, side="right") - 1
        return sorted(set(found.tolist()))

    def normalised_of(self, asset: int) -> NormalisedRows:
        """Return one asset's rows on the model's scale."""
        base, end = self.bases[asset : asset + 2].tolist()
        return self.normalised[base:end]

    def windows_at(self, ends: NDArray[np.int64], length: int) -> NDArray[np.float32]:
        """Return the windows that end at some rows."""
        windows = sliding_windows(self.normalised.rows, length)
        return windows[ends - (length - 1)] if len(ends) else windows[:0]


def _table(
    starts: Starts, batch: ReadingBatch, courses: Mapping[int, Course], fleet: Fleet
) -> _Table:
    ours = _others(courses, len(starts))
    sizes = batch.counts.copy()
    sizes[starts.places] += starts.table.sizes
    for asset, course in courses.items():
        sizes[asset] = len(course.rows)
    bases = np.zeros(len(sizes) + 1, np.int64)
    sizes.cumsum(out=bases[1:])
    rows = np.empty((int(bases[-1]), fleet.spec.machine.row_width), np.float32)
    stamps = np.empty((len(rows), 2), np.int64)
    remembered = starts.table.where(ours[starts.places])
    begins, counts = bases[:-1][some(ours)], batch.counts[some(ours)]
    at = stretches(begins, remembered.sizes)
    rows[at], stamps[at] = remembered.rows, remembered.stamps
    at, fresh = stretches(begins + remembered.sizes, counts), some(ours.repeat(batch.counts))
    rows[at], stamps[at] = batch.readings.rows[fresh], batch.readings.stamps[fresh]
    for asset, course in courses.items():
        own = slice(bases[asset], bases[asset + 1])
        rows[own], stamps[own] = course.rows, course.marks.numbers()
    return _Table(rows, stamps, _normalised(rows, fleet), bases)


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


def _windows(
    batch: ReadingBatch, table: _Table, apart: Mapping[int, Assembled], length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many windows each asset has, and at which row of the table each ends."""
    # a steady asset has a window at each of its readings, as soon as there are rows enough
    bases = table.bases
    counts = np.minimum(np.maximum(bases[1:] - bases[:-1] - (length - 1), 0), batch.counts)
    for asset, found in apart.items():
        counts[asset] = len(found.ends)
    ends = stretches(table.bases[1:] - counts, counts)
    firsts = counts.cumsum() - counts
    for asset, found in apart.items():
        first = int(firsts[asset])
        ends[first : first + len(found.ends)] = found.ends + table.bases[asset]
    return counts, ends


def _after(
    before: StateTable,
    batch: ReadingBatch,
    table: _Table,
    steady: NDArray[np.bool_] | slice,
    length: int,
) -> StateTable:
    """Return the states of steady assets after their readings, histories not yet moved on."""
    last = (batch.counts.cumsum() - 1)[steady]
    counts, ends = batch.counts[steady], table.bases[1:][steady]
    sizes = np.minimum(before.sizes + counts, length)
    head = before.head.copy()
    head["last_cycle"] = batch.readings.cycles[last]
    head["newest_us"] = batch.readings.clock_us[last]
    head["n"] = sizes
    for name in ("rivals", "rival_cycle", "rival_us"):
        head[name] = 0
    kept = stretches(ends - sizes, sizes)
    return replace(before, head=head, rows=table.rows[kept], stamps=table.stamps[kept])


def _followed(
    after: StateTable,
    batch: ReadingBatch,
    steady: NDArray[np.bool_] | slice,
    counts: NDArray[np.int64],
    rows: NDArray[np.float32],
) -> tuple[Trail, StateTable]:
    """Return what was remembered at each window of steady assets, and their states moved on.

    Args:
        after: Their states.
        batch: All readings.
        steady: Which assets are meant.
        counts: How many windows each asset has.
        rows: The newest row of each window of these, on the model's scale.
    """
    own = counts[steady]
    has_any = own > 0
    if not has_any.any():
        return np.empty((0, trail_width(rows.shape[1]))), after
    go_on = some(has_any)
    ends = batch.counts.cumsum()[steady]
    cycles = batch.readings.cycles[stretches(ends - own, own)]
    more, sums = after.more.copy(), after.sums.copy()
    taken_in = more["taken_in"][go_on]
    before = Histories(taken_in, more["whole"][go_on] > 0, sums[go_on])
    trail, sums[go_on] = follow_on(before, own[go_on], rows, cycles)
    more["taken_in"][go_on] = taken_in + own[go_on]
    return trail, replace(after, more=more, sums=sums)
