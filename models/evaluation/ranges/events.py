"""Which anomalies were found, and which alarms were false, by overlap.

An anomaly is found if at least one row of it is reported, however many alarms overlap it. An alarm
is false if it overlaps no anomaly. So precision is found / (found + false alarms) and recall
found / anomalies, as the authors of the spacecraft data count (Hundman et al. 2018,
doi:10.1145/3219819.3219845). Long alarms win under any such rule: one over everything has F1 1.
Never show these without the flagged share and the trivial rows beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from models.evaluation.series import Span


@dataclass(frozen=True, slots=True)
class Events:
    """Counts of one series, or of many together.

    Attributes:
        true: Anomalies.
        found: Of these, reported in at least one row.
        alarms: Stretches reported.
        false: Of these, without any anomaly in them.
        delays: Of the anomalies found, rows from its first one until it was known to be reported.
    """

    true: int
    found: int
    alarms: int
    false: int
    delays: tuple[int, ...]

    @property
    def precision(self) -> float | None:
        """Found among found and false; none without an alarm."""
        return self.found / (self.found + self.false) if self.alarms else None

    @property
    def recall(self) -> float | None:
        """Found among all; none without an anomaly."""
        return self.found / self.true if self.true else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; 0 if nothing was found; none if there was nothing to find."""
        return 2 * self.found / (self.found + self.false + self.true) if self.true else None


def events(found: tuple[Span, ...], true: tuple[Span, ...], wait_rows: int = 0) -> Events:
    """Return the counts of one series.

    Args:
        found: Stretches reported, ascending and apart.
        true: The anomalies, likewise.
        wait_rows: Rows after which a reported row is known to be one.

    Example:
        >>> counts = events(((0, 2), (7, 9)), ((8, 12), (20, 30)))
        >>> counts.found, counts.false, counts.delays
        (1, 1, (0,))
    """
    first = [_first_row(found, anomaly) for anomaly in true]
    delays = tuple(
        row - start + wait_rows
        for row, (start, _) in zip(first, true, strict=True)
        if row is not None
    )
    false = sum(not any(_overlap(alarm, anomaly) for anomaly in true) for alarm in found)
    return Events(len(true), len(delays), len(found), false, delays)


def together(counts: Iterable[Events]) -> Events:
    """Return the counts of many series as one: each anomaly and each alarm counts the same."""
    all_counts = list(counts)
    return Events(
        sum(one.true for one in all_counts),
        sum(one.found for one in all_counts),
        sum(one.alarms for one in all_counts),
        sum(one.false for one in all_counts),
        tuple(delay for one in all_counts for delay in one.delays),
    )


def overlapping(alarm: Span, true: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return the anomalies that an alarm overlaps."""
    return tuple(anomaly for anomaly in true if _overlap(alarm, anomaly))


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _first_row(found: tuple[Span, ...], anomaly: Span) -> int | None:
    return next((max(alarm[0], anomaly[0]) for alarm in found if _overlap(alarm, anomaly)), None)
