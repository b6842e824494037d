"""What the operators' desk needs from the outside: where alarms and the log of actions are kept.

The fake is ``adapters/memory/alarms.py``; ``tests/contract/test_alarms.py`` holds it and the real
adapters to the same promises.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from api.alarms.events import ActionEvent, Draft
from api.alarms.figures import AlarmFigures, FiguresQuery
from api.alarms.lifecycle import Alarm, AlarmState, Urgency
from api.alarms.maintenance import Window
from api.alarms.urgency import StandingAlarm
from api.ports import AlertFilter
from common.records.verdicts import Level


@dataclass(frozen=True, slots=True)
class AlarmFilter:
    """Which alarms; all conditions apply together, none given means all alarms.

    Attributes:
        asset_id: Only this asset.
        run_id: Only this run.
        fleet: Only this fleet.
        level: Only alarms whose worst level is this.
        min_level: Only this level or worse.
        state: Only this state.
        standing: Only those that ask for somebody, or only those that do not.
        acknowledged: Only acknowledged ones, or only others.
        shelved: Only those on a shelf that holds, or only others.
    """

    asset_id: str | None = None
    run_id: str | None = None
    fleet: str | None = None
    level: Level | None = None
    min_level: Level | None = None
    state: AlarmState | None = None
    standing: bool | None = None
    acknowledged: bool | None = None
    shelved: bool | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """An alarm in the list, and its place there."""

    alarm: Alarm
    urgency: Urgency


DecideAlarm = Callable[[str, Alarm | None, ActionEvent | None], Draft | None]
"""Given an alarm's id, the alarm (none if unknown) and the event that this request has led to
before (none if it is new), returns the event to add, or none. What it raises undoes everything."""

DecideWindow = Callable[[Window | None], Draft]


class AlarmStore(Protocol):
    """Alarms as the history's alerts make them, and the append-only log of what operators did.

    Writers of alerts and of actions are ordered: what ``act`` decides on is what it changes.
    Raises, from every method: ``BackendError``.
    """

    async def find(self, alarm_id: str, now: datetime) -> Alarm | None:
        """Return the alarm as it stands, or none."""

    async def page(
        self, wanted: AlarmFilter, limit: int, now: datetime, *, after: Urgency | None = None
    ) -> Sequence[Listed]:
        """Return at most ``limit`` alarms, the most urgent first.

        Args:
            wanted: Which alarms.
            limit: Most alarms, at least 1.
            now: The moment at which shelves hold or have ended.
            after: Only less urgent ones than this place.
        """

    async def latest(
        self, wanted: AlarmFilter, limit: int, now: datetime, *, before: int | None = None
    ) -> Sequence[Listed]:
        """Return at most ``limit`` alarms, the last to arrive first.

        Args:
            wanted: Which alarms.
            limit: Most alarms, at least 1.
            now: The moment at which shelves hold or have ended.
            before: Only alarms that arrived before this sequence.
        """

    async def standing(
        self, now: datetime, asset_ids: Collection[str] | None = None
    ) -> Sequence[StandingAlarm]:
        """Return all alarms that stand, the most urgent first; only those of these assets.

        Args:
            now: The moment at which shelves and windows hold.
            asset_ids: Whose; everybody's if none.
        """

    async def figures(self, query: FiguresQuery, now: datetime) -> AlarmFigures:
        """Count alarms, where they are kept. Times are told to the millisecond."""

    async def act(
        self,
        alarm_ids: Sequence[str],
        decide: DecideAlarm,
        now: datetime,
        request_id: str | None = None,
    ) -> Sequence[Alarm | None]:
        """Decide on each alarm and keep the events, all in one transaction.

        Args:
            alarm_ids: Which, each once.
            decide: Decides on each.
            now: The moment.
            request_id: The request, to find what it has led to before.

        Returns:
            Each alarm as it stands afterwards; none where there is none.
        """

    async def act_on_window(self, window_id: str, decide: DecideWindow) -> Window:
        """Decide on a maintenance window and keep the event; returns it as it stands afterwards."""

    async def window(self, window_id: str) -> Window | None:
        """Return the window, or none."""

    async def windows(
        self, limit: int, *, ends_after: datetime | None = None, before: int | None = None
    ) -> Sequence[Window]:
        """Return windows, the last planned first.

        Args:
            limit: Most windows.
            ends_after: Only those that end later.
            before: Only those whose plan is earlier in the log.
        """

    async def log(
        self, wanted: AlertFilter, limit: int, *, after: int = 0
    ) -> Sequence[ActionEvent]:
        """Return events beyond ``after`` in their order, of the wanted asset, run and fleet."""

    async def log_end(self) -> int:
        """Return the last sequence of the log; 0 if it is empty."""
