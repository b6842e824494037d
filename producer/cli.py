"""The producer's commands: ``replay`` and ``simulate`` here, ``data`` in ``data_cli.py``.

Plain functions for Typer, mounted by ``producer/programs.py`` and by ``surgeline``. What they need
beyond Typer is imported when they run, so that ``--help`` stays quick.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.cmapss.files import Split
from common.errors import BackendError, SurgelineError
from common.readers.options import AssetColumn, Ignore, TimeColumn
from common.redaction import without_credentials
from common.settings import LogSettings, load_settings
from common.terminal.cli import (
    FAILURE_EXIT,
    INTERRUPTED_EXIT,
    error_console,
    friendly_errors,
    output_console,
)
from producer.data.command import data_app

if TYPE_CHECKING:
    from common.replay import ReplayProgress
    from producer.app import ReplayPlan, ReplayRequest, ReplayResult
    from producer.progress import Reporter

__all__ = ["data_app", "replay", "simulate"]


class SplitChoice(StrEnum):
    """The two files of a data set."""

    TRAIN = "train"
    TEST = "test"


class WrittenSplits(StrEnum):
    """Which files the simulator writes."""

    TRAIN = "train"
    TEST = "test"
    BOTH = "both"


class ProgressChoice(StrEnum):
    """How progress is told (``producer.progress.ProgressMode``, without importing it)."""

    BAR = "bar"
    JSON = "json"
    NONE = "none"


@friendly_errors
def replay(
    dataset: Annotated[
        str,
        typer.Option(
            help="FD001 to FD004; SIM for the simulator, which needs no data; SMAP or MSL for "
            "telemetry, a stream an asset."
        ),
    ] = "FD001",
    split: Annotated[SplitChoice, typer.Option(help="Which engines.")] = SplitChoice.TEST,
    engines: Annotated[
        str,
        typer.Option(help="all, a range 1-20, or a list 1,5,7; of telemetry also names, A-1,P-1."),
    ] = "all",
    speed: Annotated[
        str, typer.Option(help="60x is 60 times as fast as the timestamps; max does not wait.")
    ] = "60x",
    start: Annotated[
        str, typer.Option(help="Timestamp of every engine's cycle 1, with its zone, or now.")
    ] = "2026-01-01T00:00:00Z",
    cycle_interval: Annotated[
        str | None,
        typer.Option(
            help="Time between two cycles: 1s, 250ms, 1m, 1h. Default: 1s; 1m of telemetry.",
            show_default=False,
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(help="Name of the run. A run that exists is continued, never sent twice."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulator.")] = 0,
    fleet: Annotated[
        str | None,
        typer.Option(
            help="Whose model judges them. By default the fleet of the data set's name, "
            "else `default`.",
            show_default=False,
        ),
    ] = None,
    csv: Annotated[
        list[Path] | None,
        typer.Option(
            help="Files of your own (CSV or Parquet, or a folder) in place of a data set; may be "
            "given more than once. Needs --machine.",
            show_default=False,
        ),
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(
            help="What is in them: the file that `surgeline init` wrote.", show_default=False
        ),
    ] = None,
    time_column: TimeColumn = None,
    asset_column: AssetColumn = None,
    ignore: Ignore = None,
    skip_part: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=0.999,
            help="Leave out this first part of each asset's readings in your own files, such as "
            "0.6: what the model has learned from.",
        ),
    ] = 0.0,
    progress: Annotated[
        ProgressChoice, typer.Option(help="A bar, JSON lines for programs, or nothing.")
    ] = ProgressChoice.BAR,
) -> None:
    """Send recorded or simulated engines to the stream, as a live fleet.

    All engines' cycle 1 is sent first, then every cycle 2, each reading when its timestamp says.
    Ctrl-C stops between two readings and prints the command that continues.

    For example:

    - `surgeline replay --engines 1-20` sends 20 engines at 60 cycles a second

    - `surgeline replay --speed max --run-id night` sends all as fast as it goes; the same command
      again continues it, or finds nothing to send

    - `surgeline replay --dataset SIM --engines 1-5 --seed 7` needs no data

    - `surgeline replay --dataset SMAP --engines A-1,P-1 --speed 600x` sends two streams of
      telemetry, a reading a minute

    - `surgeline replay --csv pumps.csv --machine pumps.toml --speed 600x` sends your own, at the
      times they were taken
    """
    from common.clock import SystemClock
    from producer.app import ReplayRequest
    from producer.progress import ProgressMode, make_reporter

    request = ReplayRequest(
        dataset,
        split.value,
        engines,
        speed,
        start,
        cycle_interval,
        run_id,
        seed,
        fleet,
        tuple(csv or ()),
        machine,
        skip_part,
        time_column,
        asset_column,
        tuple(ignore or ()),
    )
    try:
        with make_reporter(ProgressMode(progress.value), SystemClock().monotonic) as reporter:
            result, plan = _run(request, reporter)
    except BrokenPipeError as exc:
        error_console().print("stopped: nobody reads the progress any more")
        raise typer.Exit(FAILURE_EXIT) from exc
    _tell_result(plan, result, quiet=progress is ProgressChoice.JSON)


@friendly_errors
def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the files; made if missing.")],
    engines: Annotated[int, typer.Option(min=1, help="Engines in each file.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same files.")] = 0,
    split: Annotated[WrittenSplits, typer.Option(help="Which files.")] = WrittenSplits.BOTH,
) -> None:
    """Write simulated engines as files in the C-MAPSS layout.

    They resemble FD001 (the constants were estimated from it) but are simulated, and say so by
    their name: `train_SIM.txt`, `test_SIM.txt` and `RUL_SIM.txt`.

    Example: `surgeline simulate --engines 20 --seed 0 --out data/simulated`
    """
    from producer.simulator.simulate import simulate as simulated
    from producer.simulator.simulate import write_dataset

    splits: dict[WrittenSplits, tuple[Split, ...]] = {
        WrittenSplits.TRAIN: ("train",),
        WrittenSplits.TEST: ("test",),
        WrittenSplits.BOTH: ("train", "test"),
    }
    for wanted in splits[split]:
        fleet = simulated(engines, seed, wanted)
        for path in write_dataset(fleet, out):
            output_console(soft_wrap=True).print(
                f"{path}: {engines} simulated engines, seed {seed}", markup=False
            )


def _run(request: ReplayRequest, reporter: Reporter) -> tuple[ReplayResult, ReplayPlan]:
    """Plan and run; whatever ends it, the last report says so."""
    import asyncio
    from dataclasses import replace

    from common.clock import SystemClock
    from common.replay import ReplayProgress, ReplayState
    from producer.app import plan_replay, run_replay

    clock = SystemClock()
    latest = ReplayProgress(run_id="")

    def report(progress: ReplayProgress) -> None:
        nonlocal latest
        latest = progress
        reporter.report(progress)

    try:
        settings = load_settings()
        _configure_logging(settings.log)
        plan = plan_replay(request, settings, clock.now())
        _warn_if_not_published(plan)
        result = asyncio.run(run_replay(plan, settings.kafka, clock, report, settings.retention))
        reporter.report(result.progress)
    except SurgelineError as exc:
        reporter.report(
            replace(latest, state=ReplayState.FAILED, error=without_credentials(str(exc)))
        )
        if isinstance(exc, BackendError):
            _tell_unfinished("unfinished", plan, latest)
        raise
    except KeyboardInterrupt:
        reporter.report(replace(latest, state=ReplayState.STOPPED))
        raise
    return result, plan


def _tell_unfinished(how: str, plan: ReplayPlan, progress: ReplayProgress) -> None:
    """Say how far it came and how to continue."""
    there = f" ({progress.skipped} were there before)" if progress.skipped else ""
    left = progress.total - progress.sent - progress.skipped
    error_console().print(
        f"{how}: run {progress.run_id}, {progress.sent} readings sent{there}, {left} of "
        f"{progress.total} are left. Continue with:\n{plan.command}",
    )


def _tell_result(plan: ReplayPlan, result: ReplayResult, *, quiet: bool) -> None:
    """Say what was sent, and how to continue if it was stopped.

    Raises:
        typer.Exit: With 130, if it was stopped.
    """
    from common.replay import ReplayState

    progress, console = result.progress, error_console()
    if progress.state is ReplayState.STOPPED:
        _tell_unfinished("stopped", plan, progress)
        raise typer.Exit(INTERRUPTED_EXIT)
    if quiet:
        return
    if progress.sent == 0:
        console.print(
            f"run {progress.run_id}: all {progress.total} readings are on the topic, "
            "nothing to send",
        )
        return
    there = f" ({progress.skipped} were there before)" if progress.skipped else ""
    rate = progress.sent / max(result.seconds, 1e-9)
    what = "engines" if plan.dataset is not None else "streams" if plan.streams else "assets"
    console.print(
        f"run {progress.run_id}: {progress.sent} readings sent{there}, "
        f"{len(plan.fleet.units)} {what}, {result.seconds:.2f} s, {rate:,.0f} rows/s",
    )


def _warn_if_not_published(plan: ReplayPlan) -> None:
    from common.cmapss.files import PUBLISHED, file_name

    dataset = plan.dataset
    if dataset is None:
        return
    published = PUBLISHED.get(file_name(dataset.name, dataset.split))
    if published is not None and published.sha256 != dataset.sha256:
        error_console().print(
            f"warning: {published.name} is not the file NASA published (its sha256 differs); "
            "`surgeline data check` lists all files",
        )


def _configure_logging(settings: LogSettings) -> None:
    from common.logs import configure_logging

    configure_logging(settings, "producer")
    if settings.level != "DEBUG":
        # what the driver complains of while it retries reaches the user as one error of ours
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
