"""Which asset needs somebody first. Pure; the one home of this rule, for api, console, terminal."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from common.records.verdicts import Level


class AssetState(StrEnum):
    """How an asset stands, in a word."""

    ACTIVE = "active"
    CLEARED = "cleared"
    QUIET = "quiet"
    NOT_SCORED = "not_scored"


class StandingAlarm(NamedTuple):
    """An alarm that stands, as little of it as orders assets: a tuple, for there are many.

    Attributes:
        alarm_id: Which.
        asset_id: Whose.
        run_id: In which run.
        level: Its worst level.
        active: Whether the detector has not cleared it.
        acknowledged: Whether somebody has seen it.
        shelved: Whether it is on a shelf that holds.
        out_of_service: Whether its asset is in a maintenance window.
    """

    alarm_id: str
    asset_id: str
    run_id: str
    level: Level
    active: bool
    acknowledged: bool
    shelved: bool
    out_of_service: bool

    @property
    def asks(self) -> bool:
        """Whether nobody has seen it, nor set it aside."""
        return not (self.acknowledged or self.shelved or self.out_of_service)


class AssetUrgency(NamedTuple):
    """What sorts the worst asset first; smaller is more urgent.

    Attributes:
        level: The negative rank of the alarm that is active; 0 without.
        seen: Whether no alarm of it asks for somebody.
        scored: Whether it is being scored.
        severity: The negative of the latest severity; 1 where there is none.
        asset_id: Its name.
    """

    level: int
    seen: bool
    scored: bool
    severity: float
    asset_id: str


def alarm_of(alarms: Iterable[StandingAlarm], run_id: str) -> StandingAlarm | None:
    """Return the alarm that tells how an asset stands.

    Args:
        alarms: Those of the asset that stand, the most urgent first.
        run_id: Its latest run; an alarm that is active in it goes before all others.
    """
    first: StandingAlarm | None = None
    for alarm in alarms:
        if alarm.active and alarm.run_id == run_id:
            return alarm
        first = first or alarm
    return first


def state_of(alarm: StandingAlarm | None, *, scored: bool) -> AssetState:
    """Return how an asset stands."""
    if alarm is not None:
        return AssetState.ACTIVE if alarm.active else AssetState.CLEARED
    return AssetState.QUIET if scored else AssetState.NOT_SCORED


def asset_urgency(
    asset_id: str, alarm: StandingAlarm | None, severity: float | None, *, scored: bool
) -> AssetUrgency:
    """Return an asset's place among the others.

    Args:
        asset_id: Its name.
        alarm: The one of :func:`alarm_of`.
        severity: The latest, as a multiple of the warning threshold.
        scored: Whether any reading of its latest run was scored.
    """
    urgent = 1.0 if severity is None else -severity
    if alarm is None:
        return AssetUrgency(0, True, scored, urgent, asset_id)
    return AssetUrgency(
        -alarm.level.rank if alarm.active else 0, not alarm.asks, scored, urgent, asset_id
    )
