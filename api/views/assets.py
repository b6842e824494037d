"""Assets at a glance, as the api shows them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, Field

from api.alarms.urgency import AssetState, StandingAlarm
from api.assets import ListedAsset
from api.ports import StoredAlert
from api.views.runs import RunView
from common.records.alerts import Transition
from common.records.times import UtcTimestamp
from common.records.verdicts import Evidence, Level


class OpenAlarm(BaseModel):
    """An alarm that was not cleared."""

    alarm_id: str
    level: Level
    state: Transition = Field(description="Its latest transition.")
    onset_cycle: int = Field(description="First cycle of the anomalous stretch.")
    cycle: int = Field(description="Cycle of the latest transition.")
    ts: UtcTimestamp = Field(description="Time of the latest transition.")
    alert_id: str = Field(description="Its latest alert.")

    @classmethod
    def of(cls, stored: StoredAlert) -> Self:
        """Return the api's view of an open alarm, from its latest alert."""
        return cls(**stored.alert.model_dump(include=set(cls.model_fields)))


class SilentView(BaseModel):
    """No reading, or no score, came by its deadline."""

    alarm_id: str = Field(description="The alarm that says so.")
    evidence: Evidence = Field(
        description="`silent`: no reading came; `unscored`: readings came, and no score."
    )
    last_ts: UtcTimestamp = Field(description="Time of the last reading before the alarm.")
    reason: str = Field(examples=["No reading since 2026-01-01 14:03:00 UTC: …"])

    @classmethod
    def of(cls, stored: StoredAlert) -> Self:
        """Return the api's view of a silence, from the alert that began it."""
        alert = stored.alert
        return cls(
            alarm_id=alert.alarm_id, evidence=alert.evidence, last_ts=alert.ts, reason=alert.reason
        )


class StandingView(BaseModel):
    """The alarm that tells how an asset stands."""

    alarm_id: str
    run_id: str
    state: Literal["active", "cleared"]
    level: Level
    acknowledged: bool
    shelved: bool
    out_of_service: bool

    @classmethod
    def of(cls, alarm: StandingAlarm | None) -> Self | None:
        """Return the api's view of an alarm, if there is one."""
        if alarm is None:
            return None
        return cls(
            alarm_id=alarm.alarm_id,
            run_id=alarm.run_id,
            state="active" if alarm.active else "cleared",
            level=alarm.level,
            acknowledged=alarm.acknowledged,
            shelved=alarm.shelved,
            out_of_service=alarm.out_of_service,
        )


class WarmUpView(BaseModel):
    """How far the window that is being filled has come."""

    seen: int = Field(description="Readings in it.", examples=[12])
    needed: int = Field(description="Readings of a full one.", examples=[30])


class Asset(RunView):
    """One asset: its latest run at a glance."""

    asset_id: str = Field(examples=["FD001-test-001"])
    runs: int = Field(description="How many runs of this asset are stored.")
    dated_in_future: bool = Field(description="Whether `last_ts` lies more than an hour ahead.")
    state: AssetState = Field(
        description="`active` and `cleared` (but not acknowledged) are said of `standing`."
    )
    level: Level | None = Field(description="Of the alarm that is active.")
    asks: bool = Field(
        description="Whether its alarm was not acknowledged, shelved or put out of service."
    )
    standing: StandingView | None = Field(
        description="The active alarm of the latest run, else the most urgent that stands."
    )
    alarm: OpenAlarm | None = Field(description="The alarm that is open in this run, if any.")
    silent: SilentView | None = Field(
        None, description="Why nothing can be said of it at present: it is silent, or not scored."
    )
    warm_up: WarmUpView | None = Field(
        description="None once the last reading is scored, and where the machine type is unknown."
    )

    @classmethod
    def of(
        cls,
        listed: ListedAsset,
        alarm: StoredAlert | None,
        *,
        dated_in_future: bool,
        silent: StoredAlert | None = None,
    ) -> Self:
        """Return the api's view of one asset."""
        run, standing, warm_up = listed.run, listed.alarm, listed.warm_up
        return cls.of_run(
            run,
            asset_id=run.asset_id,
            runs=listed.runs,
            dated_in_future=dated_in_future,
            state=listed.state,
            level=standing.level if standing is not None and standing.active else None,
            asks=standing is not None and standing.asks,
            standing=StandingView.of(standing),
            alarm=None if alarm is None else OpenAlarm.of(alarm),
            silent=None if silent is None else SilentView.of(silent),
            warm_up=None
            if warm_up is None
            else WarmUpView(seen=warm_up.seen, needed=warm_up.needed),
        )


class AssetPage(BaseModel):
    """Assets with a verdict, a page at a time."""

    items: list[Asset]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")
