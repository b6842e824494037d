"""Figures to judge the alarms by, after ISA-18.2 and EEMUA 191: what they are, and what is good."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from api.alarms.events import Judgement

STRETCH: Final = timedelta(minutes=10)
"""Alarms are counted by ten minutes of the clock."""

FLOOD: Final = 10
"""More alarms than that in ten minutes are a flood for one operator (ISA-18.2, 16.5)."""

STALE: Final = timedelta(days=1)
MOST_LISTED: Final = 10
USUAL: Final = timedelta(days=7)
"""Time of which figures are told, unless said."""

LONGEST: Final = timedelta(days=366)

ACCEPTABLE_PER_DAY: Final = 150.0
"""For one operator (ISA-18.2, table 7: about 150, or 6 an hour)."""

MANAGEABLE_PER_DAY: Final = 300.0


class Load(StrEnum):
    """Whether operators can answer so many alarms."""

    ACCEPTABLE = "acceptable"
    MANAGEABLE = "manageable"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class FiguresQuery:
    """Which alarms.

    Attributes:
        since: Those that arrived at or after this time.
        until: Those that arrived before this time.
        fleet: Only of this fleet.
        operators: How many watch at a time.
    """

    since: datetime
    until: datetime
    fleet: str | None = None
    operators: int = 1

    @property
    def days(self) -> float:
        """How long it is from the beginning to the end, days."""
        return (self.until - self.since) / timedelta(days=1)

    @property
    def flood(self) -> int:
        """How many alarms in ten minutes are not yet a flood."""
        return FLOOD * self.operators


class AssetCount(NamedTuple):
    """How many alarms an asset had; flaps are those of its chattering alarms."""

    asset_id: str
    alarms: int
    flaps: int = 0


class ChannelCount(NamedTuple):
    """In how many alarms a channel had the largest share when they were raised."""

    fleet: str
    channel: str
    alarms: int


class OldAlarm(NamedTuple):
    """An alarm that has been active for long."""

    alarm_id: str
    asset_id: str
    arrived_at: datetime


class Busiest(NamedTuple):
    """The ten minutes with the most alarms, the first of several."""

    at: datetime
    alarms: int


@dataclass(frozen=True, slots=True)
class AlarmFigures:
    """What a store counts. All but ``stale`` and ``oldest`` is of alarms that arrived in the time.

    Attributes:
        alarms: How many.
        busiest: The ten minutes with the most; none where there is no alarm.
        floods: Stretches of ten minutes with more than ``FiguresQuery.flood``.
        chattering: Alarms that ended and came again.
        flaps: How often.
        chattering_assets: Whose, those with the most flaps first.
        stale: Alarms that are active, and came more than a day ago, whenever that was.
        oldest: The first of these.
        acknowledged: How many were acknowledged at all.
        median_s: Time to the first acknowledgement, s; none where none was.
        p90_s: Nine of ten took at most so long (nearest rank).
        verdicts: The latest of each alarm, by kind.
        assets: Those with the most alarms.
        channels: Those that were largest most often.
    """

    alarms: int = 0
    busiest: Busiest | None = None
    floods: int = 0
    chattering: int = 0
    flaps: int = 0
    chattering_assets: Sequence[AssetCount] = ()
    stale: int = 0
    oldest: OldAlarm | None = None
    acknowledged: int = 0
    median_s: float | None = None
    p90_s: float | None = None
    verdicts: Mapping[Judgement, int] = field(default_factory=dict)
    assets: Sequence[AssetCount] = ()
    channels: Sequence[ChannelCount] = ()


def load_of(per_operator_day: float) -> Load:
    """Return whether an operator can answer so many alarms a day.

    Example:
        >>> load_of(150.0).value, load_of(150.1).value, load_of(301.0).value
        ('acceptable', 'manageable', 'too_many')
    """
    if per_operator_day <= ACCEPTABLE_PER_DAY:
        return Load.ACCEPTABLE
    return Load.MANAGEABLE if per_operator_day <= MANAGEABLE_PER_DAY else Load.TOO_MANY


def false_part(verdicts: Mapping[Judgement, int]) -> float | None:
    """Return which part of alarms judged true or false is false; none where there are none."""
    false = verdicts.get(Judgement.FALSE_ALARM, 0)
    judged = false + verdicts.get(Judgement.TRUE_ALARM, 0)
    return false / judged if judged else None
