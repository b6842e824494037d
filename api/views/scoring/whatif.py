"""What-if: another rule on stored scores, and what it would change."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from api.detection.values import Moved, OneSided, OtherRule, ToldAlert, WhatIfFound
from api.http.queries import AssetParam, Moment, RunParam, after_since
from api.known_fleets import KnownFleet, KnownModel
from common.records.ids import FLEET_PATTERN
from common.records.times import UtcTimestamp
from common.settings import AlarmSettings

Threshold = Annotated[float, Field(gt=-1e12, lt=1e12, allow_inf_nan=False)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ThresholdChanges(_Body):
    """Thresholds that would be other; those left out stay."""

    warning: Threshold | None = Field(
        None, description="Of the score: a warning from here on.", examples=[4.0]
    )
    critical: Threshold | None = Field(
        None, description="Of the score: critical from here on, where the score decides it."
    )
    life: Annotated[Threshold, Field(gt=0)] | None = Field(
        None,
        description="A warning is critical when at most so many steps are expected to be left, "
        "where remaining life decides it.",
    )


class AlarmChanges(_Body):
    """Fields of the alarm rule that would be other; those left out stay."""

    on_delay_cycles: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Anomalous readings that raise.", examples=[5]
    )
    on_window_cycles: Annotated[int, Field(ge=0, le=64)] | None = Field(
        None, description="Among how many of the last readings; 0: in a row."
    )
    off_delay_cycles: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        None, description="Quiet readings in a row that clear."
    )
    min_length_cycles: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None, description="How long an alarm is open at least."
    )
    merge_gap_cycles: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        None, description="How long an alarm that would clear waits for the next one."
    )
    deadband: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] | None = Field(
        None, description="How far below a warning a quiet reading is."
    )


class WhatIfRequest(_Body):
    """Which stored verdicts, and what would be other."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "fleet": "FD001",
                "run_id": "demo",
                "thresholds": {"warning": 4.0},
                "alarm": {"on_delay_cycles": 5},
            }
        }
    )

    fleet: Annotated[str, Field(pattern=FLEET_PATTERN, examples=["FD001"])]
    run_id: RunParam = None
    asset_id: AssetParam = None
    since: Annotated[Moment | None, Field(description="Only readings at or after this time.")] = (
        None
    )
    until: Annotated[Moment | None, Field(description="Only readings before this time.")] = None
    thresholds: ThresholdChanges = ThresholdChanges()
    alarm: AlarmChanges = AlarmChanges()

    _in_order = field_validator("until")(after_since)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.other.alarm and self.thresholds == ThresholdChanges():
            raise ValueError("nothing to change: give `thresholds` or `alarm`")
        return self

    @property
    def other(self) -> OtherRule:
        """What would be other."""
        return OtherRule(
            **self.thresholds.model_dump(), alarm=self.alarm.model_dump(exclude_none=True)
        )


class ThresholdsInForce(BaseModel):
    """Thresholds of one side."""

    warning: float | None
    critical: float | None = Field(description="Null where remaining life decides.")
    life: float | None = Field(description="Null where the score decides.")


class RuleView(BaseModel):
    """One side's rule."""

    thresholds: ThresholdsInForce
    alarm: AlarmSettings = Field(description="The fleet's; single assets may have their own.")


class MovedView(BaseModel):
    """An alert that is on both sides, at another cycle, onset or level."""

    asset_id: str
    run_id: str
    before: ToldAlert
    after: ToldAlert
    by_cycles: int = Field(description="How much later it would come; negative: earlier.")

    @classmethod
    def of(cls, moved: Moved) -> Self:
        """Return the api's view of it."""
        return cls(
            asset_id=moved.asset_id,
            run_id=moved.run_id,
            before=moved.before,
            after=moved.after,
            by_cycles=moved.after.cycle - moved.before.cycle,
        )


class ChangeCounts(BaseModel):
    """How many alerts differ, and how many do not."""

    gained: int
    lost: int
    moved: int
    same: int


class WhatIfView(BaseModel):
    """What would differ."""

    fleet: str
    run_id: str | None
    asset_id: str | None
    since: UtcTimestamp | None
    until: UtcTimestamp | None
    before: RuleView = Field(description="The rule as it is set.")
    after: RuleView = Field(description="The rule as it would be.")
    alarms_before: int = Field(description="Alarms raised under the first.")
    alarms_after: int = Field(description="Alarms raised under the second.")
    gained: list[OneSided] = Field(description="Alerts there would be in addition; at most 200.")
    lost: list[OneSided] = Field(description="Alerts there would not be; at most 200.")
    moved: list[MovedView] = Field(description="At most 200.")
    counts: ChangeCounts = Field(description="Of all alerts.")
    rows: int = Field(description="Stored verdicts that were looked at.")
    runs: int = Field(description="Of how many runs they are.")
    uncertain_rows: int = Field(
        description="Verdicts that would no longer warn by the score, of which it is not kept "
        "whether weaker evidence would."
    )
    complete: bool = Field(description="Whether all verdicts that were asked for were looked at.")
    cut_off: UtcTimestamp | None = Field(
        description="From which time on verdicts were not looked at; null if all were."
    )
    processing_time_ms: float

    @classmethod
    def of(
        cls,
        request: WhatIfRequest,
        found: WhatIfFound,
        known: tuple[KnownFleet, KnownModel],
        read: tuple[int, int, datetime | None],
        took_ms: float,
    ) -> Self:
        """Return the api's view.

        Args:
            request: What was asked.
            found: What would differ.
            known: The fleet and its model.
            read: Verdicts that were read, of how many runs, and from when on none were.
            took_ms: How long it took.
        """
        fleet, model = known
        rows, runs, cut_off = read
        before = ThresholdsInForce(
            warning=model.warning,
            critical=None if model.life is not None else model.critical,
            life=model.life,
        )
        given = request.thresholds.model_dump(exclude_none=True)
        changed = request.alarm.model_dump(exclude_none=True)
        return cls(
            fleet=request.fleet,
            run_id=request.run_id,
            asset_id=request.asset_id,
            since=request.since,
            until=request.until,
            before=RuleView(thresholds=before, alarm=fleet.alarm),
            after=RuleView(
                thresholds=before.model_copy(update=given),
                alarm=fleet.alarm.model_copy(update=changed),
            ),
            alarms_before=found.alarms_before,
            alarms_after=found.alarms_after,
            gained=list(found.gained),
            lost=list(found.lost),
            moved=[MovedView.of(each) for each in found.moved],
            counts=ChangeCounts(
                gained=found.gained_total,
                lost=found.lost_total,
                moved=found.moved_total,
                same=found.same,
            ),
            rows=rows,
            runs=runs,
            uncertain_rows=found.uncertain,
            complete=cut_off is None,
            cut_off=cut_off,
            processing_time_ms=took_ms,
        )
