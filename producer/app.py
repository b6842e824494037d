"""The producer's composition root: a request becomes a fleet, adapters come from the settings.

What a replay promises: readings that are on the topic under its run id are not sent again, so a
replay that was stopped, or killed, continues where the topic ends. Two replays of one run id at the
same time cannot see each other and are not supported.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from common.clock import Clock
from common.cmapss.engines import format_engines, parse_engines
from common.cmapss.files import SIMULATED_NAME, Split, file_name
from common.cmapss.reader import Dataset, load_dataset
from common.errors import FleetsError, UserError
from common.fleets import fleet_of_dataset, load_fleets
from common.links.kafka import ensure_topics
from common.machines.files import load_machine
from common.readers.files import find_files
from common.readers.options import columns_given, options_again, roles_given
from common.readers.recording_file import read_recording
from common.readers.telemetry import as_recording
from common.recording import divided
from common.records.times import require_wire_times, utc_text
from common.replay import ReplayProgress, ReplayState
from common.settings import KafkaSettings, RetentionSettings, Settings
from common.telemetry.files import is_spacecraft
from common.telemetry.streams import load_streams
from common.terminal.nearest import suggestion
from producer.adapters.kafka_history import KafkaRunHistory
from producer.adapters.kafka_publisher import KafkaReadingPublisher
from producer.arguments import (
    format_duration,
    parse_duration,
    parse_speed,
    parse_start,
    resolve_run_id,
)
from producer.fleet import Fleet, SentFleet
from producer.pacing import Pace
from producer.ports import AssetHistory
from producer.recorded import RecordedFleet
from producer.replay import replay
from producer.resume import remaining
from producer.simulator.simulate import MAX_ENGINES, simulate
from producer.stopping import StoppedError, stop_signals, unless_stopped

DEFAULT_INTERVAL: Final = "1s"
DEFAULT_ENGINES: Final = 100
"""Simulated engines that ``all`` means: as many as FD001 has."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What a user asked for, as typed.

    Attributes:
        dataset: Such as ``FD001``; ``SIM`` for the simulator.
        split: Which split.
        engines: ``all``, a range or a list.
        speed: ``60x`` or ``max``.
        start: Timestamp of cycle 1, or ``now``.
        cycle_interval: Such as ``1s``; none for a second, or a minute of telemetry.
        run_id: The run to begin or to continue; none begins a new one.
        seed: Of the simulator.
        fleet: Whose model judges them; none for the data set's own.
        csv: Files of one's own in place of a data set; empty for none.
        machine: The machine type that says what is in them.
        skip_part: First part of each asset's readings in them that is left out, 0 to 1.
        time_column: Their column of times, if it is not found.
        asset_column: Their column of assets, likewise.
        ignore: Columns that are not to be looked at.
    """

    dataset: str
    split: Split
    engines: str
    speed: str
    start: str
    cycle_interval: str | None
    run_id: str | None
    seed: int
    fleet: str | None = None
    csv: tuple[Path, ...] = ()
    machine: str | None = None
    skip_part: float = 0.0
    time_column: str | None = None
    asset_column: str | None = None
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """A request, understood and with its data.

    Attributes:
        fleet: What is sent in all.
        pace: How fast.
        may_be_there: Whether the topic may hold some of it already.
        seed: Of the simulator; none for recorded data.
        files: Of one's own, where it is these that are sent.
        machine: What says what is in them, as typed.
        reading: Options that say how to read them, as words.
        streams: Options that say which streams of telemetry are sent, as words; empty for none.
    """

    fleet: SentFleet
    pace: Pace
    may_be_there: bool
    seed: int | None
    files: tuple[Path, ...] = ()
    machine: str = ""
    reading: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()

    @property
    def dataset(self) -> Dataset | None:
        """The data set; none for files of one's own."""
        return self.fleet.dataset if isinstance(self.fleet, Fleet) else None

    @property
    def command(self) -> str:
        """The command that continues this replay."""
        fleet = self.fleet
        if isinstance(fleet, RecordedFleet) and self.streams:
            return (
                f"surgeline replay {shlex.join(self.streams)} --speed {self.pace}"
                f" --start {utc_text(fleet.start)}"
                f" --cycle-interval {format_duration(fleet.cycle_interval)}"
                f" --fleet {fleet.name} --run-id {fleet.run_id}"
            )
        if not isinstance(fleet, Fleet):
            files = " ".join(f"--csv {shlex.quote(str(path))}" for path in self.files)
            reading = "".join(f" {shlex.quote(word)}" for word in self.reading)
            return (
                f"surgeline replay {files} --machine {shlex.quote(self.machine)}{reading}"
                f" --speed {self.pace} --fleet {fleet.name} --run-id {fleet.run_id}"
            )
        seed = "" if self.seed is None else f" --seed {self.seed}"
        return (
            f"surgeline replay --dataset {fleet.dataset.name} --split {fleet.dataset.split}"
            f" --engines {format_engines(fleet.units)} --speed {self.pace}"
            f" --start {utc_text(fleet.start)}"
            f" --cycle-interval {format_duration(fleet.cycle_interval)}"
            f"{seed} --fleet {fleet.name} --run-id {fleet.run_id}"
        )


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """How a replay ended.

    Attributes:
        progress: The last report; ``done`` or ``stopped``.
        seconds: Time spent sending, s.
    """

    progress: ReplayProgress
    seconds: float


def plan_replay(request: ReplayRequest, settings: Settings, now: datetime) -> ReplayPlan:
    """Understand a request and read, or simulate, its data.

    Raises:
        UserError: If a part of the request is not understood, the data are not there, or no fleet's
            model could judge them.
    """
    if request.csv:
        return _plan_of_files(request, settings, now)
    if request.skip_part:
        raise UserError(
            f"--skip-part {request.skip_part} came without --csv; it is of your own files. Of a "
            "data set, --engines says what is sent."
        )
    if is_spacecraft(request.dataset):
        return _plan_of_telemetry(request, settings, now)
    simulated = request.dataset.upper() == SIMULATED_NAME
    name = SIMULATED_NAME if simulated else request.dataset
    file_name(name, request.split)  # a name that is none is not the run id's fault
    pace = parse_speed(request.speed)
    start = parse_start(request.start, now)
    interval = parse_duration(request.cycle_interval or DEFAULT_INTERVAL)
    fleet = fleet_of_dataset(name, request.fleet, load_fleets(settings))
    run_id = resolve_run_id(request.run_id, name, request.split, simulated=simulated, now=now)
    if simulated:
        everything = request.engines.strip().lower() == "all"
        available = DEFAULT_ENGINES if everything else MAX_ENGINES
        units = parse_engines(request.engines, available)
        dataset = simulate(max(units), request.seed, request.split)
    else:
        dataset = load_dataset(settings.data_dir, name, request.split)
        units = parse_engines(request.engines, len(dataset.engines))
    try:
        longest = max(len(dataset.engines[unit - 1]) for unit in units)
        require_wire_times(start, interval, longest)
    except ValueError as exc:
        raise UserError(f"{exc} (--start, --cycle-interval)") from exc
    return ReplayPlan(
        fleet=Fleet(dataset, units, run_id, start, interval, fleet),
        pace=pace,
        may_be_there=request.run_id is not None,
        seed=request.seed if simulated else None,
    )


def _plan_of_files(request: ReplayRequest, settings: Settings, now: datetime) -> ReplayPlan:
    if request.machine is None:
        raise UserError(
            "--csv came without --machine; the file that says what is in it was expected. Write "
            "one with `surgeline init`."
        )
    pace = parse_speed(request.speed)
    start = parse_start(request.start, now)
    interval = parse_duration(request.cycle_interval or DEFAULT_INTERVAL)
    machine = load_machine(request.machine)
    fleet = _fleet_called(machine.name, "the machine type", request.fleet, settings)
    recording = read_recording(
        find_files([str(path) for path in request.csv]),
        machine,
        roles_given(request.time_column, request.asset_column),
        columns_given(request.ignore),
    ).recording
    _, recording = divided(recording, request.skip_part)
    run_id = resolve_run_id(request.run_id, fleet, "csv", simulated=False, now=now)
    recorded = RecordedFleet(recording, run_id, fleet, start, interval)
    if not recording.rows:
        raise UserError(f"{', '.join(map(str, request.csv))}: no reading can be sent.")
    _require_times(recorded)
    return ReplayPlan(
        recorded,
        pace,
        request.run_id is not None,
        None,
        request.csv,
        request.machine,
        (
            *options_again(request.time_column, request.asset_column, request.ignore),
            *(("--skip-part", repr(request.skip_part)) if request.skip_part else ()),
        ),
    )


def _plan_of_telemetry(request: ReplayRequest, settings: Settings, now: datetime) -> ReplayPlan:
    name = request.dataset.upper()
    pace, start = parse_speed(request.speed), parse_start(request.start, now)
    streams = load_streams(settings.data_dir, name, request.split)
    chosen = parse_streams(request.engines, [stream.name for stream in streams])
    recording = as_recording([stream for stream in streams if stream.name in chosen])
    interval = (
        timedelta(microseconds=recording.machine.step.interval_us)
        if request.cycle_interval is None
        else parse_duration(request.cycle_interval)
    )
    fleet = _fleet_called(name, "the data set", request.fleet, settings)
    run_id = resolve_run_id(request.run_id, name, request.split, simulated=False, now=now)
    recorded = RecordedFleet(recording, run_id, fleet, start, interval)
    _require_times(recorded)
    words = ("--dataset", name, "--split", request.split, "--engines", request.engines)
    return ReplayPlan(recorded, pace, request.run_id is not None, None, streams=words)


def parse_streams(text: str, names: Sequence[str]) -> frozenset[str]:
    """Return the streams meant by ``all``, numbers as of engines, or names such as ``A-1,P-1``.

    Args:
        text: As typed.
        names: The streams there are, in order.

    Raises:
        UserError: If one is not there.
    """
    if text.strip().lower() != "all" and text.strip()[:1].isalpha():
        wanted = [part.strip().upper() for part in text.split(",")]
        for name in wanted:
            if name not in names:
                raise UserError(
                    f"No stream {name!r}.{suggestion(name, names)} There are {', '.join(names)}."
                )
        return frozenset(wanted)
    return frozenset(names[unit - 1] for unit in parse_engines(text, len(names)))


def _fleet_called(name: str, whose: str, given: str | None, settings: Settings) -> str:
    """Return the fleet of a name, which must be there: no other model could judge these readings.

    Raises:
        FleetsError: If it is not.
    """
    fleets = load_fleets(settings)
    if given is None and name not in fleets:
        raise FleetsError(
            f"No fleet {name!r}, as {whose} is called; there are "
            f"{', '.join(sorted(fleets))}. Add one to the file that SURGELINE_FLEETS names "
            "(docs/fleets.md), or name one of these with --fleet."
        )
    return fleet_of_dataset(name, given, fleets)


def _require_times(recorded: RecordedFleet) -> None:
    """Refuse readings that would end after the last time a message can have."""
    for asset in recorded.recording.assets:
        if asset.clock_us is None and len(asset):
            try:
                require_wire_times(recorded.start, recorded.cycle_interval, int(asset.cycles[-1]))
            except ValueError as exc:
                raise UserError(f"{exc} (--start, --cycle-interval)") from exc


async def run_replay(
    plan: ReplayPlan,
    settings: KafkaSettings,
    clock: Clock,
    report: Callable[[ReplayProgress], None],
    retention: RetentionSettings = RetentionSettings(),  # noqa: B008 - immutable
) -> ReplayResult:
    """Send what is not on the topic yet, until all is sent or SIGINT or SIGTERM comes.

    Raises:
        UserError: If there is no broker, or the run id belongs to other readings.
        BackendError: If the broker fails meanwhile; what was acknowledged has been reported.
    """
    slots = plan.fleet.slots()
    progress = ReplayProgress(plan.fleet.run_id, total=len(slots))
    report(progress)
    async with AsyncExitStack() as stack:
        stop = await stack.enter_async_context(stop_signals())
        try:
            await unless_stopped(ensure_topics(settings, retention), stop)
            if plan.may_be_there:
                history = await unless_stopped(_history(plan, settings), stop)
                slots = remaining(plan.fleet, history)
                progress = replace(progress, skipped=progress.total - len(slots))
                report(progress)
            if not slots:
                return ReplayResult(replace(progress, state=ReplayState.DONE), 0.0)
            publisher = KafkaReadingPublisher(settings)
            await unless_stopped(stack.enter_async_context(publisher), stop)
        except StoppedError:
            return ReplayResult(replace(progress, state=ReplayState.STOPPED), 0.0)
        sent = await replay(
            plan.fleet,
            slots,
            plan.pace,
            publisher,
            clock,
            stop,
            lambda rows: report(replace(progress, sent=rows)),
        )
    state = ReplayState.DONE if sent.finished else ReplayState.STOPPED
    return ReplayResult(replace(progress, sent=sent.rows, state=state), sent.seconds)


async def _history(plan: ReplayPlan, settings: KafkaSettings) -> Mapping[str, AssetHistory]:
    return await KafkaRunHistory(settings).of_run(plan.fleet.run_id)
