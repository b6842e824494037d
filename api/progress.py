"""Whether a consumer group moves on, judged from what the broker says of it now and then. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

STANDS_STILL_S: Final = 15.0
"""Time without a commit, with readings waiting, after which a partition stands still, s. Workers
commit every second; their largest batch takes a few."""

STABLE: Final = "Stable"
NOBODY: Final = frozenset({"Empty", "Dead"})
MOST_NAMED: Final = 3
"""Partitions named in one sentence; of the others their number."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far one partition is read.

    Attributes:
        committed: Where the group would go on, were it to start now.
        end: The offset after the last reading that may be read.
    """

    committed: int
    end: int


@dataclass(frozen=True, slots=True)
class GroupView:
    """What a broker says of a group at one moment.

    Attributes:
        state: Kafka's word; ``Stable`` when partitions are shared out.
        members: How many workers are in it.
        owned: Partitions that some member owns; none where the broker does not tell.
        reaches: By partition of the topic.
    """

    state: str
    members: int
    owned: frozenset[int] | None
    reaches: Mapping[int, Reach]


class GroupProgress:
    """Remembers since when a group is unsettled, and each partition stands where it stands."""

    def __init__(self) -> None:
        self._unsettled_since: float | None = None
        self._stands: dict[int, tuple[Reach, float]] = {}

    def problem(self, view: GroupView, now: float) -> str | None:
        """Return what is wrong, in words; none when all is well.

        Args:
            view: What the broker says now.
            now: A clock that never steps, s.
        """
        standing = self._standing(view, now)
        if view.state in NOBODY or view.members == 0:
            self._unsettled_since = None
            return f"no worker is in the group{_waiting(view)}"
        if view.state != STABLE:
            if self._unsettled_since is None:
                self._unsettled_since = now
            return (
                f"the group of {view.members} has been sharing out its partitions for "
                f"{now - self._unsettled_since:.0f} s (state {view.state})"
            )
        self._unsettled_since = None
        nobodys = sorted(view.reaches.keys() - view.owned) if view.owned is not None else []
        if nobodys:
            return f"no worker reads partition {_named([str(number) for number in nobodys])}"
        if standing:
            return f"partition {_named(standing)}"
        return None

    def _standing(self, view: GroupView, now: float) -> list[str]:
        """Note where every partition stands; return those that should have moved, in words."""
        found: list[str] = []
        for number, reach in sorted(view.reaches.items()):
            before, since = self._stands.get(number, (reach, now))
            if before.committed != reach.committed or before.end <= before.committed:
                since = now  # it has moved, or nothing was waiting until now
            self._stands[number] = (reach, since)
            if now - since >= STANDS_STILL_S:
                found.append(
                    f"{number} stands still at offset {reach.committed}, "
                    f"{reach.end - reach.committed} behind, for {now - since:.0f} s"
                )
        for gone in self._stands.keys() - view.reaches.keys():
            del self._stands[gone]
        return found


def _waiting(view: GroupView) -> str:
    behind = sum(max(0, reach.end - reach.committed) for reach in view.reaches.values())
    return f", and {behind} readings wait" if behind else ""


def _named(what: list[str]) -> str:
    more = len(what) - MOST_NAMED
    named = "; ".join(what[:MOST_NAMED])
    return f"{named}; and {more} more" if more > 0 else named
