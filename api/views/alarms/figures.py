"""What the api says of figures to judge the alarms by."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from api.alarms.events import Judgement
from api.alarms.figures import (
    STRETCH,
    AlarmFigures,
    ChannelCount,
    FiguresQuery,
    Load,
    false_part,
    load_of,
)
from api.known_fleets import KnownFleets
from common.records.times import UtcTimestamp


class BusiestView(BaseModel):
    """The ten minutes with the most alarms."""

    at: UtcTimestamp = Field(description="When they began.")
    alarms: int = Field(examples=[14])


class ChatteringAsset(BaseModel):
    """An asset with alarms that ended and came again."""

    asset_id: str = Field(examples=["FD001-test-031"])
    alarms: int = Field(description="How many of its alarms did.", examples=[3])
    flaps: int = Field(description="How often.", examples=[22])


class ChatteringView(BaseModel):
    """Alarms that ended and came again, too soon to be others."""

    alarms: int = Field(examples=[9])
    flaps: int = Field(description="How often they did.", examples=[41])
    assets: list[ChatteringAsset] = Field(description="At most 10, the worst first.")


class OldAlarmView(BaseModel):
    """The alarm that has been active for longest."""

    alarm_id: str
    asset_id: str = Field(examples=["FD001-test-007"])
    arrived_at: UtcTimestamp


class StaleView(BaseModel):
    """Alarms that are active and came more than a day ago, whenever that was."""

    alarms: int = Field(examples=[3])
    oldest: OldAlarmView | None


class AcknowledgementView(BaseModel):
    """How soon alarms are acknowledged: from their arrival to the first acknowledgement."""

    acknowledged: int = Field(examples=[1200])
    waiting: int = Field(description="Alarms that nobody has acknowledged.", examples=[60])
    median_s: float | None = Field(description="None where none was.", examples=[94.0])
    p90_s: float | None = Field(description="Nine of ten took at most so long.", examples=[611.0])


class VerdictsView(BaseModel):
    """The latest verdict of each alarm."""

    true_alarm: int = Field(examples=[30])
    false_alarm: int = Field(examples=[8])
    unknown: int = Field(examples=[2])
    false_part: float | None = Field(
        description="Of those judged true or false; none where there are none.", examples=[0.211]
    )


class AssetCountView(BaseModel):
    """How many alarms an asset had."""

    asset_id: str = Field(examples=["FD001-test-031"])
    alarms: int = Field(examples=[210])
    part: float = Field(description="Of all alarms.", examples=[0.167])


class ChannelCountView(BaseModel):
    """In how many alarms a channel had the largest share when they were raised."""

    fleet: str = Field(examples=["FD001"])
    channel: str = Field(examples=["T50"])
    meaning: str = Field(
        description="Empty where the machine type is not known.",
        examples=["total temperature at LPT outlet"],
    )
    unit: str = Field(examples=["°R"])
    alarms: int = Field(examples=[300])
    part: float = Field(description="Of all alarms.", examples=[0.238])

    @classmethod
    def of(cls, count: ChannelCount, alarms: int, known: KnownFleets) -> Self:
        """Return the api's view of a channel's alarms."""
        machine = known.machine(count.fleet)
        channels = () if machine is None else machine.channels
        words = next((each for each in channels if each.name == count.channel), None)
        return cls(
            fleet=count.fleet,
            channel=count.channel,
            meaning="" if words is None else words.meaning,
            unit="" if words is None else words.unit,
            alarms=count.alarms,
            part=_part(count.alarms, alarms),
        )


class AlarmFiguresView(BaseModel):
    """Figures to judge the alarms by, after ISA-18.2 and EEMUA 191."""

    since: UtcTimestamp
    until: UtcTimestamp
    fleet: str | None
    operators: int = Field(description="How many watch at a time.", examples=[2])
    alarms: int = Field(description="How many arrived.", examples=[1260])
    per_day: float = Field(examples=[180.0])
    per_operator_hour: float = Field(examples=[3.75])
    load: Load = Field(
        description="Alarms per operator and day: `acceptable` up to 150, `manageable` up to 300."
    )
    busiest: BusiestView | None = Field(description="The ten minutes with the most alarms.")
    flood_part: float = Field(
        description="Part of all stretches of ten minutes with more than 10 alarms for each "
        "operator; at most 0.01 is good.",
        examples=[0.002],
    )
    chattering: ChatteringView
    stale: StaleView
    acknowledgement: AcknowledgementView
    verdicts: VerdictsView
    top_assets: list[AssetCountView] = Field(description="At most 10.")
    top_channels: list[ChannelCountView] = Field(description="At most 10.")

    @classmethod
    def of(cls, found: AlarmFigures, query: FiguresQuery, known: KnownFleets) -> Self:
        """Return the api's view of what a store has counted."""
        per_day = found.alarms / query.days
        verdicts = found.verdicts
        busiest, oldest = found.busiest, found.oldest
        stretches = max(1.0, (query.until - query.since) / STRETCH)
        return cls(
            since=query.since,
            until=query.until,
            fleet=query.fleet,
            operators=query.operators,
            alarms=found.alarms,
            per_day=per_day,
            per_operator_hour=per_day / 24 / query.operators,
            load=load_of(per_day / query.operators),
            busiest=None if busiest is None else BusiestView(**busiest._asdict()),
            flood_part=min(1.0, found.floods / stretches),
            chattering=ChatteringView(
                alarms=found.chattering,
                flaps=found.flaps,
                assets=[ChatteringAsset(**each._asdict()) for each in found.chattering_assets],
            ),
            stale=StaleView(
                alarms=found.stale,
                oldest=None if oldest is None else OldAlarmView(**oldest._asdict()),
            ),
            acknowledgement=AcknowledgementView(
                acknowledged=found.acknowledged,
                waiting=found.alarms - found.acknowledged,
                median_s=found.median_s,
                p90_s=found.p90_s,
            ),
            verdicts=VerdictsView(
                true_alarm=verdicts.get(Judgement.TRUE_ALARM, 0),
                false_alarm=verdicts.get(Judgement.FALSE_ALARM, 0),
                unknown=verdicts.get(Judgement.UNKNOWN, 0),
                false_part=false_part(verdicts),
            ),
            top_assets=[
                AssetCountView(
                    asset_id=each.asset_id,
                    alarms=each.alarms,
                    part=_part(each.alarms, found.alarms),
                )
                for each in found.assets
            ],
            top_channels=[
                ChannelCountView.of(each, found.alarms, known) for each in found.channels
            ],
        )


def _part(some: int, alarms: int) -> float:
    return some / alarms if alarms else 0.0
