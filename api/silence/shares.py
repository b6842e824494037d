"""What part of each fleet's readings is scored, window by window. Pure.

Counts come as sums that only grow; two of them make a window. A window that is judged stands until
the next one is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from common.scorestore.port import RunActivity


class Counted(NamedTuple):
    """Readings of a fleet."""

    readings: int
    scored: int

    @property
    def share(self) -> float:
        """The part that was scored, 0 to 1; 1 of none."""
        return self.scored / self.readings if self.readings else 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """Readings of every fleet over a while.

    Attributes:
        until: When it ended.
        lasted: How long it was.
        fleets: Those of which readings came.
    """

    until: datetime
    lasted: timedelta
    fleets: Mapping[str, Counted]

    def hardly_scored(self, least_share: float, least_readings: int) -> dict[str, Counted]:
        """Return the fleets of which enough readings came, and too few were scored."""
        return {
            fleet: counted
            for fleet, counted in sorted(self.fleets.items())
            if counted.readings >= least_readings and counted.share < least_share
        }


Run = tuple[str, str]


def sums_of(runs: Iterable[RunActivity]) -> dict[Run, tuple[str, Counted]]:
    """Return each run's fleet and counts."""
    return {
        (run.asset_id, run.run_id): (run.fleet, Counted(run.readings, run.scored)) for run in runs
    }


def grown(
    before: Mapping[Run, tuple[str, Counted]], after: Mapping[Run, tuple[str, Counted]]
) -> dict[str, Counted]:
    """Return what each fleet has got between two answers to one question.

    Of a run that is in one alone, nothing can be told: stores leave out those that rest. Where
    counts have shrunk, because old rows were removed, nothing came.
    """
    found: dict[str, Counted] = {}
    for run in after.keys() & before.keys():
        (fleet, now), (_, then) = after[run], before[run]
        readings, scored = max(0, now.readings - then.readings), max(0, now.scored - then.scored)
        if readings:
            known = found.get(fleet, Counted(0, 0))
            found[fleet] = Counted(known.readings + readings, known.scored + scored)
    return found
