"""What the api says and takes. Not the wire records: each may change without the other."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from api.alarms.urgency import AssetState, StandingAlarm
from api.assets import ListedAsset
from api.http.queries import Moment
from api.ports import AlertGap, StoredAlert
from api.replays.ports import SIMULATOR, Replay, ReplayState
from api.views.machines import ChannelTold, Legend
from common.cmapss.engines import parse_engines
from common.errors import UserError
from common.machines.machine import MachineType
from common.records.alerts import ModelRef, Transition
from common.records.ids import ID_PATTERN, SIMULATED_PREFIX, RunId
from common.records.times import UtcTimestamp
from common.records.verdicts import Evidence, Level, ScoreRecord, Verdict
from common.scorestore.paging import from_epoch_us
from common.scorestore.port import RunSummary

MOST_ENGINES: Final = 999_999
ENGINES_PATTERN: Final = r"^(all|[1-9]\d{0,5}(-[1-9]\d{0,5})?(,[1-9]\d{0,5}(-[1-9]\d{0,5})?)*)$"
SPEED_PATTERN: Final = r"^(max|\d{1,6}(\.\d{1,3})?x)$"
RESUME_HINT: Final = (
    "POST the same run_id again: it goes on where the run stopped and sends nothing twice."
)


def is_simulated(run_id: str) -> bool:
    """Return whether a run came from the simulator."""
    return run_id.startswith(SIMULATED_PREFIX)


class LifeView(BaseModel):
    """How long is left, in steps of the machine type."""

    expected: float = Field(description="Most likely.", examples=[41.5])
    low: float = Field(description="In 19 of 20 cases more is left.", examples=[28.0])
    high: float = Field(description="In 19 of 20 cases less is left.", examples=[60.5])


class AlertLifeView(LifeView):
    """How long is left, as an alert says it."""

    at_least: bool = Field(
        description="Whether `high` is as far as the model looks: then more may be left."
    )
    coverage: float = Field(
        description="Part of cases in which `low` to `high` holds what is left.", examples=[0.9]
    )


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


RemovedUntil = Annotated[
    UtcTimestamp | None,
    Field(
        description="Of readings up to this time some, or all, were removed "
        "(retention): what is not on this page may have been there. Null where "
        "nothing was removed."
    ),
]


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


class AlertView(BaseModel):
    """An alarm changed state."""

    sequence: int = Field(description="Place in the order of arrival.", examples=[17])
    alert_id: str = Field(examples=["0b7d5f0e-3c1c-5a5e-9f57-0a3f6a1f1c11"])
    alarm_id: str = Field(description="The same for all alerts of one alarm.")
    fleet: str = Field(description="Whose model and rule judge it.", examples=["FD001"])
    asset_id: str = Field(examples=["FD001-test-001"])
    run_id: str = Field(examples=["demo"])
    simulated: bool = Field(description="Whether the run came from the simulator.")
    level: Level = Field(description="After the transition; for `cleared`, the highest it had.")
    state: Transition
    alarm_sequence: int = Field(
        description="1 for raised, 2 for escalated, 3 for cleared: of one alarm the highest holds. "
        "0 in alerts of an earlier version."
    )
    flaps: int = Field(
        0, description="How often it had ended and come again, too soon to be another alarm."
    )
    onset_cycle: int = Field(description="First cycle of the anomalous stretch.")
    cycle: int = Field(description="The cycle that caused the transition.")
    step: str = Field(
        "cycle",
        description="What one reading is called; left out where the machine type is not known.",
        examples=["cycle"],
    )
    ts: UtcTimestamp = Field(description="That reading's timestamp.")
    evidence: Evidence = Field(
        description="What caused it: `degradation`, `channel`, `frozen`, or `life`: little is "
        "left. `silent` and `unscored` are the api's own: no reading, or no score, came in "
        "time; then `score` and `threshold` are seconds."
    )
    severity: float | None = Field(
        description="Of all that is held against the asset; 1 is a warning for every model and "
        "machine. None in alerts of an earlier version.",
        examples=[1.4],
    )
    score: float = Field(description="The score of that evidence; higher is more anomalous.")
    threshold: float = Field(description="What it was compared with.")
    life: AlertLifeView | None = Field(
        description="How long is left; none where the model does not know."
    )
    channels: list[ChannelTold] = Field(description="Contributions, largest first.")
    model: ModelRef
    reason: str = Field(description="The transition in one sentence.")

    @classmethod
    def of(cls, stored: StoredAlert, machine: MachineType | None = None) -> Self:
        """Return the api's view of a stored alert.

        Args:
            stored: The alert.
            machine: Its fleet's machine type; none if it is not known.
        """
        fields = stored.alert.model_dump(exclude={"schema_version", "channels"})
        if machine is not None:
            fields["step"] = machine.step.word
        return cls(
            sequence=stored.sequence,
            simulated=is_simulated(stored.alert.run_id),
            channels=ChannelTold.all_of(stored.alert.channels, machine),
            **fields,
        )


class AlertPage(BaseModel):
    """Alerts, a page at a time, in the order of arrival."""

    items: list[AlertView]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page.")
    removed_until: RemovedUntil = None


class GapView(BaseModel):
    """Alerts that had expired from the topic before they were read."""

    source: str = Field(description="One life of the topic: cluster and name.")
    partition: int
    from_offset: int = Field(description="The first that was gone.", examples=[120])
    to_offset: int = Field(description="The first that was there again.", examples=[180])
    at_most: int = Field(
        description="Most alerts that can be missing; fewer, if some offsets never held one.",
        examples=[60],
    )
    noticed_at: UtcTimestamp

    @classmethod
    def of(cls, gap: AlertGap) -> Self:
        """Return the api's view of a gap."""
        first, end = gap.offsets.from_offset, gap.offsets.to_offset
        return cls(
            source=gap.source,
            partition=gap.partition,
            from_offset=first,
            to_offset=end,
            at_most=end - first,
            noticed_at=gap.noticed_at,
        )


class GapList(BaseModel):
    """All gaps of the history, the latest noticed first."""

    items: list[GapView]


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


class Health(BaseModel):
    """The process is alive."""

    status: Literal["ok"] = "ok"


class Dependency(BaseModel):
    """One thing the api leans on."""

    ok: bool
    needed: bool = Field(description="Whether the api is not ready without it.")
    latency_ms: float = Field(description="How long it took to answer, or to fail, ms.")
    error: str | None = Field(None, description="Why not.")


class Readiness(BaseModel):
    """Whether requests can be served, and by whose fault not."""

    status: Literal["ready", "degraded", "not_ready"] = Field(
        description="`degraded`: something is down that the api itself does not need."
    )
    dependencies: dict[str, Dependency]
    notes: list[str] = Field(
        default=[], description="What is no failure, but good to know, such as gaps."
    )


class Info(BaseModel):
    """What is running here."""

    name: str = "surgeline-api"
    version: str
    artifact: str = Field(description="The artifact the detector is set to use.")
    settings: dict[str, object] = Field(description="All settings; secrets are masked.")


class Landing(BaseModel):
    """Where to go from the root."""

    name: str = "Surgeline"
    version: str
    links: dict[str, str]
