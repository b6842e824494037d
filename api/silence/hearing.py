"""What is new of each asset since the last look: two answers side by side. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.silence.rule import Heard, Watched
from api.silence.shares import Counted, Run
from common.records.ids import SIMULATED_PREFIX
from common.scorestore.port import RunActivity

Sums = Mapping[Run, tuple[str, Counted]]


@dataclass(frozen=True, slots=True)
class Look:
    """What a look compares with.

    Attributes:
        now: Its time.
        tolerance: How far readings' times may lie from it, to be live.
        before: What the last answer counted; none at the first look.
        replayed: Run ids of replays: recorded or simulated, whatever their times say.
    """

    now: datetime
    tolerance: timedelta
    before: Sums | None
    replayed: frozenset[str]

    def is_live(self, run: RunActivity) -> bool:
        """Return whether a run's times are near the clock."""
        return run.last_ts is not None and abs(run.last_ts - self.now) <= self.tolerance

    def is_replay(self, run_id: str) -> bool:
        """Return whether a run is known to be a replay."""
        return run_id in self.replayed or run_id.startswith(SIMULATED_PREFIX)


def hear(
    runs: Iterable[RunActivity], watched: Callable[[str], Watched | None], look: Look
) -> dict[str, Heard]:
    """Return what is new, by asset; of several runs that go on, the one with the latest reading.

    An asset that is not watched is heard once something new of it is live. One that is, is heard
    too by readings of its own run at any time, and by those that are refused and have no time.
    """
    found: dict[str, Heard] = {}
    for run in runs:
        known = watched(run.asset_id)
        if not _concerns(run, known, look):
            continue
        heard = _heard(run, known, look)
        if heard is None:
            continue
        other = found.get(run.asset_id)
        if other is None:
            found[run.asset_id] = heard
        else:
            later, sooner = (heard, other) if heard.ts >= other.ts else (other, heard)
            found[run.asset_id] = later._replace(has_score=later.has_score or sooner.has_score)
    return found


def _concerns(run: RunActivity, known: Watched | None, look: Look) -> bool:
    if look.is_replay(run.run_id):
        return False
    own = known is not None and (run.run_id == known.run_id or run.last_ts is None)
    return own or look.is_live(run)


def _heard(run: RunActivity, known: Watched | None, look: Look) -> Heard | None:
    before = None if look.before is None else look.before.get((run.asset_id, run.run_id))
    grew = before is not None and run.readings > before[1].readings
    has_score = before is not None and run.scored > before[1].scored
    if known is None:
        appeared = look.before is not None and before is None
        if not (grew or appeared) or run.last_ts is None or run.last_cycle is None:
            return None
        has_score = has_score or (appeared and run.scored > 0)
        scored_cycle = run.last_scored_cycle
        return Heard(
            run.fleet, run.run_id, run.last_cycle, scored_cycle, run.last_ts, has_score, True
        )
    is_later = run.last_ts is not None and run.last_ts > known.ts
    if not (grew or is_later):
        return None
    if run.last_ts is None or run.last_cycle is None:  # refused: nothing is known but that it came
        return Heard(
            known.fleet, known.run_id, known.cycle, known.scored_cycle, known.ts, False, False
        )
    if before is None:  # after a restart, cycles tell
        told = None if run.run_id != known.run_id else known.scored_cycle
        has_score = run.last_scored_cycle is not None and run.last_scored_cycle != told
    return Heard(
        run.fleet,
        run.run_id,
        run.last_cycle,
        run.last_scored_cycle,
        run.last_ts,
        has_score,
        look.is_live(run),
    )
