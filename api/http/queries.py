"""Query parameters, strictly: unknown names, repeated names and loose values are refused."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from fastapi import Request
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from starlette.requests import HTTPConnection

from api.http.problems import invalid
from common.records.alerts import Transition
from common.records.ids import FLEET_PATTERN, ID_PATTERN
from common.records.verdicts import Level, Verdict

RFC3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.IGNORECASE
)


FIRST_MOMENT: Final = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC)


def rfc3339(value: object) -> object:
    """Let RFC 3339 text and moments pass.

    Raises:
        ValueError: If text is something else, even if a date could be guessed from it.
    """
    if isinstance(value, datetime) or (isinstance(value, str) and RFC3339.fullmatch(value)):
        return value
    hint = ""
    if isinstance(value, str) and RFC3339.fullmatch(value.replace(" ", "+")):
        hint = "; write the + of a URL as %2B"
    raise ValueError(f"Input should be RFC 3339 with a zone, such as 2026-01-01T00:00:00Z{hint}")


def in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC; the nearest there is, where a zone leads out of the years 1-9999.

    Example:
        >>> in_utc(datetime.fromisoformat("0001-01-01T00:00:00+23:59")).isoformat()
        '0001-01-01T00:00:00+00:00'
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return FIRST_MOMENT if moment.year == 1 else LAST_MOMENT


Moment = Annotated[AwareDatetime, BeforeValidator(rfc3339), AfterValidator(in_utc)]
AssetParam = Annotated[
    str | None,
    Field(pattern=ID_PATTERN, description="Only this asset.", examples=["FD001-test-001"]),
]
FleetParam = Annotated[
    str | None,
    Field(pattern=FLEET_PATTERN, description="Only this fleet.", examples=["FD001"]),
]
RunParam = Annotated[
    str | None, Field(pattern=ID_PATTERN, description="Only this run.", examples=["demo"])
]
SinceParam = Annotated[
    Moment | None,
    Field(description="Only readings at or after this time.", examples=["2026-01-01T00:00:00Z"]),
]
UntilParam = Annotated[
    Moment | None,
    Field(description="Only readings before this time.", examples=["2026-01-01T00:05:00Z"]),
]
MinLevelParam = Annotated[
    Literal[Level.WARNING, Level.CRITICAL] | None,
    Field(description="Only this level or worse.", examples=["warning"]),
]
CursorParam = Annotated[
    str | None,
    Field(
        max_length=2000,
        description="`next_cursor` of the page before; all other parameters must be the same.",
    ),
]
OrderParam = Annotated[
    Literal["newest", "oldest"],
    Field(description="Which end to begin with.", examples=["newest"]),
]


class StrictQuery(BaseModel):
    """Base of all sets of query parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def after_since(until: datetime | None, info: ValidationInfo) -> datetime | None:
    """Return ``until`` of a model that has ``since`` before it.

    Raises:
        ValueError: If the range between them is empty.
    """
    since = info.data.get("since")
    if since is not None and until is not None and since >= until:
        raise ValueError("`since` must be before `until`")
    return until


class TimeRangeQuery(StrictQuery):
    """Base of queries with a time range."""

    since: SinceParam = None
    until: UntilParam = None

    _in_order = field_validator("until")(after_since)


class ScoresQuery(TimeRangeQuery):
    """Parameters of ``GET /api/v1/scores``."""

    asset_id: AssetParam = None
    run_id: RunParam = None
    fleet: FleetParam = None
    status: Annotated[
        Verdict | None, Field(description="Only this verdict.", examples=["scored"])
    ] = None
    min_level: MinLevelParam = None
    limit: Annotated[int, Field(ge=1, le=10_000, description="Most rows in the page.")] = 100
    cursor: CursorParam = None
    order: OrderParam = "newest"


class AlertsQuery(TimeRangeQuery):
    """Parameters of ``GET /api/v1/alerts``."""

    asset_id: AssetParam = None
    run_id: RunParam = None
    fleet: FleetParam = None
    alarm_id: Annotated[
        str | None, Field(max_length=200, description="Only the alerts of this alarm.")
    ] = None
    level: Annotated[
        Literal[Level.WARNING, Level.CRITICAL] | None,
        Field(description="Only exactly this level.", examples=["critical"]),
    ] = None
    min_level: MinLevelParam = None
    state: Annotated[
        Transition | None, Field(description="Only this transition.", examples=["raised"])
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="Most alerts in the page.")] = 100
    cursor: CursorParam = None
    order: OrderParam = "newest"


class StreamQuery(StrictQuery):
    """Parameters of ``GET /api/v1/alerts/stream``."""

    asset_id: AssetParam = None
    run_id: RunParam = None
    fleet: FleetParam = None
    min_level: MinLevelParam = None
    last_event_id: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Go on after this alert. The header `Last-Event-ID` goes before it.",
        ),
    ] = None
    replay: Annotated[
        Literal["all"] | None, Field(description="`all`: begin with the first alert of all.")
    ] = None


class PlotParameters(TimeRangeQuery):
    """Parameters of ``GET /api/v1/scores/plot``."""

    asset_id: Annotated[
        str,
        Field(pattern=ID_PATTERN, description="Which asset.", examples=["FD001-test-001"]),
    ]
    run_id: Annotated[
        str | None,
        Field(pattern=ID_PATTERN, description="Which run; else the latest.", examples=["demo"]),
    ] = None
    points: Annotated[int, Field(ge=16, le=5000, description="Most points.")] = 1000


class AssetsQuery(StrictQuery):
    """Parameters of ``GET /api/v1/assets``."""

    asset_id: AssetParam = None
    run_id: Annotated[
        str | None,
        Field(pattern=ID_PATTERN, description="This run of each asset, not its latest."),
    ] = None
    fleet: FleetParam = None
    state: Annotated[
        Literal["active", "cleared", "quiet", "not_scored"] | None,
        Field(description="Only assets that stand so.", examples=["active"]),
    ] = None
    level: Annotated[
        Literal[Level.WARNING, Level.CRITICAL] | None,
        Field(description="Only assets with an active alarm of this level."),
    ] = None
    order: Annotated[
        Literal["name", "urgency"],
        Field(description="By name, or the one first that needs somebody most."),
    ] = "name"
    limit: Annotated[int, Field(ge=1, le=1000, description="Most assets in the page.")] = 200
    cursor: CursorParam = None


class RunsQuery(StrictQuery):
    """Parameters of ``GET /api/v1/assets/{asset_id}/runs``."""

    limit: Annotated[int, Field(ge=1, le=1000, description="Most runs in the page.")] = 100
    cursor: CursorParam = None


class LabelsQuery(StrictQuery):
    """Parameters of ``GET /api/v1/assets/{asset_id}/labels``."""

    run_id: Annotated[
        str | None,
        Field(pattern=ID_PATTERN, description="In which run; the latest where it is not said."),
    ] = None


class ReadingsQuery(StrictQuery):
    """Parameters of ``GET /api/v1/readings``."""

    asset_id: Annotated[
        str, Field(pattern=ID_PATTERN, description="Whose.", examples=["FD001-test-001"])
    ]
    run_id: Annotated[
        str | None,
        Field(pattern=ID_PATTERN, description="In which run; the latest where it is not said."),
    ] = None
    fleet: FleetParam = None
    limit: Annotated[int, Field(ge=1, le=2000, description="Most readings, the latest.")] = 200


def refuse_repeated(connection: HTTPConnection) -> None:
    """Refuse a parameter that is given twice: one of the two would be ignored."""
    counts = Counter(name for name, _ in connection.query_params.multi_items())
    for name, count in counts.items():
        if count > 1:
            raise invalid("query", name, f"given {count} times; once is enough")


def no_query(request: Request) -> None:
    """Refuse every parameter, where there are none."""
    for name, value in request.query_params.multi_items():
        raise invalid("query", name, "there is no such parameter", value)
