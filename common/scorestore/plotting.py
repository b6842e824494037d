"""Which of many scored readings a plot shows: as few as asked for, and nothing lost that matters.

Time is cut into equal buckets. Of each bucket the first and last row of each level stay, and the
rows of the lowest and the highest severity: what a line drawn through all rows would cover (M4,
Jugel et al. 2014, doi:10.14778/2732951.2732953), and each level that was reached. Buckets are made
finer than they need be, and then joined until the points fit: joining two gives what one of twice
the width would have given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

from common.records.verdicts import Level
from common.scorestore.port import FinalPoint, Plot, PlotPoint

Row: TypeAlias = tuple[int, int, float | None, int]
"""(ts_us, cycle, severity, rank of the level); without a severity it was not scored. Final scores
go the same way, in place of severities and of rank :data:`NO_LEVEL`."""

NO_LEVEL: Final = 0

LEVELS: Final = tuple(sorted(Level, key=lambda level: level.rank))


class EvenRows(NamedTuple):
    """Rows of one bucket, one level and without interruption, by those that matter.

    Attributes:
        number: How many.
        first: The first.
        last: The last.
        low: The one of the lowest severity, the first of several.
        high: Likewise, the highest.
    """

    number: int
    first: Row
    last: Row
    low: Row
    high: Row


class _Kept(NamedTuple):
    """A scored row that may be shown; ``gaps`` counts the interruptions before it."""

    ts_us: int
    cycle: int
    severity: float
    rank: int
    gaps: int


@dataclass(slots=True)
class _Bucket:
    """What is kept of one stretch of time.

    Attributes:
        low: The row of the lowest severity, the first of several.
        high: Likewise, the highest.
        first: The first row, by level.
        last: The last row, by level.
    """

    low: _Kept
    high: _Kept
    first: dict[int, _Kept] = field(default_factory=dict)
    last: dict[int, _Kept] = field(default_factory=dict)

    def joined(self, later: _Bucket) -> _Bucket:
        """Return what one bucket over both stretches would hold."""
        return _Bucket(
            later.low if later.low.severity < self.low.severity else self.low,
            later.high if later.high.severity > self.high.severity else self.high,
            later.first | self.first,
            self.last | later.last,
        )

    def rows(self) -> set[_Kept]:
        """Return the rows, each once."""
        return {self.low, self.high, *self.first.values(), *self.last.values()}


class PlotReducer:
    """Takes a run's rows in the order of (time, cycle), and remembers a bounded number of them.

    Args:
        begin_us: The time of the first row, UTC epoch microseconds.
        end_us: The time of the last.
        most: Most points, at least ``FEWEST_POINTS``.
    """

    def __init__(self, begin_us: int, end_us: int, most: int) -> None:
        self._begin_us = begin_us - begin_us % 1000  # a store may know it to the millisecond only
        self._end_us = end_us
        self._most = most
        self._width_us = (end_us - self._begin_us) // 1000 * 1000 // (most // 2) + 1
        self._buckets: dict[int, _Bucket] = {}
        self._all: list[_Kept] | None = []
        self._scored = self._gaps = self._changes = 0
        self._interrupted = False
        self._rank = -1

    def add(self, rows: Iterable[Row]) -> None:
        """Take rows: a millionth of a second for each, so names are local and calls are few.

        A *piece* is a stretch of rows of one bucket and one level, without interruption.
        """
        first: Row | None = None
        last: Row = (0, 0, 0.0, 0)  # of no account before the first
        low = high = last
        lowest = highest = 0.0
        level, end_us, count, kept = -1, 0, 0, self._all
        interrupted = self._interrupted
        for row in rows:
            ts_us, _, severity, rank = row
            if severity is None:
                interrupted = True
                continue
            if rank != level or ts_us >= end_us or interrupted or first is None:
                if first is not None:
                    self._close(first, last, low, high)
                end_us = self._open(ts_us, rank, interrupted=interrupted)
                interrupted = False
                first = low = high = row
                lowest = highest = severity
                level = rank
            elif severity > highest:
                highest, high = severity, row
            elif severity < lowest:
                lowest, low = severity, row
            last = row
            count += 1
            if kept is not None:
                kept = self._keep(kept, row)
        if first is not None:
            self._close(first, last, low, high)
        self._scored += count
        self._interrupted = interrupted

    def buckets(self) -> Iterator[tuple[int, int]]:
        """Yield where each bucket begins and ends (exclusive), microseconds."""
        for begin_us in range(self._begin_us, self._end_us + 1, self._width_us):
            yield begin_us, begin_us + self._width_us

    def add_even(self, rows: EvenRows) -> None:
        """Take rows that a store has summed up; only where more rows come than are shown."""
        self._all = None
        self._open(rows.first[0], rows.first[3], interrupted=self._interrupted)
        self._interrupted = False
        self._close(rows.first, rows.last, rows.low, rows.high)
        self._scored += rows.number

    def plot(self) -> Plot:
        """Return the points of all rows so far."""
        if self._all is not None:
            return self._told(self._all, None)
        numbers = sorted(self._buckets)
        for together in range(1, numbers[-1] + 2):
            coarse: dict[int, _Bucket] = {}
            for number in numbers:
                place, bucket = number // together, self._buckets[number]
                known = coarse.get(place)
                coarse[place] = bucket if known is None else known.joined(bucket)
            chosen = sorted(row for bucket in coarse.values() for row in bucket.rows())
            if len(chosen) <= self._most:
                break
        return self._told(chosen, self._width_us * together)

    def _open(self, ts_us: int, rank: int, *, interrupted: bool) -> int:
        """Begin a piece; return the time at which its bucket ends."""
        begun = self._rank >= 0
        self._gaps += begun and interrupted
        self._changes += begun and rank != self._rank
        self._rank = rank
        number = (ts_us - self._begin_us) // self._width_us
        return self._begin_us + (number + 1) * self._width_us

    def _close(self, first: Row, last: Row, low: Row, high: Row) -> None:
        """Add a piece to its bucket."""
        begin, end = self._told_of(first), self._told_of(last)
        piece = _Bucket(
            self._told_of(low), self._told_of(high), {begin.rank: begin}, {end.rank: end}
        )
        number = (begin.ts_us - self._begin_us) // self._width_us
        known = self._buckets.get(number)
        self._buckets[number] = piece if known is None else known.joined(piece)

    def _keep(self, kept: list[_Kept], row: Row) -> list[_Kept] | None:
        """Remember every row for as long as they fit."""
        kept.append(self._told_of(row))
        if len(kept) > self._most:
            self._all = None
        return self._all

    def _told_of(self, row: Row) -> _Kept:
        ts_us, cycle, severity, rank = row
        assert severity is not None  # noqa: S101 - only scored rows come here
        return _Kept(ts_us, cycle, severity, rank, self._gaps)

    def _told(self, rows: Sequence[_Kept], bucket_us: int | None) -> Plot:
        before = rows[0].gaps if rows else 0
        points = []
        for row in rows:
            point = PlotPoint(
                row.ts_us, row.cycle, row.severity, LEVELS[row.rank], row.gaps != before
            )
            points.append(point)
            before = row.gaps
        return Plot(points, self._scored, self._gaps, self._changes, bucket_us)


def with_finals(plot: Plot, finals: PlotReducer) -> Plot:
    """Return a plot with the final scores that a reducer of their own has chosen."""
    chosen = finals.plot().points
    return replace(
        plot,
        finals=tuple(
            FinalPoint(point.ts_us, point.cycle, point.severity, point.gap_before)
            for point in chosen
        ),
    )
