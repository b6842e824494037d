"""Which alert of one replay is which of another. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from common.records.alerts import Transition
from common.records.verdicts import Level


class Told(Protocol):
    """What is asked of an alert: a message on the topic, or what would be one."""

    @property
    def state(self) -> Transition:
        """Which transition."""

    @property
    def level(self) -> Level:
        """The alarm's level after it."""

    @property
    def onset_cycle(self) -> int:
        """First cycle of the stretch that raised the alarm."""

    @property
    def cycle(self) -> int:
        """Cycle of the reading that caused it."""


ToldT = TypeVar("ToldT", bound=Told)


@dataclass(frozen=True, slots=True)
class MovedAlert(Generic[ToldT]):
    """One alert as it was and as it would be: another cycle, onset or level."""

    before: ToldT
    after: ToldT


@dataclass(frozen=True, slots=True)
class AlertChanges(Generic[ToldT]):
    """Two lists of alerts of one asset, matched.

    Attributes:
        gained: Only after.
        lost: Only before.
        moved: On both sides, but at another cycle, with another onset or level.
        same: How many are on both sides unchanged.
    """

    gained: tuple[ToldT, ...] = ()
    lost: tuple[ToldT, ...] = ()
    moved: tuple[MovedAlert[ToldT], ...] = ()
    same: int = 0

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(self.gained or self.lost or self.moved)


def match_alerts(
    before: Sequence[ToldT], after: Sequence[ToldT], window_cycles: int
) -> AlertChanges[ToldT]:
    """Match two lists of alerts of one asset.

    Alerts of the same transition whose onsets are within the window are matched, nearest onset
    first, then nearest cycle; each at most once.
    """
    pairs = sorted(_near(before, after, window_cycles))
    left, right = set(range(len(before))), set(range(len(after)))
    moved: list[MovedAlert[ToldT]] = []
    same = 0
    for _, _, i, j in pairs:
        if i not in left or j not in right:
            continue
        left.remove(i)
        right.remove(j)
        one, other = before[i], after[j]
        if _place(one) == _place(other):
            same += 1
        else:
            moved.append(MovedAlert(one, other))
    return AlertChanges(
        gained=tuple(after[j] for j in sorted(right)),
        lost=tuple(before[i] for i in sorted(left)),
        moved=tuple(sorted(moved, key=lambda pair: pair.before.cycle)),
        same=same,
    )


def _near(
    before: Sequence[ToldT], after: Sequence[ToldT], window_cycles: int
) -> Iterator[tuple[int, int, int, int]]:
    """Yield what may be the same, each as distance of onsets, of cycles, and both places.

    Only neighbours are looked at: a run of a hundred thousand readings may have as many alerts.
    """
    order = sorted(range(len(after)), key=lambda j: after[j].onset_cycle)
    onsets = [after[j].onset_cycle for j in order]
    for i, one in enumerate(before):
        first = bisect_left(onsets, one.onset_cycle - window_cycles)
        last = bisect_right(onsets, one.onset_cycle + window_cycles)
        for j in order[first:last]:
            if one.state is after[j].state:
                apart = abs(one.onset_cycle - after[j].onset_cycle)
                yield apart, abs(one.cycle - after[j].cycle), i, j


def _place(alert: Told) -> tuple[int, int, str]:
    return alert.onset_cycle, alert.cycle, alert.level.value
