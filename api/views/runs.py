"""The runs of an asset, as the api shows them."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, Field

from api.views.parts import LifeView
from common.records.ids import SIMULATED_PREFIX
from common.records.times import UtcTimestamp
from common.records.verdicts import Level, Verdict
from common.scorestore.paging import from_epoch_us
from common.scorestore.port import RunSummary


def is_simulated(run_id: str) -> bool:
    """Return whether a run came from the simulator."""
    return run_id.startswith(SIMULATED_PREFIX)


class RunView(BaseModel):
    """One run of an asset at a glance."""

    run_id: str = Field(examples=["demo"])
    fleet: str = Field(description="Whose model and rule judge it.", examples=["FD001"])
    simulated: bool = Field(description="Whether the run came from the simulator.")
    first_cycle: int | None = Field(description="None if every reading was rejected so far.")
    last_cycle: int | None
    last_ts: UtcTimestamp | None = Field(description="Timestamp of the reading at `last_cycle`.")
    arrived_at: UtcTimestamp | None = Field(
        description="When its last verdict on a cycle reached the broker: what the latest run is "
        "told by. None for a run of an earlier version."
    )
    verdicts: dict[Verdict, int] = Field(
        description="Readings by verdict.", examples=[{"warming_up": 29, "scored": 91}]
    )
    last_score: float | None = Field(description="Higher is more anomalous.")
    last_level: Level
    last_severity: float | None = Field(
        description="1 is a warning for every model and machine: assets compare by it."
    )
    last_life: LifeView | None = Field(
        description="How long is left by the last score; none where the model does not know."
    )
    peak_score: float | None
    peak_severity: float | None

    @classmethod
    def of_run(cls, run: RunSummary, **more: Any) -> Self:
        """Return the api's view of one run, with whatever else is said of it."""
        return cls(
            run_id=run.run_id,
            fleet=run.fleet,
            simulated=is_simulated(run.run_id),
            first_cycle=run.first_cycle,
            last_cycle=run.last_cycle,
            last_ts=run.last_ts,
            arrived_at=None if run.arrived_ms is None else from_epoch_us(run.arrived_ms * 1000),
            verdicts=dict(run.verdicts),
            last_score=run.last_score,
            last_level=run.last_level,
            last_severity=run.last_severity,
            last_life=None if run.last_life is None else LifeView(**run.last_life._asdict()),
            peak_score=run.peak_score,
            peak_severity=run.peak_severity,
            **more,
        )


class RunPage(BaseModel):
    """Runs of an asset, a page at a time."""

    items: list[RunView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")
