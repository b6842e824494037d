"""Scoring on request: what is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field

from api.detection.values import (
    CsvAsset,
    CsvFound,
    CsvProblem,
    Found,
    LifeLeftValue,
    Peak,
    ReadingFound,
    ReadingsFound,
    Region,
    RowStatus,
    Share,
    Sureness,
)
from api.known_fleets import KnownModel
from api.views.machines import ChannelTold
from api.views.parts import LifeView
from api.views.scoring.requests import DetectRequest, PredictRequest
from common.machines.machine import MachineType
from common.records.alerts import ChannelShare, ModelRef
from common.records.times import UtcTimestamp
from common.records.verdicts import Evidence, Level


class Told(BaseModel):
    """What every answer says of the model, and how sure it can be."""

    model_version: str = Field(examples=["d94d52fa8e02"])
    model: ModelRef
    confidence_windows: int | None = Field(
        description="How many healthy validation windows `confidence` is measured on; null where "
        "the artifact has no such table.",
        examples=[915],
    )
    confidence_missing: str | None = Field(description="Why there is no `confidence`.")


def told_of(known: KnownModel, sureness: Sureness) -> dict[str, Any]:
    """Return the fields of :class:`Told`."""
    return {
        "model_version": known.ref.version,
        "model": known.ref,
        "confidence_windows": sureness.windows,
        "confidence_missing": sureness.missing,
    }


ConfidenceField = Annotated[
    float | None,
    Field(
        description="Part of the healthy validation windows whose severity is lower, 0 to 1.",
        examples=[0.997],
    ),
]


class Detection(Told):
    """What the model says of one window."""

    sensor_id: str = Field(examples=["engine-7"])
    fleet: str = Field(examples=["FD001"])
    timestamp: UtcTimestamp
    anomaly_score: float = Field(
        description="The model's score; higher is more anomalous.", examples=[4.12]
    )
    is_anomaly: bool = Field(description="Whether `severity` is at least 1.")
    level: Level = Field(description="What this window alone comes to.")
    evidence: Evidence = Field(description="What is held against the machine most.")
    severity: float = Field(
        description="How much: 1 is a warning for every model and machine.", examples=[1.19]
    )
    threshold: float = Field(description="The warning threshold of `evidence`.", examples=[3.474])
    confidence: ConfidenceField
    life: LifeView | None = Field(
        description="How long is left, by this window alone; null where the model does not know."
    )
    channels: list[ChannelTold] = Field(
        description="Each channel's share of the evidence, largest first."
    )


class TimedDetection(Detection):
    """What the model says of one window, and how long that took."""

    processing_time_ms: float = Field(description="In the api, ms.", examples=[3.1])


class BatchDetection(BaseModel):
    """What the models say of some windows, in their order."""

    items: list[Detection]
    processing_time_ms: float = Field(description="Of all of them, ms.", examples=[9.8])


def detection_fields(
    request: DetectRequest, found: Found, sureness: Sureness, known: KnownModel
) -> dict[str, Any]:
    """Return the fields of :class:`Detection`."""
    return {
        "sensor_id": request.sensor_id,
        "fleet": request.fleet,
        "timestamp": request.timestamp,
        "anomaly_score": found.score,
        "is_anomaly": found.level is not Level.NONE,
        "level": found.level,
        "evidence": found.evidence,
        "severity": found.severity,
        "threshold": found.threshold,
        "confidence": found.confidence,
        "life": _life(found.life),
        "channels": channels_told(found.channels, known.machine),
        **told_of(known, sureness),
    }


class Prediction(BaseModel):
    """What the model says of one reading, by the window that ends with it."""

    reading: int = Field(description="Which of those that were sent, from 1.", examples=[30])
    score: float = Field(description="Higher is more anomalous.", examples=[1.02])
    label: Literal["normal", "anomaly"] = Field(description="`anomaly` from severity 1 on.")
    level: Level
    severity: float = Field(description="1 is a warning.", examples=[0.29])
    confidence: ConfidenceField
    life: LifeView | None = Field(description="How long is left; null where it is not known.")

    @classmethod
    def of(cls, found: ReadingFound) -> Self:
        """Return the api's view of a reading."""
        return cls(
            reading=found.reading + 1,
            score=found.score,
            label="normal" if found.level is Level.NONE else "anomaly",
            level=found.level,
            severity=found.severity,
            confidence=found.confidence,
            life=_life(found.life),
        )


class Unscored(BaseModel):
    """Readings without a prediction."""

    status: RowStatus = Field(description="Why: `warming_up` is before the first full window.")
    readings: int


class Predictions(Told):
    """What the model says of consecutive readings."""

    sensor_id: str = Field(examples=["engine-7"])
    fleet: str = Field(examples=["FD001"])
    readings: int = Field(description="How many were sent.")
    window_length: int = Field(description="How many readings in a row the model looks at.")
    predictions: list[Prediction] = Field(
        description="One for each reading at which a full window ends."
    )
    unscored: list[Unscored]
    processing_time_ms: float = Field(description="In the api, ms.", examples=[3.4])

    @classmethod
    def of(
        cls, request: PredictRequest, found: ReadingsFound, known: KnownModel, took_ms: float
    ) -> Self:
        """Return the api's view of readings."""
        return cls(
            sensor_id=request.sensor_id,
            fleet=request.fleet,
            readings=len(request.readings),
            window_length=known.machine.window.length,
            predictions=[Prediction.of(each) for each in found.found],
            unscored=[
                Unscored(status=status, readings=count) for status, count in found.unscored.items()
            ],
            processing_time_ms=took_ms,
            **told_of(known, found.sureness),
        )


class RegionView(BaseModel):
    """Rows in which the fleet's alarm rule would have an alarm open."""

    sensor_id: str
    start_row: int = Field(description="First row of the stretch that raised it, from 1.")
    end_row: int = Field(description="Last anomalous row before it cleared.")
    start_cycle: int
    end_cycle: int
    anomalous: int = Field(description="Anomalous rows among them.")
    level: Level = Field(description="The highest that the alarm reached.")
    open: bool = Field(description="Whether the file ends before it cleared.")
    peak: Peak = Field(description="The most severe row.")
    channels: list[ChannelTold] = Field(description="Shares at the peak, largest first.")

    @classmethod
    def of(cls, region: Region, machine: MachineType) -> Self:
        """Return the api's view of a region."""
        fields = {name: getattr(region, name) for name in cls.model_fields if name != "channels"}
        return cls(**fields, channels=channels_told(region.channels, machine))


class CsvDetection(Told):
    """What the model says of a file."""

    fleet: str = Field(examples=["FD001"])
    rows: int = Field(description="Rows of the file below the line of names.")
    scored: int
    anomalous: int = Field(description="Rows whose severity is at least 1.")
    window_length: int
    step: str = Field(description="What a row is called.", examples=["cycle"])
    assets: list[CsvAsset] = Field(description="Each machine's rows, column by column.")
    regions: list[RegionView] = Field(
        description="Where an alarm would be open; the 1,000 most severe, in the order of the file."
    )
    regions_total: int
    problems: list[CsvProblem] = Field(description="What is wrong; the first 100 are listed.")
    problems_total: int
    ignored_columns: list[str]
    processing_time_ms: float = Field(description="In the api, without the upload, ms.")

    @classmethod
    def of(cls, fleet: str, found: CsvFound, known: KnownModel, took_ms: float) -> Self:
        """Return the api's view of a file, without its rows."""
        machine = known.machine
        return cls(
            fleet=fleet,
            rows=found.rows,
            scored=found.scored,
            anomalous=found.anomalous,
            window_length=machine.window.length,
            step=machine.step.word,
            assets=[],
            regions=[RegionView.of(each, machine) for each in found.regions],
            regions_total=found.regions_total,
            problems=list(found.problems),
            problems_total=found.problems_total,
            ignored_columns=list(found.ignored_columns),
            processing_time_ms=took_ms,
            **told_of(known, found.sureness),
        )


def channels_told(shares: tuple[Share, ...], machine: MachineType) -> list[ChannelTold]:
    """Return shares with meanings and units."""
    return ChannelTold.all_of(
        [
            ChannelShare.model_construct(
                name=each.name, share=each.share, direction=each.direction, against=each.against
            )
            for each in shares
        ],
        machine,
    )


def _life(life: LifeLeftValue | None) -> LifeView | None:
    return None if life is None else LifeView(expected=life.expected, low=life.low, high=life.high)
