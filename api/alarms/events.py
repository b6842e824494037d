"""The log of what operators did: who, when, why, what. Events are added, never rewritten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from common.records.alerts import Transition
from common.records.verdicts import Level


class Action(StrEnum):
    """What an operator did, as it happened."""

    ACKNOWLEDGED = "acknowledged"
    COMMENTED = "commented"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    CLOSED = "closed"
    JUDGED = "judged"
    MAINTENANCE_PLANNED = "maintenance_planned"
    MAINTENANCE_CHANGED = "maintenance_changed"
    MAINTENANCE_ENDED = "maintenance_ended"


class Judgement(StrEnum):
    """An operator's verdict on an alarm."""

    TRUE_ALARM = "true_alarm"
    FALSE_ALARM = "false_alarm"
    UNKNOWN = "unknown"


class Seen(NamedTuple):
    """How far an alarm had come when an operator acted: the cycle and kind of its latest alert.

    Alerts of one alarm are compared by it, whenever they arrived.
    """

    cycle: int
    transition: int

    @classmethod
    def of(cls, cycle: int, state: Transition) -> Seen:
        """Return the place of an alert within its alarm."""
        return cls(cycle, state.sequence)


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has its place in the log.

    Attributes:
        action: What was done.
        who: Who did it.
        at: When, UTC.
        why: The reason, note, comment or finding; empty where none was needed.
        request_id: The client's name for the request, so that a repetition changes nothing.
        alarm_id: Of which alarm; none for maintenance.
        asset_id: Of which asset; none for maintenance of a fleet.
        window_id: Of which maintenance window; none for alarms.
        fleet: Of which fleet; none for maintenance of an asset.
        run_id: In which run; none for maintenance.
        seen: How far the alarm had come.
        level: Shelved: the worst level that the shelf holds.
        until: Shelved: its end. Maintenance: the window's end.
        starts_at: Maintenance: the window's beginning.
        ends_on_recovery: Shelved: whether it ends when the alarm clears.
        judgement: Judged: the verdict.
    """

    action: Action
    who: str
    at: datetime
    why: str = ""
    request_id: str | None = None
    alarm_id: str | None = None
    asset_id: str | None = None
    window_id: str | None = None
    fleet: str | None = None
    run_id: str | None = None
    seen: Seen | None = None
    level: Level | None = None
    until: datetime | None = None
    starts_at: datetime | None = None
    ends_on_recovery: bool = False
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """An event in the log.

    Attributes:
        sequence: Its place in the log: 1, 2, 3 …, without gaps, visible in that order.
        done: What it says.
    """

    sequence: int
    done: Draft
