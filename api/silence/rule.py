"""Whether an asset is silent: one pure function of what was heard, its deadlines and the time.

An asset is watched once it has sent, live, for as long as its deadline: a replay that is over at
once, or a single reading, never comes to that. From then on

* no reading by its deadline: it is silent until one comes;
* readings, but no score by theirs: it is not being scored until one is, or until they cease and
  the end of that begins anew.

Times are those at which the api found something new, not those that readings say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from api.silence.deadlines import Deadlines


class Silence(StrEnum):
    """What an asset is missing."""

    NO_READING = "no_reading"
    NO_SCORE = "no_score"


class Heard(NamedTuple):
    """What is new of an asset.

    Attributes:
        fleet: Its fleet.
        run_id: Its latest run.
        cycle: Highest cycle of that run.
        scored_cycle: Highest cycle with a score; none without one.
        ts: What the latest reading says it was taken at.
        has_score: Whether a score is among what is new.
        is_live: Whether its times are near the api's clock.
    """

    fleet: str
    run_id: str
    cycle: int
    scored_cycle: int | None
    ts: datetime
    has_score: bool
    is_live: bool


@dataclass(frozen=True, slots=True)
class Watched:
    """An asset that is watched, or may come to be.

    Attributes:
        asset_id: Which.
        fleet: Its fleet.
        run_id: The run that was heard last.
        cycle: Highest cycle of that run.
        scored_cycle: Highest cycle with a score; none without one.
        ts: What the latest reading says it was taken at.
        live_since: Since when it has been sending.
        heard_at: When a reading was found last.
        scored_at: When a score was found last, or from when one has been due.
        silence: What it is missing; none if nothing.
        silent_from: Since when, as the alarm's id has it; none if it misses nothing.
    """

    asset_id: str
    fleet: str
    run_id: str
    cycle: int
    scored_cycle: int | None
    ts: datetime
    live_since: datetime
    heard_at: datetime
    scored_at: datetime
    silence: Silence | None = None
    silent_from: datetime | None = None

    def is_proven(self, deadlines: Deadlines) -> bool:
        """Return whether it has been sending for long enough to be missed."""
        return self.silence is not None or self.heard_at - self.live_since >= deadlines.reading


@dataclass(frozen=True, slots=True)
class Change:
    """A silence began or ended.

    Attributes:
        before: The asset as it was while silent; where a silence begins, as it is.
        silence: Which.
        silent_from: Since when.
        begins: Whether it begins; else it has ended.
        lasted: For how long it has lasted.
        deadline: After how long it begins; none where nothing is due any more.
        after: The asset as it is; none if it is watched no more.
    """

    before: Watched
    silence: Silence
    silent_from: datetime
    begins: bool
    lasted: timedelta
    deadline: timedelta | None
    after: Watched | None


@dataclass(frozen=True, slots=True)
class Step:
    """An asset after a look.

    Attributes:
        watched: As it is; none if it is not watched any more.
        changes: What began or ended, in order: one silence ends before another begins.
    """

    watched: Watched | None
    changes: tuple[Change, ...] = ()


def step(
    asset_id: str,
    known: Watched | None,
    heard: Heard | None,
    deadlines: Deadlines | None,
    now: datetime,
    judged_from: datetime,
) -> Step:
    """Return an asset after a look.

    Args:
        asset_id: Which.
        known: As it was; none if it was not watched.
        heard: What is new of it; none if nothing is.
        deadlines: What is due; none where it is not watched.
        now: The time of the look.
        judged_from: Since when all that was sent has been heard in time: nothing was overdue
            before. While nothing can be heard, that is now.
    """
    if known is None:
        starts = heard is not None and heard.is_live and deadlines is not None
        return Step(_begun(asset_id, heard, now) if starts and heard is not None else None)
    if deadlines is None:
        return Step(None, _ended(known, None, now, None))
    if heard is None:
        return _unheard(known, deadlines, now, judged_from)
    return _heard(known, heard, deadlines, now, judged_from)


def _begun(asset_id: str, heard: Heard, now: datetime) -> Watched:
    return Watched(
        asset_id,
        heard.fleet,
        heard.run_id,
        heard.cycle,
        heard.scored_cycle,
        heard.ts,
        live_since=now,
        heard_at=now,
        scored_at=now,
    )


def _unheard(known: Watched, deadlines: Deadlines, now: datetime, judged_from: datetime) -> Step:
    overdue = now - max(known.heard_at, judged_from) >= deadlines.reading
    if known.silence is not None or not overdue:
        return Step(known)
    if not known.is_proven(deadlines):
        return Step(None)
    return _silent(known, Silence.NO_READING, known.heard_at, deadlines.reading, now)


def _heard(
    known: Watched, heard: Heard, deadlines: Deadlines, now: datetime, judged_from: datetime
) -> Step:
    ends = known.silence is Silence.NO_READING or (
        known.silence is Silence.NO_SCORE and heard.has_score
    )
    due_anew = heard.has_score or known.silence is Silence.NO_READING
    current = replace(
        known,
        fleet=heard.fleet,
        run_id=heard.run_id,
        cycle=heard.cycle,
        scored_cycle=heard.scored_cycle,
        ts=heard.ts,
        heard_at=now,
        scored_at=now if due_anew else known.scored_at,
        silence=None if ends else known.silence,
        silent_from=None if ends else known.silent_from,
    )
    if known.silence is not None:
        deadline = _deadline(known.silence, deadlines)
        return Step(current, _ended(known, current, now, deadline) if ends else ())
    overdue = now - max(current.scored_at, judged_from) >= deadlines.score
    if overdue and current.is_proven(deadlines):
        return _silent(current, Silence.NO_SCORE, current.scored_at, deadlines.score, now)
    return Step(current)


def _silent(
    known: Watched, silence: Silence, since: datetime, deadline: timedelta, now: datetime
) -> Step:
    after = replace(known, silence=silence, silent_from=since)
    return Step(after, (Change(after, silence, since, True, now - since, deadline, after),))


def _ended(
    known: Watched, after: Watched | None, now: datetime, deadline: timedelta | None
) -> tuple[Change, ...]:
    if known.silence is None or known.silent_from is None:
        return ()
    lasted = now - known.silent_from
    return (Change(known, known.silence, known.silent_from, False, lasted, deadline, after),)


def _deadline(silence: Silence, deadlines: Deadlines) -> timedelta:
    return deadlines.reading if silence is Silence.NO_READING else deadlines.score
