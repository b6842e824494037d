"""Scores, one by one and drawn over time, as the api shows them."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field

from api.views.machines import Legend
from api.views.parts import LifeView, RemovedUntil
from api.views.runs import is_simulated
from common.records.times import UtcTimestamp
from common.records.verdicts import Evidence, Level, ScoreRecord, Verdict


class Score(BaseModel):
    """The verdict on one reading."""

    asset_id: str = Field(examples=["FD001-test-001"])
    run_id: str = Field(examples=["demo"])
    fleet: str = Field(description="Whose model and rule judge it.", examples=["FD001"])
    simulated: bool = Field(description="Whether the run came from the simulator.")
    cycle: int = Field(description="1-based cycle.", examples=[120])
    ts: UtcTimestamp = Field(description="The reading's timestamp.")
    status: Verdict = Field(description="What became of the reading.")
    score: float | None = Field(description="Higher is more anomalous; none unless scored.")
    final_score: float | None = Field(
        description="What later readings made of the score: the mean over all windows that cover "
        "this reading. Null until they have come, and for models whose scores are final at once."
    )
    warning_threshold: float | None = Field(description="Warning when `score` reaches it.")
    critical_threshold: float | None = Field(
        description="Critical when `score` reaches it; none where remaining life decides."
    )
    level: Level = Field(description="What this reading alone comes to.")
    evidence: Evidence | None = Field(
        description="What is held against the asset most: `degradation` (`score`: many channels, a "
        "little), `channel` (one channel, much), `frozen` (one does not move)."
    )
    severity: float | None = Field(
        description="How much: score over warning threshold of the evidence that has most; 1 is a "
        "warning for every model and machine.",
        examples=[1.4],
    )
    life: LifeView | None = Field(
        description="How long is left; none where the model does not know."
    )
    shares: dict[str, float] = Field(
        description="Contribution per channel, summing to 1.", examples=[{"T50": 0.4, "Ps30": 0.6}]
    )
    detail: str = Field(description="One sentence.", examples=["12 of 30 cycles"])
    model: str = Field(description="`name@version` of the artifact.", examples=["fd001@1.0.0"])

    @classmethod
    def of(cls, record: ScoreRecord) -> Self:
        """Return the api's view of a stored verdict."""
        return cls(
            asset_id=record.asset_id,
            run_id=record.run_id,
            fleet=record.fleet,
            simulated=is_simulated(record.run_id),
            cycle=record.cycle,
            ts=record.ts,
            status=record.status,
            score=record.score,
            final_score=record.final_score,
            warning_threshold=record.warning_threshold,
            critical_threshold=record.critical_threshold,
            level=record.level,
            evidence=record.evidence,
            severity=record.severity,
            life=None if record.life is None else LifeView(**record.life._asdict()),
            shares=dict(record.shares),
            detail=record.detail,
            model=record.model,
        )


class ScorePage(BaseModel):
    """Verdicts, a page at a time, ordered by time, then asset, run and cycle."""

    items: list[Score]
    legend: dict[str, Legend] = Field(
        default={},
        description="By fleet: what a step is called, and what the names in `shares` stand for. A "
        "fleet whose machine type is not known is left out.",
    )
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")
    removed_until: RemovedUntil = None


class PlotPointView(BaseModel):
    """One scored reading."""

    ts: UtcTimestamp
    cycle: int
    severity: float = Field(description="1 is a warning.", examples=[0.41])
    level: Level
    gap_before: bool = Field(
        description="Whether scoring was interrupted since the point before: no line is drawn."
    )


class FinalPointView(BaseModel):
    """One reading's final score."""

    ts: UtcTimestamp
    cycle: int
    final_score: float = Field(description="Higher is more anomalous.", examples=[0.12])
    gap_before: bool = Field(
        description="Whether readings since the point before have no final score."
    )


class PlotView(BaseModel):
    """A run's severity in few points."""

    asset_id: str
    run_id: str | None = Field(description="None where the asset is not known.")
    fleet: str | None
    simulated: bool
    scored: int = Field(description="How many scored readings there are.", examples=[86400])
    gaps: int = Field(description="How often scoring was interrupted.", examples=[1])
    level_changes: int = Field(description="How often the level changes.", examples=[4])
    bucket_s: float | None = Field(
        description="Width of the stretches of time of which the ends, extremes and levels are "
        "shown, s; none where all readings are."
    )
    points: list[PlotPointView]
    finals: list[FinalPointView] = Field(
        description="Final scores, chosen in the same way; empty for models whose scores are final "
        "at once. They are scores and not severities: the threshold that judged them is not kept."
    )
    removed_until: UtcTimestamp | None = Field(
        description="Of readings up to then some are gone; none where nothing was removed."
    )
