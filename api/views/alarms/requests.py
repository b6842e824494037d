"""Parameters and bodies of what concerns alarms, strictly: nothing unknown, nothing endless."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from api.alarms.actions import LONGEST_SHELF, Request
from api.alarms.events import Action, Judgement
from api.alarms.lifecycle import AlarmState
from api.http.queries import (
    AssetParam,
    CursorParam,
    FleetParam,
    MinLevelParam,
    Moment,
    RunParam,
    StrictQuery,
)
from common.records.ids import FLEET_PATTERN, ID_PATTERN
from common.records.verdicts import Level

MOST_AT_ONCE: Final = 500
"""Alarms in one bulk request."""

MAX_TEXT_CHARS: Final = 2000
LONGEST_SHELF_S: Final = int(LONGEST_SHELF.total_seconds())


def readable_text(text: str) -> str:
    """Return text without blanks around it.

    Raises:
        ValueError: If it holds what no log and no screen can show.
    """
    if not text.replace("\n", "").replace("\t", "").isprintable():
        raise ValueError("Input should be printable text")
    return text.strip()


def _not_blank(text: str) -> str:
    if not text:
        raise ValueError("Input should say something")
    return text


CONTROLS: Final = r"\u0000-\u0008\u000b-\u001f\u007f-\u009f"
TEXT_PATTERN: Final = f"^[^{CONTROLS}]*$"
NEEDED_PATTERN: Final = f"^[^{CONTROLS}]*[^{CONTROLS}\\s][^{CONTROLS}]*$"
"""For the description only: what is printable is more than a pattern can say."""

Text = Annotated[
    str,
    Field(max_length=MAX_TEXT_CHARS, json_schema_extra={"pattern": TEXT_PATTERN}),
    AfterValidator(readable_text),
]
NeededText = Annotated[
    Text, Field(json_schema_extra={"pattern": NEEDED_PATTERN}), AfterValidator(_not_blank)
]
NoteField = Annotated[
    Text, Field(description="Kept with it; may be empty.", examples=["oil sample ordered"])
]


class AlarmsQuery(StrictQuery):
    """Parameters of ``GET /api/v1/alarms``."""

    fleet: FleetParam = None
    asset_id: AssetParam = None
    run_id: RunParam = None
    level: Annotated[
        Literal[Level.WARNING, Level.CRITICAL] | None,
        Field(description="Only alarms whose worst level is this.", examples=["critical"]),
    ] = None
    min_level: MinLevelParam = None
    state: Annotated[
        AlarmState | None, Field(description="Only this state.", examples=["active"])
    ] = None
    standing: Annotated[
        bool | None,
        Field(description="Only those that are not closed, and active or unacknowledged."),
    ] = None
    acknowledged: Annotated[
        bool | None, Field(description="Only acknowledged ones, or only others.")
    ] = None
    shelved: Annotated[
        bool | None, Field(description="Only those that are shelved now, or only others.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=500, description="Most alarms in the page.")] = 100
    cursor: CursorParam = None


class KpisQuery(StrictQuery):
    """Parameters of ``GET /api/v1/alarms/kpis``."""

    since: Annotated[
        Moment | None,
        Field(description="Only alarms that arrived at or after this time; 7 days unless said."),
    ] = None
    until: Annotated[
        Moment | None, Field(description="Only alarms that arrived before this time; else now.")
    ] = None
    fleet: FleetParam = None
    operators: Annotated[
        int, Field(ge=1, le=1000, description="How many watch at a time.", examples=[2])
    ] = 1


class AnomalyEventsQuery(StrictQuery):
    """Parameters of ``GET /api/v1/anomaly_events``."""

    sensor_id: AssetParam = None
    severity: Annotated[
        Literal[Level.WARNING, Level.CRITICAL] | None, Field(description="Only this level.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=500, description="Most events in the page.")] = 100
    cursor: CursorParam = None


class AlarmStreamQuery(StrictQuery):
    """Parameters of ``GET /api/v1/alarms/stream``."""

    asset_id: AssetParam = None
    run_id: RunParam = None
    fleet: FleetParam = None
    last_event_id: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Go on after this event. The header `Last-Event-ID` goes before it.",
        ),
    ] = None
    replay: Annotated[
        Literal["all"] | None, Field(description="`all`: begin with the first of all.")
    ] = None


class MaintenanceQuery(StrictQuery):
    """Parameters of ``GET /api/v1/maintenance``."""

    current: Annotated[bool, Field(description="`true`: only windows that run or are planned.")] = (
        False
    )
    limit: Annotated[int, Field(ge=1, le=500, description="Most windows in the page.")] = 100
    cursor: CursorParam = None


class OperatorBody(BaseModel):
    """What every change may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    operator: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=100,
            description="Who does it, where no API keys are in use: `local` if left out. With keys "
            "it is the key's name, and this must be left out.",
            examples=["anna"],
        ),
        AfterValidator(lambda text: text if text is None else _not_blank(readable_text(text))),
    ] = None
    request_id: str | None = Field(
        None,
        pattern=ID_PATTERN,
        description="Your name for this request, new for each. Sent again, it changes nothing.",
        examples=["5e1f7c0e-7f5b-4c6d-9c3b-0f8f5f0b6a11"],
    )


class AlarmActionBody(OperatorBody):
    """What every action on one alarm may say."""

    expected_version: int | None = Field(
        None,
        ge=1,
        le=2**31,
        description="The `version` you have seen: 409 if the alarm has changed since.",
        examples=[3],
    )

    def _request(self, action: Action, who: str, why: str) -> Request:
        return Request(action, who, why, self.request_id, self.expected_version)


class AcknowledgeBody(AlarmActionBody):
    """Body of acknowledging one alarm."""

    note: NoteField = ""

    def request(self, who: str) -> Request:
        """Return what is asked for."""
        return self._request(Action.ACKNOWLEDGED, who, self.note)


class CommentBody(AlarmActionBody):
    """Body of a comment."""

    comment: NeededText = Field(examples=["borescope booked for Tuesday"])

    def request(self, who: str) -> Request:
        """Return what is asked for."""
        return self._request(Action.COMMENTED, who, self.comment)


class ShelveBody(AlarmActionBody):
    """Body of shelving an alarm."""

    reason: NeededText = Field(
        description="Why it is set aside.", examples=["sensor is replaced on the next stop"]
    )
    duration_s: int = Field(
        3600,
        ge=1,
        le=LONGEST_SHELF_S,
        description="For how long, s: 1 hour unless said, 30 days at most.",
        examples=[3600, 28800],
    )
    ends_on_recovery: bool = Field(
        False, description="End earlier when the alarm clears, so that the next one is heard."
    )

    def request(self, who: str) -> Request:
        """Return what is asked for."""
        return Request(
            Action.SHELVED,
            who,
            self.reason,
            self.request_id,
            self.expected_version,
            duration=timedelta(seconds=self.duration_s),
            ends_on_recovery=self.ends_on_recovery,
        )


class UnshelveBody(AlarmActionBody):
    """Body of taking a shelf off."""

    note: NoteField = ""

    def request(self, who: str) -> Request:
        """Return what is asked for."""
        return self._request(Action.UNSHELVED, who, self.note)


class CloseBody(AlarmActionBody):
    """Body of closing an alarm."""

    note: NeededText = Field(
        description="Why nothing more is to be done.", examples=["engine was exchanged"]
    )

    def request(self, who: str) -> Request:
        """Return what is asked for."""
        return self._request(Action.CLOSED, who, self.note)


class VerdictBody(AlarmActionBody):
    """Body of an operator's verdict."""

    verdict: Judgement = Field(description="Was the machine as the alarm said?")
    found: Text = Field(
        "", description="What was found; may be empty.", examples=["worn blades in stage 3"]
    )

    def request(self, who: str) -> Request:
        """Return what is asked for."""
        return Request(
            Action.JUDGED,
            who,
            self.found,
            self.request_id,
            self.expected_version,
            judgement=self.verdict,
        )


class BulkAcknowledgeBody(OperatorBody):
    """Body of acknowledging many alarms."""

    alarm_ids: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        min_length=1,
        max_length=MOST_AT_ONCE,
        description=f"Which, {MOST_AT_ONCE} at most.",
        examples=[["0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11"]],
    )
    note: NoteField = ""

    def request(self, who: str) -> Request:
        """Return what is asked for of each."""
        return Request(Action.ACKNOWLEDGED, who, self.note, self.request_id)


class PlanBody(OperatorBody):
    """Body of planning a maintenance window."""

    asset_id: str | None = Field(None, pattern=ID_PATTERN, examples=["FD001-test-031"])
    fleet: str | None = Field(None, pattern=FLEET_PATTERN, examples=["FD001"])
    starts_at: Moment | None = Field(
        None, description="From when on; now if left out.", examples=["2026-01-05T06:00:00Z"]
    )
    ends_at: Moment = Field(description="Until when.", examples=["2026-01-05T18:00:00Z"])
    reason: NeededText = Field(examples=["compressor wash"])

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.asset_id is None) == (self.fleet is None):
            raise ValueError("give either asset_id or fleet")
        return self

    def request(self, who: str) -> Request:
        """Return who asks, and why."""
        return Request(Action.MAINTENANCE_PLANNED, who, self.reason, self.request_id)


class RescheduleBody(OperatorBody):
    """Body of giving a maintenance window another end."""

    ends_at: Moment = Field(description="Until when.", examples=["2026-01-05T20:00:00Z"])
    reason: Text = Field("", description="The new reason; as it was if left out.")

    def request(self, who: str) -> Request:
        """Return who asks, and why."""
        return Request(Action.MAINTENANCE_CHANGED, who, self.reason, self.request_id)


class EndBody(OperatorBody):
    """Body of ending a maintenance window early."""

    reason: Text = Field("", description="Why it ends early; may be empty.")

    def request(self, who: str) -> Request:
        """Return who asks, and why."""
        return Request(Action.MAINTENANCE_ENDED, who, self.reason, self.request_id)
