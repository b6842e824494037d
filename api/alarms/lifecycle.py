"""The state of an alarm: one pure function of its alerts, the log of actions, and the time.

The detector says whether an alarm is *active* or *cleared*; operators acknowledge, shelve, close
and judge it. Nothing else is stored: a shelf that has expired is over by the clock alone. What an
operator did holds for what there was to see: an escalation after it asks for attention anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from api.alarms.events import Action, ActionEvent, Seen
from api.alarms.facts import AlarmFacts
from api.alarms.maintenance import Window, holding
from common.records.verdicts import Level


class AlarmState(StrEnum):
    """Where an alarm stands; ISA-18.2 calls cleared "return to normal"."""

    ACTIVE = "active"
    CLEARED = "cleared"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Shelf:
    """An operator set an asset's alarms aside for a while.

    Attributes:
        event: How: by whom, when, why, until when.
        recovered: Whether the alarm it was put on has cleared.
    """

    event: ActionEvent
    recovered: bool

    @property
    def until(self) -> datetime:
        """When it ends by itself."""
        found = self.event.done.until
        assert found is not None  # noqa: S101 - every shelf has one
        return found

    @property
    def level(self) -> Level:
        """The worst level that it holds."""
        return self.event.done.level or Level.WARNING

    def holds(self, level: Level, now: datetime) -> bool:
        """Return whether an alarm of its asset, at this level, is shelved now."""
        if self.event.done.ends_on_recovery and self.recovered:
            return False
        return now < self.until and level.rank <= self.level.rank


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm at a moment.

    Attributes:
        facts: What the detector says.
        events: What operators did about it, in order.
        acknowledgement: The event that acknowledges it; none if it waits for one.
        closure: The event that closed it, if that holds.
        judgement: The latest verdict, if there is one.
        shelf: The shelf it is on, if that holds.
        window: The maintenance window that its asset is in, if there is one.
    """

    facts: AlarmFacts
    events: tuple[ActionEvent, ...]
    acknowledgement: ActionEvent | None
    closure: ActionEvent | None
    judgement: ActionEvent | None
    shelf: Shelf | None
    window: Window | None

    @property
    def state(self) -> AlarmState:
        """Active, cleared or closed."""
        if self.closure is not None:
            return AlarmState.CLOSED
        return AlarmState.ACTIVE if self.facts.is_active else AlarmState.CLEARED

    @property
    def is_standing(self) -> bool:
        """Whether it asks for somebody: it is not closed, and active or unacknowledged."""
        return is_standing(self.state, acknowledged=self.acknowledgement is not None)

    @property
    def version(self) -> int:
        """Grows with each alert and each action: who acts on an older one acts on what is past."""
        return len(self.facts.alerts) + len(self.events)


class Urgency(NamedTuple):
    """The order of the list of alarms, the most urgent first.

    Attributes:
        rank: Standing before others, then critical before warning, then unacknowledged first.
        severity: The negative peak of severity.
        sequence: The alarm that came earlier.
    """

    rank: int
    severity: float
    sequence: int


def is_standing(state: AlarmState, *, acknowledged: bool) -> bool:
    """Return whether an alarm in this state asks for somebody."""
    return state is AlarmState.ACTIVE or (state is AlarmState.CLEARED and not acknowledged)


def urgency_of(alarm: Alarm) -> Urgency:
    """Return an alarm's place in the list."""
    acknowledged = alarm.acknowledgement is not None
    rank = 8 * (not alarm.is_standing) + 2 * (2 - alarm.facts.level.rank) + acknowledged
    return Urgency(rank, -alarm.facts.peak, alarm.facts.sequence)


def alarm_at(
    now: datetime,
    facts: AlarmFacts,
    events: Iterable[ActionEvent],
    shelf: Shelf | None = None,
    windows: Sequence[Window] = (),
) -> Alarm:
    """Return the alarm as it stands at ``now``.

    Args:
        now: The moment.
        facts: What its alerts say.
        events: What was done about this very alarm, in whatever order.
        shelf: The latest shelf of its asset (:func:`shelf_of`), whether it holds or not.
        windows: Maintenance windows, whether they hold or not.
    """
    ordered = tuple(sorted(events, key=lambda item: item.sequence))
    acknowledgement = _latest(ordered, Action.ACKNOWLEDGED, facts.attention)
    closure = _latest(ordered, Action.CLOSED, facts.attention)
    alarm = Alarm(
        facts, ordered, acknowledgement, closure, _latest(ordered, Action.JUDGED), None, None
    )
    first = facts.first
    held = shelf is not None and alarm.is_standing and shelf.holds(facts.level, now)
    return Alarm(
        facts,
        ordered,
        acknowledgement,
        closure,
        alarm.judgement,
        shelf if held else None,
        holding(windows, first.asset_id, first.fleet, now) if alarm.is_standing else None,
    )


def shelf_of(events: Iterable[ActionEvent], cleared: Iterable[str]) -> Shelf | None:
    """Return the latest shelf of an asset, unless it was taken off.

    Args:
        events: What was done about the asset's alarms.
        cleared: Alarms that have cleared.
    """
    ours = [item for item in events if item.done.action in (Action.SHELVED, Action.UNSHELVED)]
    last = max(ours, key=lambda item: item.sequence, default=None)
    if last is None or last.done.action is Action.UNSHELVED:
        return None
    return Shelf(last, last.done.alarm_id in set(cleared))


def _latest(
    events: Sequence[ActionEvent], action: Action, attention: Seen | None = None
) -> ActionEvent | None:
    """Return the latest such event that was done in sight of ``attention``."""
    for item in reversed(events):
        seen = item.done.seen
        if item.done.action is action and (
            attention is None or (seen is not None and seen >= attention)
        ):
            return item
    return None
