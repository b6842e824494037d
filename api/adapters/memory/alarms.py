"""Alarms and the log of actions in memory, beside the alerts of the history in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from api.adapters.memory.alarm_figures import figures_of
from api.adapters.memory.alerts import MemoryAlertHistory
from api.alarms.events import ActionEvent
from api.alarms.facts import AlarmFacts
from api.alarms.figures import AlarmFigures, FiguresQuery
from api.alarms.lifecycle import Alarm, Urgency, alarm_at, shelf_of, urgency_of
from api.alarms.maintenance import Window, window_of
from api.alarms.ports import AlarmFilter, DecideAlarm, DecideWindow, Listed
from api.alarms.urgency import StandingAlarm
from api.notifications.rules import why_held
from api.ports import AlertFilter, StoredAlert


class MemoryAlarmStore:
    """Derives everything anew each time it is asked.

    Args:
        history: Where the alerts are.
    """

    def __init__(self, history: MemoryAlertHistory) -> None:
        self._history = history
        self._log: list[ActionEvent] = []

    async def find(self, alarm_id: str, now: datetime) -> Alarm | None:
        """Return the alarm as it stands, or none."""
        return (await self._alarms(now)).get(alarm_id)

    async def page(
        self, wanted: AlarmFilter, limit: int, now: datetime, *, after: Urgency | None = None
    ) -> Sequence[Listed]:
        """Return at most ``limit`` alarms, the most urgent first."""
        found = sorted(await self._listed(wanted, now), key=lambda item: item.urgency)
        return [item for item in found if after is None or item.urgency > after][:limit]

    async def latest(
        self, wanted: AlarmFilter, limit: int, now: datetime, *, before: int | None = None
    ) -> Sequence[Listed]:
        """Return at most ``limit`` alarms, the last to arrive first."""
        found = sorted(
            await self._listed(wanted, now), key=lambda item: item.urgency.sequence, reverse=True
        )
        return [item for item in found if before is None or item.urgency.sequence < before][:limit]

    async def standing(
        self, now: datetime, asset_ids: Collection[str] | None = None
    ) -> Sequence[StandingAlarm]:
        """Return all alarms that stand, the most urgent first."""
        found = sorted(
            await self._listed(AlarmFilter(standing=True), now), key=lambda item: item.urgency
        )
        return [
            StandingAlarm(
                alarm.facts.first.alarm_id,
                alarm.facts.first.asset_id,
                alarm.facts.first.run_id,
                alarm.facts.level,
                alarm.facts.is_active,
                alarm.acknowledgement is not None,
                alarm.shelf is not None,
                alarm.window is not None,
            )
            for alarm in (item.alarm for item in found)
            if asset_ids is None or alarm.facts.first.asset_id in asset_ids
        ]

    async def figures(self, query: FiguresQuery, now: datetime) -> AlarmFigures:
        """Count alarms."""
        return figures_of((await self._alarms(now)).values(), query, now)

    async def act(
        self,
        alarm_ids: Sequence[str],
        decide: DecideAlarm,
        now: datetime,
        request_id: str | None = None,
    ) -> Sequence[Alarm | None]:
        """Decide on each alarm and keep the events, or none of them."""
        alarms = await self._alarms(now)
        drafts = [
            decide(alarm_id, alarms.get(alarm_id), self._known(alarm_id, request_id))
            for alarm_id in alarm_ids
        ]
        for draft in drafts:
            if draft is not None:
                self._log.append(ActionEvent(len(self._log) + 1, draft))
        alarms = await self._alarms(now)
        return [alarms.get(alarm_id) for alarm_id in alarm_ids]

    async def act_on_window(self, window_id: str, decide: DecideWindow) -> Window:
        """Decide on a maintenance window and keep the event."""
        draft = decide(await self.window(window_id))
        self._log.append(ActionEvent(len(self._log) + 1, draft))
        window = await self.window(window_id)
        assert window is not None  # noqa: S101 - an event of it was just kept
        return window

    async def window(self, window_id: str) -> Window | None:
        """Return the window, or none."""
        return window_of(item for item in self._log if item.done.window_id == window_id)

    async def windows(
        self, limit: int, *, ends_after: datetime | None = None, before: int | None = None
    ) -> Sequence[Window]:
        """Return windows, the last planned first."""
        found = [
            window
            for window in self._windows()
            if (ends_after is None or window.ends_at > ends_after)
            and (before is None or window.events[0].sequence < before)
        ]
        return sorted(found, key=lambda window: window.events[0].sequence, reverse=True)[:limit]

    async def log(
        self, wanted: AlertFilter, limit: int, *, after: int = 0
    ) -> Sequence[ActionEvent]:
        """Return events beyond ``after`` in their order."""
        return [item for item in self._log[after:] if _concerns(item, wanted)][:limit]

    async def log_end(self) -> int:
        """Return the last sequence of the log."""
        return len(self._log)

    async def held(self, alarm_id: str, now: datetime) -> str:
        """Return why nobody is told of an alarm's news; empty if there is no reason."""
        facts, cleared, shelves = await self._facts()
        alarm = facts[alarm_id]
        shelf = shelf_of(shelves.get(alarm.first.asset_id, ()), cleared)
        return why_held(alarm, shelf, self._windows(), now)

    async def _listed(self, wanted: AlarmFilter, now: datetime) -> list[Listed]:
        alarms = (await self._alarms(now)).values()
        return [Listed(alarm, urgency_of(alarm)) for alarm in alarms if _matches(alarm, wanted)]

    async def _facts(
        self,
    ) -> tuple[dict[str, AlarmFacts], set[str], dict[str, list[ActionEvent]]]:
        alerts: dict[str, list[StoredAlert]] = defaultdict(list)
        for item in await self._history.page(AlertFilter(), 1_000_000):
            alerts[item.alert.alarm_id].append(item)
        facts = {
            alarm_id: AlarmFacts.of(found, self._history.arrived[alarm_id])
            for alarm_id, found in alerts.items()
        }
        cleared = {alarm_id for alarm_id, fact in facts.items() if not fact.is_active}
        return facts, cleared, _by_key(self._log, lambda item: item.done.asset_id)

    async def _alarms(self, now: datetime) -> dict[str, Alarm]:
        facts, cleared, shelves = await self._facts()
        events = _by_key(self._log, lambda item: item.done.alarm_id)
        windows = self._windows()
        return {
            alarm_id: alarm_at(
                now,
                fact,
                events.get(alarm_id, ()),
                shelf_of(shelves.get(fact.first.asset_id, ()), cleared),
                windows,
            )
            for alarm_id, fact in facts.items()
        }

    def _windows(self) -> list[Window]:
        grouped = _by_key(self._log, lambda item: item.done.window_id)
        found = (window_of(events) for events in grouped.values())
        return [window for window in found if window is not None]

    def _known(self, alarm_id: str, request_id: str | None) -> ActionEvent | None:
        if request_id is None:
            return None
        return next(
            (
                item
                for item in self._log
                if (item.done.alarm_id, item.done.request_id) == (alarm_id, request_id)
            ),
            None,
        )


def _by_key(
    events: Sequence[ActionEvent], key: Callable[[ActionEvent], str | None]
) -> dict[str, list[ActionEvent]]:
    grouped: dict[str, list[ActionEvent]] = defaultdict(list)
    for item in events:
        if (name := key(item)) is not None:
            grouped[name].append(item)
    return grouped


def _concerns(item: ActionEvent, wanted: AlertFilter) -> bool:
    """Return whether an event is of what is wanted; one that names no asset is of every asset."""
    done = item.done
    return all(
        ask is None or have is None or ask == have
        for ask, have in (
            (wanted.asset_id, done.asset_id),
            (wanted.run_id, done.run_id),
            (wanted.fleet, done.fleet),
        )
    )


def _matches(alarm: Alarm, wanted: AlarmFilter) -> bool:
    first, level = alarm.facts.first, alarm.facts.level
    return (
        wanted.asset_id in (None, first.asset_id)
        and wanted.run_id in (None, first.run_id)
        and wanted.fleet in (None, first.fleet)
        and wanted.level in (None, level)
        and (wanted.min_level is None or level.rank >= wanted.min_level.rank)
        and wanted.state in (None, alarm.state)
        and wanted.standing in (None, alarm.is_standing)
        and wanted.acknowledged in (None, alarm.acknowledgement is not None)
        and wanted.shelved in (None, alarm.shelf is not None)
    )
