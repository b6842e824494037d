"""``surgeline demo``: the command line of the demo."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.errors import StackError, UserError
from common.readers.options import AssetColumn, TimeColumn
from common.settings import load_settings
from common.terminal.cli import error_console, friendly_errors, output_console
from deploy.local.adoption import adopt_running_stack
from deploy.local.programs import free_port

if TYPE_CHECKING:  # imported when called, so that a refused setting is refused quickly
    from common.settings import Settings
    from deploy.demo.report import DemoReport
    from deploy.demo.source import DemoSource

MAX_WORKERS = 16
FIRST_SET = "FD001"
ALL = "all"
LEARN_PART = 0.6


class SplitName(StrEnum):
    """Which file of a data set."""

    TRAIN = "train"
    TEST = "test"


@friendly_errors
def demo(
    dataset: Annotated[str, typer.Option(help="Data set to replay.")] = FIRST_SET,
    split: Annotated[SplitName, typer.Option(help="Which engines of it.")] = SplitName.TEST,
    engines: Annotated[str, typer.Option(help="`all`, 1-20, or 1,5,7.")] = ALL,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Use the simulator even if there are data.")
    ] = False,
    csv: Annotated[
        list[str] | None,
        typer.Option(
            help="Files of your own (CSV or Parquet, a folder, or a pattern in quotes) in place of "
            "a data set; may be given more than once.",
            show_default=False,
        ),
    ] = None,
    machine: Annotated[
        str | None,
        typer.Option(
            help="What is in them: the file that `surgeline init` wrote. Found out if left out.",
            show_default=False,
        ),
    ] = None,
    learn: Annotated[
        float,
        typer.Option(
            min=0.05, max=0.95, help="First part of each asset of them that the model learns from."
        ),
    ] = LEARN_PART,
    time_column: TimeColumn = None,
    asset_column: AssetColumn = None,
    speed: Annotated[str, typer.Option(help="`max`, or 60x the timestamps.")] = "max",
    workers: Annotated[
        int, typer.Option(min=1, max=MAX_WORKERS, help="Detectors sharing the partitions.")
    ] = 1,
    running: Annotated[
        bool,
        typer.Option(
            "--running",
            help="Start nothing: use the servers and detectors that the settings name.",
        ),
    ] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file, too.")
    ] = None,
    var: Annotated[
        Path | None,
        typer.Option(help="Keep logs and stores here; a temporary folder if left out."),
    ] = None,
) -> None:
    """Start the whole stack, replay engines through it, show what was found, stop everything.

    Waits until every reading has its verdict in the score store. Without data the simulator stands
    in, and everything says so. Ends with exit code 0 only if the counts add up.

    *Throughput* is readings divided by the time from the first one sent to the last verdict stored.
    *Latency* is read off the detector's histogram by interpolation: from a reading's arrival at the
    broker to its stored verdict, which at `--speed max` is mostly waiting in the queue.

    For example:

        surgeline demo --engines 1-20 --json report.json
        surgeline demo --speed 60x --engines 1-3
        surgeline demo --csv pumps.csv
        surgeline demo --running

    With `--csv` it looks at the files as `surgeline init` does, learns from the first part of each
    asset (no label, no failure is needed: that part is taken for sound), and sends the rest.

    With `--running` it starts nothing and ends nothing: the readings go to the broker that the
    settings name, the detectors at SURGELINE_API__DETECTOR_URL score them, and only this run is
    counted. A stack that `surgeline up` runs in this folder is found by itself.
    """
    from deploy.demo.report import show, write_json

    if running:
        adopt_running_stack(os.environ)
    settings = load_settings()
    own = (machine, time_column, asset_column)
    if csv and (simulated or (dataset, split, engines) != (FIRST_SET, SplitName.TEST, ALL)):
        raise UserError(
            "--csv came with an option of a data set (--dataset, --split, --engines, --simulated); "
            "one of the two was expected."
        )
    if not csv and any(own):
        raise UserError(
            "--machine, --time-column and --asset-column are of your own files: --csv was expected "
            "too."
        )
    if running and csv:
        raise UserError(
            "--running came with --csv; a model of files of your own would have to be given to the "
            "detectors that run. See docs/machines.md."
        )
    with _folder(var) as var_dir:
        if csv:
            source = _own(csv, machine, learn, time_column, asset_column, var_dir)
        else:
            source = _engines(settings.data_dir, dataset, split, engines, simulated=simulated)
        report = (
            _run_there(settings, source, var_dir, speed)
            if running
            else _run(source, var_dir, workers, speed)
        )
    show(report, output_console())
    if csv and machine is None:
        error_console().print(
            f"To go on with these machines: surgeline init {shlex.join(csv)}, which writes a file "
            "to correct; docs/machines.md has the rest.",
            style="dim",
            soft_wrap=True,
            markup=False,
        )
    if json_path is not None:
        write_json(report, json_path)
    if report.mismatch:
        raise StackError(f"The counts do not add up: {report.mismatch}.")
    if report.hollow:
        raise StackError(f"The demo shows nothing: {report.hollow}.")


def _engines(
    data_dir: Path, dataset: str, split: SplitName, engines: str, *, simulated: bool
) -> DemoSource:
    from deploy.demo.source import choose_source

    now = datetime.now(tz=UTC)
    source = choose_source(data_dir, dataset, split.value, engines, simulated=simulated, now=now)
    if source.notice:
        error_console().print(source.notice, style="yellow")
    return source


def _own(
    csv: list[str],
    machine: str | None,
    learn: float,
    time_column: str | None,
    asset_column: str | None,
    var_dir: Path,
) -> DemoSource:
    from deploy.demo.own_source import OwnRequest, own_source

    request = OwnRequest(csv, machine, learn, time_column, asset_column)
    return own_source(request, var_dir / "own", error_console(), datetime.now(tz=UTC))


def _run(source: DemoSource, var_dir: Path, workers: int, speed: str) -> DemoReport:
    from deploy.demo.run import DemoRun
    from deploy.demo.view import DemoView
    from deploy.local.screen import unfailing
    from deploy.local.stack import StackPlan, choose_addresses, empty_logs
    from deploy.local.statefile import claimed

    async def run() -> DemoReport:
        work = asyncio.current_task()
        assert work is not None  # noqa: S101 - inside one
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, work.cancel)
        return await DemoRun(plan, source, speed, view).run()

    environ = os.environ | source.environment
    # a closed terminal does not end the stack half-way
    console = output_console(unfailing(sys.stderr), soft_wrap=True)
    with claimed(var_dir), DemoView(console) as view:
        empty_logs(var_dir)
        plan = StackPlan.of(var_dir, choose_addresses(workers, free_port()), environ)
        try:
            return asyncio.run(run())
        except asyncio.CancelledError as exc:
            raise KeyboardInterrupt from exc  # all is down; said and exited as everywhere


def _run_there(settings: Settings, source: DemoSource, var_dir: Path, speed: str) -> DemoReport:
    from common.clock import SystemClock
    from deploy.demo.measuring import Measuring
    from deploy.demo.running import running_stack, until_ready
    from deploy.demo.view import DemoView
    from deploy.local.screen import unfailing

    async def run() -> DemoReport:
        await until_ready(settings, SystemClock())
        return await Measuring(stack, source, speed, view).run()

    stack = running_stack(settings, os.environ, var_dir)
    error_console().print(f"asking the detector at {settings.api.detector_url}", style="dim")
    with DemoView(output_console(unfailing(sys.stderr), soft_wrap=True)) as view:
        return asyncio.run(run())


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """The var folder: the one given, else a temporary one, which stays only after a failure."""
    if given is not None:
        yield given.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="surgeline-demo-"))
    try:
        yield folder
    except StackError:
        raise  # its message names the logs
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
