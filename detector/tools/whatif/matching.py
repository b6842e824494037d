"""Which alert of one replay is which of another. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from common.records.alerts import Alert


@dataclass(frozen=True, slots=True)
class MovedAlert:
    """One alert as it was and as it would be: another cycle, onset or level."""

    before: Alert
    after: Alert


@dataclass(frozen=True, slots=True)
class AlertChanges:
    """Two lists of alerts of one asset, matched.

    Attributes:
        gained: Only after.
        lost: Only before.
        moved: On both sides, but at another cycle, with another onset or level.
        same: How many are on both sides unchanged.
    """

    gained: tuple[Alert, ...] = ()
    lost: tuple[Alert, ...] = ()
    moved: tuple[MovedAlert, ...] = ()
    same: int = 0

    def __bool__(self) -> bool:
        """Return whether anything changed."""
        return bool(self.gained or self.lost or self.moved)


def match_alerts(
    before: Sequence[Alert], after: Sequence[Alert], window_cycles: int
) -> AlertChanges:
    """Match two lists of alerts of one asset.

    Alerts of the same transition whose onsets are within the window are matched, nearest onset
    first, then nearest cycle; each at most once.
    """
    pairs = sorted(
        (abs(one.onset_cycle - other.onset_cycle), abs(one.cycle - other.cycle), i, j)
        for i, one in enumerate(before)
        for j, other in enumerate(after)
        if one.state is other.state and abs(one.onset_cycle - other.onset_cycle) <= window_cycles
    )
    left, right = set(range(len(before))), set(range(len(after)))
    moved, same = [], 0
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


def _place(alert: Alert) -> tuple[int, int, str]:
    return alert.onset_cycle, alert.cycle, alert.level.value
