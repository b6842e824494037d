"""Looks, again and again, what has come, and says which assets are silent.

One question to the score store a look, whatever the number of assets. Every api looks, one of them
judges: it remembers in the alert history's database, together with the alerts, so that a silence
that has begun is neither forgotten nor told twice, whoever dies when. While nobody can tell
whether readings are read at all (no detector), nothing becomes overdue.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.known_fleets import KnownFleets
from api.metrics import ApiMetrics
from api.ports import FleetCatalogue
from api.replays.ports import Replay, ReplayRecords
from api.silence.alerts import silence_alert
from api.silence.deadlines import Deadlines, deadlines_of
from api.silence.hearing import Look, Sums, hear
from api.silence.ports import Claim, Numbers, Outcome, SilenceStore
from api.silence.rule import Change, Watched, step
from api.silence.shares import Window, grown, sums_of
from common.clock import Clock
from common.errors import BackendError
from common.logs import get_logger
from common.records.alerts import Transition
from common.scorestore.port import RunActivity, ScoreStore
from common.settings import SilenceSettings

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What the last look has found.

    Attributes:
        looked_at: When that was; none before the first.
        suspended: Why nothing is overdue at present; empty where silence is judged.
        deadlines: By fleet; a text is why its assets are not watched.
        numbers: By fleet, how many assets are watched and silent.
        window: What part of readings was scored; none before the first window is over.
    """

    looked_at: datetime | None = None
    suspended: str = ""
    deadlines: Mapping[str, Deadlines | str] = field(default_factory=dict)
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    window: Window | None = None


@dataclass(slots=True)
class SilenceWatch:
    """The loop that looks.

    Attributes:
        settings: What is due, and how often to look.
        scores: Tells what has come.
        store: Remembers.
        records: Knows which runs are replays.
        catalogue: Knows the fleets' machine types.
        blocked: Says why readings are not being read; nothing where they are.
        clock: What time it is.
        ring: Called after alerts were added, so that streams look.
        metrics: Counts.
        holder: This process, for the others.
        report: What the last look has found.
    """

    settings: SilenceSettings
    scores: ScoreStore
    store: SilenceStore
    records: ReplayRecords
    catalogue: FleetCatalogue
    blocked: Callable[[], Awaitable[str]]
    clock: Clock
    ring: Callable[[], None]
    metrics: ApiMetrics
    holder: str = field(default_factory=lambda: str(uuid.uuid4()))
    report: Report = field(default_factory=Report)
    _known: dict[str, Watched] = field(default_factory=dict)
    _stored: dict[str, Watched] = field(default_factory=dict)
    _since: datetime | None = None
    _before: Sums | None = None
    _window_began: tuple[datetime, Sums] | None = None
    _failing: bool = False

    async def run(self) -> None:
        """Look until cancelled. A store that is down is asked again at the next look."""
        while True:
            try:
                await self.look()
                self._failing = False
            except BackendError as exc:
                self._note(str(exc))
            except Exception:  # noqa: BLE001 - a defect must not end the watch until a restart
                self._before = None
                _log.exception("a look for silent assets failed")
            await self.clock.sleep(self.settings.every_s)

    async def look(self) -> None:
        """Look once."""
        now = self.clock.now()
        tolerance = timedelta(seconds=self.settings.clock_tolerance_s)
        since = self._since = self._since or now - tolerance
        runs = await self.scores.activity(since)
        sums = await asyncio.to_thread(sums_of, runs)
        look = Look(now, tolerance, self._before, await self._replayed())
        suspended = await self.blocked()
        deadlines = _deadlines(await self.catalogue.fleets(), self.settings)
        every = timedelta(seconds=self.settings.every_s)
        claim = await self.store.claim(self.holder, now, every)
        if claim is not None:
            await self._judge(claim, runs, look, deadlines, suspended)
        await self._count(sums, now, tolerance)
        numbers = await self.store.numbers()
        window = self.report.window
        self.report = Report(now, suspended, deadlines, numbers, window)
        self.metrics.show_silent({fleet: numbers.get(fleet, Numbers(0, 0)) for fleet in deadlines})

    async def _judge(
        self,
        claim: Claim,
        runs: Sequence[RunActivity],
        look: Look,
        deadlines: Mapping[str, Deadlines | str],
        suspended: str,
    ) -> None:
        """Judge every asset and keep what has changed, or nothing if another has taken over."""
        if claim.is_new:
            self._stored = {item.asset_id: item for item in await self.store.watched()}
            self._known = dict(self._stored)
        judged_from = look.now if suspended else claim.judged_from
        # who has just begun has heard nothing in time; what is overdue is so at the next look, too
        from_now = look.now if claim.is_new else judged_from
        # thousands of machines take a while: others are served meanwhile
        known, outcome = await asyncio.to_thread(
            self._conclude, runs, look, deadlines, from_now, judged_from
        )
        nothing_new = not (outcome.kept or outcome.forgotten or outcome.alerts)
        if nothing_new and judged_from == claim.judged_from:
            self._known = known
            return
        if not await self.store.keep(self.holder, outcome, look.now):
            return
        self._known = known
        self._stored.update({item.asset_id: item for item in outcome.kept})
        for asset_id in outcome.forgotten:
            del self._stored[asset_id]
        if outcome.alerts:
            self.ring()
            began = sum(each.alert.state is Transition.RAISED for each in outcome.alerts)
            back = len(outcome.alerts) - began
            _log.info("assets fell silent, or came back", silent=began, back=back)

    def _conclude(
        self,
        runs: Sequence[RunActivity],
        look: Look,
        deadlines: Mapping[str, Deadlines | str],
        from_now: datetime,
        judged_from: datetime,
    ) -> tuple[dict[str, Watched], Outcome]:
        """Return every asset after the look, and what is to be kept of it; changes nothing."""
        known, changes = _judged(self._known, runs, look, deadlines, from_now)
        kept, forgotten = _to_keep(known, self._stored, deadlines)
        alerts = [silence_alert(each) for each in changes]
        return known, Outcome(kept, forgotten, alerts, judged_from)

    async def _count(self, sums: Sums, now: datetime, tolerance: timedelta) -> None:
        """Note what was counted, and end the window when its time is over."""
        self._before = sums
        if self._window_began is None:
            self._window_began = (now, sums)
        began, first = self._window_began
        if now - began < timedelta(seconds=self.settings.scored_over_s):
            return
        window = Window(now, now - began, await asyncio.to_thread(grown, first, sums))
        # counts of one beginning can be compared: from here on there is another
        self._since = now - tolerance
        self._before = await asyncio.to_thread(sums_of, await self.scores.activity(self._since))
        self._window_began = (now, self._before)
        self.report = Report(
            self.report.looked_at,
            self.report.suspended,
            self.report.deadlines,
            self.report.numbers,
            window,
        )

    async def _replayed(self) -> frozenset[str]:
        return frozenset(
            each.spec.run_id if isinstance(each, Replay) else each.run_id
            for each in await self.records.all()
        )

    def _note(self, why: str) -> None:
        """Say once that nothing can be told; the next looks say nothing until one succeeds."""
        if not self._failing:
            _log.warning("nobody can tell which assets are silent, for now", why=why)
        self._failing = True


def _deadlines(fleets: KnownFleets, settings: SilenceSettings) -> dict[str, Deadlines | str]:
    return {name: deadlines_of(fleets.machine(name), settings) for name in fleets.fleets}


def _judged(
    known: Mapping[str, Watched],
    runs: Sequence[RunActivity],
    look: Look,
    deadlines: Mapping[str, Deadlines | str],
    judged_from: datetime,
) -> tuple[dict[str, Watched], list[Change]]:
    """Return every asset after the look, and what has changed."""
    heard = hear(runs, known.get, look)
    after: dict[str, Watched] = {}
    changes: list[Change] = []
    for asset_id in known.keys() | heard.keys():
        before, new = known.get(asset_id), heard.get(asset_id)
        fleet = new.fleet if new is not None else known[asset_id].fleet
        due = deadlines.get(fleet)
        due = due if isinstance(due, Deadlines) else None
        if before is not None and look.is_replay(before.run_id):
            due = None  # it has turned out to be a replay
        taken = step(asset_id, before, new, due, look.now, judged_from)
        changes += taken.changes
        if taken.watched is not None:
            after[asset_id] = taken.watched
    return after, sorted(changes, key=lambda each: (each.silent_from, each.before.asset_id))


def _to_keep(
    known: Mapping[str, Watched],
    stored: Mapping[str, Watched],
    deadlines: Mapping[str, Deadlines | str],
) -> tuple[list[Watched], list[str]]:
    """Return which assets to write, and which to forget.

    When an asset was heard is written a few times in each deadline, not at each look: after a
    restart, what came since is seen by its readings' times.
    """
    kept = []
    for asset_id, item in known.items():
        due, before = deadlines.get(item.fleet), stored.get(asset_id)
        if not isinstance(due, Deadlines) or not item.is_proven(due):
            continue
        if before is None or _differs(item, before, due.reading / 4):
            kept.append(item)
    return kept, [asset_id for asset_id in stored if asset_id not in known]


def _differs(item: Watched, before: Watched, enough: timedelta) -> bool:
    return (
        (item.run_id, item.fleet, item.silence) != (before.run_id, before.fleet, before.silence)
        or item.heard_at - before.heard_at >= enough
        or item.scored_at - before.scored_at >= enough
    )
