"""Scoring on request: what is sent. Rows are looked at beside their machine type, not here."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.config import JsonDict

from api.http.queries import Moment, StrictQuery
from common.records.ids import DEFAULT_FLEET, FLEET_PATTERN, ID_PATTERN

MOST_WINDOWS: Final = 256
"""Of one batch."""

MOST_WINDOW_ROWS: Final = 10_000
"""As long as any machine type's window may be."""

MOST_READINGS: Final = 5000

ROW_EXAMPLE: Final[JsonDict] = {
    "altitude": 0.0,
    "mach": 0.0,
    "tra": 100.0,
    "T24": 642.37,
    "T30": 1586.9,
    "T50": 1402.65,
    "P30": 553.97,
    "Nf": 2388.05,
    "Nc": 9057.83,
    "Ps30": 47.35,
    "phi": 521.92,
    "NRf": 2388.05,
    "NRc": 8138.99,
    "BPR": 8.42,
    "htBleed": 392.25,
    "W31": 38.93,
    "W32": 23.36,
}
"""A sound turbofan of FD001, run as all of these are."""

WINDOW_ROWS: Final = 30
Row = Annotated[
    Any,
    WithJsonSchema(
        {
            "oneOf": [
                {"type": "array", "items": {"type": "number"}},
                {"type": "object", "additionalProperties": True},
            ],
            "description": "Numbers in the machine's units: a list in the order of the machine "
            "type (conditions, then used channels, or all channels), or an object by name.",
            "example": ROW_EXAMPLE,
        }
    ),
]
SensorId = Annotated[
    str,
    Field(pattern=ID_PATTERN, description="Whose readings these are.", examples=["engine-7"]),
]
FleetName = Annotated[
    str,
    Field(pattern=FLEET_PATTERN, description="Whose model is asked.", examples=["FD001"]),
]


class Body(BaseModel):
    """Base of all bodies: nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)


DETECT_EXAMPLE: Final[JsonDict] = {
    "sensor_id": "engine-7",
    "fleet": "FD001",
    "timestamp": "2026-01-01T00:00:00Z",
    "window": [ROW_EXAMPLE] * WINDOW_ROWS,
}


class DetectRequest(Body):
    """One window."""

    model_config = ConfigDict(json_schema_extra={"example": DETECT_EXAMPLE})

    sensor_id: SensorId
    fleet: FleetName = DEFAULT_FLEET
    timestamp: Annotated[
        Moment,
        Field(description="When its last reading was taken.", examples=["2026-01-01T00:00:00Z"]),
    ]
    window: Annotated[
        list[Row],
        Field(
            min_length=1,
            max_length=MOST_WINDOW_ROWS,
            description="Exactly as many rows as the model looks at, oldest first.",
        ),
    ]


class BatchRequest(Body):
    """Some windows, of any fleets."""

    model_config = ConfigDict(json_schema_extra={"example": {"items": [DETECT_EXAMPLE]}})

    items: Annotated[list[DetectRequest], Field(min_length=1, max_length=MOST_WINDOWS)]


class PredictRequest(Body):
    """Consecutive readings of one sensor."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "sensor_id": "engine-7",
                "fleet": "FD001",
                "first_cycle": 1,
                "readings": [ROW_EXAMPLE] * (WINDOW_ROWS + 1),
            }
        }
    )

    sensor_id: SensorId
    fleet: FleetName = DEFAULT_FLEET
    first_cycle: Annotated[
        int | None,
        Field(
            ge=1,
            le=2**52,
            description="Cycle of the first reading, if it is known: remaining life needs the age "
            "of the run.",
            examples=[1],
        ),
    ] = None
    readings: Annotated[
        list[Row],
        Field(
            min_length=1,
            max_length=MOST_READINGS,
            description="Feature vectors, oldest first, without gaps. In an object a channel may "
            "be null, and is then held as live.",
        ),
    ]


class CsvQuery(StrictQuery):
    """Parameters of ``POST /api/v1/detect/csv``."""

    fleet: FleetName = DEFAULT_FLEET
    sensor_id: Annotated[
        str,
        Field(
            pattern=ID_PATTERN,
            description="What to call the machine where no column says it.",
            examples=["engine-7"],
        ),
    ] = "upload"
