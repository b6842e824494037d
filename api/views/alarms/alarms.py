"""What the api says of alarms, of what operators did about them, and of maintenance windows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field

from api.alarms.desk import BulkOutcome, Outcome
from api.alarms.events import Action, ActionEvent, Judgement
from api.alarms.lifecycle import Alarm, AlarmState, Shelf
from api.alarms.maintenance import Window, WindowState
from api.views.alerts import AlertView
from api.views.machines import ChannelTold
from api.views.parts import AlertLifeView
from api.views.runs import is_simulated
from common.machines.machine import MachineType
from common.records.alerts import ModelRef
from common.records.times import UtcTimestamp
from common.records.verdicts import Evidence, Level


class ActionView(BaseModel):
    """What an operator did. It is never rewritten."""

    sequence: int = Field(description="Place in the log of all actions.", examples=[17])
    action: Action
    who: str = Field(description="Name of the key, or of the operator.", examples=["anna"])
    at: UtcTimestamp
    why: str = Field(description="Note, reason, comment or finding.")
    alarm_id: str | None = Field(description="Of which alarm; none for maintenance.")
    asset_id: str | None = Field(description="Of which asset; none for maintenance of a fleet.")
    fleet: str | None = Field(description="Of which fleet; none for maintenance of an asset.")
    maintenance_id: str | None = Field(description="Of which maintenance window.")
    until: UtcTimestamp | None = Field(description="End of the shelf, or of the window.")
    starts_at: UtcTimestamp | None = Field(description="Beginning of the window.")
    ends_on_recovery: bool
    verdict: Judgement | None
    request_id: str | None

    @classmethod
    def of(cls, event: ActionEvent) -> Self:
        """Return the api's view of an event."""
        done = event.done
        return cls(
            sequence=event.sequence,
            action=done.action,
            who=done.who,
            at=done.at,
            why=done.why,
            alarm_id=done.alarm_id,
            asset_id=done.asset_id,
            fleet=done.fleet,
            maintenance_id=done.window_id,
            until=done.until,
            starts_at=done.starts_at,
            ends_on_recovery=done.ends_on_recovery,
            verdict=done.judgement,
            request_id=done.request_id,
        )


class DoneView(BaseModel):
    """Who did it, when, why."""

    who: str = Field(examples=["anna"])
    at: UtcTimestamp
    why: str

    @classmethod
    def of(cls, event: ActionEvent | None) -> Self | None:
        """Return the api's view of an event, if there is one."""
        return (
            None if event is None else cls(who=event.done.who, at=event.done.at, why=event.done.why)
        )


class ShelfView(DoneView):
    """An alarm is set aside: by whom, since when, why, and for how much longer."""

    until: UtcTimestamp
    left_s: int = Field(description="Time left, s.", examples=[2940])
    ends_on_recovery: bool

    @classmethod
    def of_shelf(cls, shelf: Shelf | None, now: datetime) -> Self | None:
        """Return the api's view of a shelf, if there is one."""
        if shelf is None:
            return None
        done = shelf.event.done
        return cls(
            who=done.who,
            at=done.at,
            why=done.why,
            until=shelf.until,
            left_s=_left_s(shelf.until, now),
            ends_on_recovery=done.ends_on_recovery,
        )


class OutOfServiceView(BaseModel):
    """The asset is under maintenance."""

    maintenance_id: str
    until: UtcTimestamp
    left_s: int = Field(description="Time left, s.")
    reason: str

    @classmethod
    def of(cls, window: Window | None, now: datetime) -> Self | None:
        """Return the api's view of a window that holds, if there is one."""
        if window is None:
            return None
        return cls(
            maintenance_id=window.window_id,
            until=window.ends_at,
            left_s=_left_s(window.ends_at, now),
            reason=window.why,
        )


class VerdictView(DoneView):
    """An operator's verdict; `why` is what was found."""

    verdict: Judgement

    @classmethod
    def of_event(cls, event: ActionEvent | None) -> Self | None:
        """Return the api's view of a verdict, if there is one."""
        if event is None or event.done.judgement is None:
            return None
        done = event.done
        return cls(who=done.who, at=done.at, why=done.why, verdict=done.judgement)


class AlarmView(BaseModel):
    """An alarm as it stands: what the detector says, and what operators did about it."""

    alarm_id: str = Field(examples=["0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11"])
    version: int = Field(description="Grows with each alert and each action.", examples=[3])
    fleet: str = Field(examples=["FD001"])
    asset_id: str = Field(examples=["FD001-test-031"])
    run_id: str = Field(examples=["demo"])
    simulated: bool = Field(description="Whether the run came from the simulator.")
    level: Level = Field(description="The worst it had.")
    state: AlarmState = Field(
        description="`active`, `cleared` (returned to normal), or `closed` by an operator."
    )
    standing: bool = Field(description="Not closed, and active or unacknowledged.")
    acknowledged: bool = Field(description="Whether somebody has seen it as bad as it is.")
    acknowledgement: DoneView | None
    shelved: ShelfView | None
    out_of_service: OutOfServiceView | None
    closed: DoneView | None
    verdict: VerdictView | None
    onset_cycle: int = Field(description="First cycle of the anomalous stretch.")
    raised_ts: UtcTimestamp = Field(description="Time of the reading that raised it.")
    arrived_at: UtcTimestamp | None = Field(
        description="When it reached this api; none for alarms of an earlier version."
    )
    cleared_ts: UtcTimestamp | None = Field(description="Time of the reading that cleared it.")
    cleared_cycle: int | None
    peak_severity: float = Field(
        description="The highest of its alerts; 1 is a warning for every model.", examples=[1.9]
    )
    alert_id: str = Field(description="The latest alert that is no end; what follows is its own.")
    cycle: int
    step: str = Field(description="What one reading is called.", examples=["cycle"])
    ts: UtcTimestamp
    evidence: Evidence
    severity: float | None
    score: float
    threshold: float
    life: AlertLifeView | None
    channels: list[ChannelTold] = Field(description="Contributions, largest first.")
    model: ModelRef
    reason: str = Field(description="The transition in one sentence.")

    @classmethod
    def of(cls, alarm: Alarm, now: datetime, machine: MachineType | None = None) -> Self:
        """Return the api's view of an alarm at a moment."""
        return cls(**_fields(alarm, now, machine))


class AlarmDetail(AlarmView):
    """An alarm with its alerts and with all that was done about it."""

    alerts: list[AlertView] = Field(description="In the order of the machine's cycles.")
    events: list[ActionView] = Field(description="In the order of the log.")

    @classmethod
    def of(cls, alarm: Alarm, now: datetime, machine: MachineType | None = None) -> Self:
        """Return the api's whole view of an alarm at a moment."""
        return cls(
            **_fields(alarm, now, machine),
            alerts=[AlertView.of(item, machine) for item in alarm.facts.alerts],
            events=[ActionView.of(item) for item in alarm.events],
        )


class AlarmPage(BaseModel):
    """Alarms, a page at a time, the most urgent first."""

    items: list[AlarmView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class BulkItem(BaseModel):
    """What became of one alarm of many."""

    alarm_id: str
    outcome: Outcome
    version: int | None = Field(description="As it stands now; none if it is unknown.")


class BulkResult(BaseModel):
    """What became of each alarm, in the order asked for."""

    items: list[BulkItem]
    acknowledged: int = Field(description="How many this request has acknowledged.")

    @classmethod
    def of(cls, outcomes: Sequence[BulkOutcome]) -> Self:
        """Return the api's view of the outcomes."""
        return cls(
            items=[
                BulkItem(
                    alarm_id=item.alarm_id,
                    outcome=item.outcome,
                    version=None if item.alarm is None else item.alarm.version,
                )
                for item in outcomes
            ],
            acknowledged=sum(item.outcome is Outcome.ACKNOWLEDGED for item in outcomes),
        )


class MaintenanceView(BaseModel):
    """A maintenance window: an asset, or a whole fleet, is out of service."""

    maintenance_id: str
    asset_id: str | None
    fleet: str | None
    starts_at: UtcTimestamp
    ends_at: UtcTimestamp
    state: WindowState
    reason: str
    planned_by: str = Field(examples=["anna"])
    events: list[ActionView] = Field(description="The plan, and what changed since.")

    @classmethod
    def of(cls, window: Window, now: datetime) -> Self:
        """Return the api's view of a window at a moment."""
        return cls(
            maintenance_id=window.window_id,
            asset_id=window.plan.asset_id,
            fleet=window.plan.fleet,
            starts_at=window.starts_at,
            ends_at=window.ends_at,
            state=window.state(now),
            reason=window.why,
            planned_by=window.plan.who,
            events=[ActionView.of(item) for item in window.events],
        )


class MaintenancePage(BaseModel):
    """Maintenance windows, a page at a time, the last planned first."""

    items: list[MaintenanceView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


class AnomalyEvent(BaseModel):
    """An alarm as one flat row, for tools that know no alarms."""

    id: str = Field(description="The alarm's id.")
    sensor_id: str = Field(description="The asset.", examples=["FD001-test-031"])
    timestamp: UtcTimestamp = Field(description="Time of the reading that raised it.")
    anomaly_score: float = Field(description="Score of its latest alert that is no end.")
    threshold: float = Field(description="What that score was compared with.")
    severity: Level = Field(description="The worst level it had.")
    status: Literal["active", "acknowledged", "resolved"] = Field(
        description="`resolved`: cleared or closed."
    )
    acknowledged_by: str | None
    acknowledged_at: UtcTimestamp | None

    @classmethod
    def of(cls, alarm: Alarm) -> Self:
        """Return an alarm as a row."""
        facts, seen = alarm.facts, alarm.acknowledgement
        status: Literal["active", "acknowledged", "resolved"] = (
            "active" if seen is None else "acknowledged"
        )
        return cls(
            id=facts.first.alarm_id,
            sensor_id=facts.first.asset_id,
            timestamp=facts.first.ts,
            anomaly_score=facts.telling.score,
            threshold=facts.telling.threshold,
            severity=facts.level,
            status=status if alarm.state is AlarmState.ACTIVE else "resolved",
            acknowledged_by=None if seen is None else seen.done.who,
            acknowledged_at=None if seen is None else seen.done.at,
        )


class AnomalyEventPage(BaseModel):
    """Alarms as flat rows, the last to arrive first."""

    items: list[AnomalyEvent]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")


def _fields(alarm: Alarm, now: datetime, machine: MachineType | None) -> dict[str, object]:
    facts = alarm.facts
    told, cleared = facts.telling, None if facts.is_active else facts.latest
    return {
        **told.model_dump(
            include={"alert_id", "cycle", "ts", "evidence", "severity", "score", "threshold"}
            | {"life", "model", "reason"}
        ),
        "alarm_id": told.alarm_id,
        "version": alarm.version,
        "fleet": told.fleet,
        "asset_id": told.asset_id,
        "run_id": told.run_id,
        "simulated": is_simulated(told.run_id),
        "level": facts.level,
        "state": alarm.state,
        "standing": alarm.is_standing,
        "acknowledged": alarm.acknowledgement is not None,
        "acknowledgement": DoneView.of(alarm.acknowledgement),
        "shelved": ShelfView.of_shelf(alarm.shelf, now),
        "out_of_service": OutOfServiceView.of(alarm.window, now),
        "closed": DoneView.of(alarm.closure),
        "verdict": VerdictView.of_event(alarm.judgement),
        "onset_cycle": told.onset_cycle,
        "raised_ts": facts.first.ts,
        "arrived_at": facts.arrived_at,
        "cleared_ts": None if cleared is None else cleared.ts,
        "cleared_cycle": None if cleared is None else cleared.cycle,
        "peak_severity": facts.peak,
        "step": "cycle" if machine is None else machine.step.word,
        "channels": ChannelTold.all_of(told.channels, machine),
    }


def _left_s(until: datetime, now: datetime) -> int:
    return max(0, round((until - now).total_seconds()))
