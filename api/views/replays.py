"""Replays, as they are asked for and shown."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from api.http.queries import Moment
from api.replays.ports import SIMULATOR, Replay, ReplayState
from api.views.runs import is_simulated
from common.cmapss.engines import parse_engines
from common.errors import UserError
from common.records.ids import ID_PATTERN, SIMULATED_PREFIX, RunId
from common.records.times import UtcTimestamp

MOST_ENGINES: Final = 999_999
ENGINES_PATTERN: Final = r"^(all|[1-9]\d{0,5}(-[1-9]\d{0,5})?(,[1-9]\d{0,5}(-[1-9]\d{0,5})?)*)$"
SPEED_PATTERN: Final = r"^(max|\d{1,6}(\.\d{1,3})?x)$"
RESUME_HINT: Final = (
    "POST the same run_id again: it goes on where the run stopped and sends nothing twice."
)


class ReplayRequest(BaseModel):
    """What to replay."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"dataset": "FD001", "split": "test", "engines": "1-20", "speed": "60x"},
                {"dataset": "SIM", "engines": "1-5", "speed": "max", "seed": 7},
            ]
        },
    )

    dataset: Literal["FD001", "FD002", "FD003", "FD004", "SIM"] = Field(
        description="A C-MAPSS data set, or `SIM`, the simulator."
    )
    split: Literal["train", "test"] = Field(
        "test", description="`train` engines run to failure, `test` engines are cut off before."
    )
    engines: str = Field(
        "all",
        max_length=500,
        pattern=ENGINES_PATTERN,
        description="`all`, or numbers and ranges.",
        examples=["1-20,42"],
    )
    speed: str = Field(
        "max", pattern=SPEED_PATTERN, description="`max`, or a factor.", examples=["60x"]
    )
    start: Annotated[Moment, Field(strict=False)] | None = Field(
        None,
        description="Timestamp of the first cycle; now by default.",
        examples=["2026-01-01T00:00:00Z"],
    )
    cycle_interval_s: float = Field(
        1.0,
        ge=1e-6,
        le=86_400 * 366,
        allow_inf_nan=False,
        description="Time between two cycles of an engine, s.",
    )
    run_id: str | None = Field(
        None,
        pattern=ID_PATTERN,
        description="Name of the run, and of this replay. A name used before goes on where that "
        "run stopped. By default a new one is made; the simulator's begin with `simulated`.",
        examples=["demo"],
    )
    seed: int | None = Field(
        None, ge=0, le=2**32 - 1, description="The simulator's seed, 0 by default."
    )

    @field_validator("engines")
    @classmethod
    def _ranges_run_forwards(cls, engines: str) -> str:
        try:
            parse_engines(engines, MOST_ENGINES)
        except UserError as exc:
            raise ValueError(str(exc)) from exc
        return engines

    @field_validator("speed")
    @classmethod
    def _faster_than_nothing(cls, speed: str) -> str:
        if speed != "max" and float(speed.removesuffix("x")) == 0:
            raise ValueError("time has to pass: a factor above 0, or `max`")
        return speed

    @field_validator("run_id")
    @classmethod
    def _simulated_runs_say_so(cls, run_id: str | None, info: ValidationInfo) -> str | None:
        simulator = info.data.get("dataset") == SIMULATOR
        if run_id is not None and is_simulated(run_id) != simulator:
            raise ValueError(
                f"it begins with `{SIMULATED_PREFIX}` for the simulator, and only for it"
            )
        return run_id

    @field_validator("seed")
    @classmethod
    def _seed_of_the_simulator(cls, seed: int | None, info: ValidationInfo) -> int | None:
        if seed is not None and info.data.get("dataset") != SIMULATOR:
            raise ValueError("only the simulator (dataset SIM) has a seed")
        return seed


class ReplayView(BaseModel):
    """A replay: what was asked, and how far it came."""

    id: RunId = Field(description="The run id.", examples=["demo"])
    run_id: RunId = Field(examples=["demo"])
    simulated: bool = Field(description="Whether the readings come from the simulator.")
    dataset: str = Field(examples=["FD001"])
    split: str = Field(examples=["test"])
    engines: str = Field(examples=["1-20"])
    speed: str = Field(examples=["60x"])
    start: UtcTimestamp = Field(description="Timestamp of the first cycle.")
    cycle_interval_s: float = Field(description="Time between two cycles of an engine, s.")
    seed: int | None
    state: ReplayState
    sent: int = Field(description="Readings sent since it was last started.")
    skipped: int = Field(description="Readings that the topic already held.")
    total: int | None = Field(description="Readings of the whole run, once known.")
    progress: float | None = Field(description="Part that is on the topic, 0 to 1, once known.")
    error: str | None = Field(description="Why it failed.")
    hint: str | None = Field(description="How to go on, if it did not finish.")
    started_at: UtcTimestamp
    ended_at: UtcTimestamp | None

    @classmethod
    def of(cls, replay: Replay) -> Self:
        """Return the api's view of a replay."""
        spec, progress = replay.spec, replay.progress
        done = progress.sent + progress.skipped
        unfinished = progress.state not in (ReplayState.RUNNING, ReplayState.DONE)
        return cls(
            id=spec.run_id,
            run_id=spec.run_id,
            simulated=is_simulated(spec.run_id),
            dataset=spec.dataset,
            split=spec.split,
            engines=spec.engines,
            speed=spec.speed,
            start=spec.start,
            cycle_interval_s=spec.cycle_interval_s,
            seed=spec.seed,
            state=progress.state,
            sent=progress.sent,
            skipped=progress.skipped,
            total=progress.total,
            progress=min(1.0, done / progress.total) if progress.total else None,
            error=progress.error,
            hint=RESUME_HINT if unfinished else None,
            started_at=replay.started_at,
            ended_at=replay.ended_at,
        )


class UnreadableReplayView(BaseModel):
    """A replay whose record cannot be read any more."""

    id: str = Field(description="The run id it is stored under.", examples=["demo"])
    why: str = Field(description="What is wrong with the record.")


class ReplayList(BaseModel):
    """All replays, the latest started first."""

    items: list[ReplayView]
    unreadable: list[UnreadableReplayView] = Field(
        default=[], description="Records that cannot be read; DELETE forgets one."
    )
