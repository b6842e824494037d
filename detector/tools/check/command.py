"""``surgeline check``."""

from __future__ import annotations

from typing import Annotated

import typer

from common.readers.options import AssetColumn, Ignore, TimeColumn, columns_given, roles_given
from common.terminal.cli import FAILURE_EXIT, friendly_errors, output_console
from detector.tools.options import JsonOption, tool_settings


@friendly_errors
def check(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="CSV or Parquet; a folder; a pattern in quotes."),
    ],
    machine: Annotated[
        str, typer.Option(help="The machine type: a file as `surgeline init` writes it.")
    ],
    time_column: TimeColumn = None,
    asset_column: AssetColumn = None,
    ignore: Ignore = None,
    json_path: JsonOption = None,
) -> None:
    """Say how many of your readings would be scored, and why not the rest.

    Takes the data through the detector's own core, with the settings it has here, and needs no
    model: what a model has never seen may be left out in addition. Exit code 1 if nothing, or less
    than half, would be scored.

    For example:

    - `surgeline check --machine pumps.toml pumps.csv`

    - `surgeline check --machine rig.toml data/skab --json check.json`
    """
    from common.files.atomic import write_report
    from common.machines.files import load_machine
    from common.readers.files import find_files
    from common.readers.recording_file import read_recording
    from detector.core.policy import InputPolicy
    from detector.tools.check.output import show_check
    from detector.tools.check.tally import check_recording
    from detector.tools.progress import progress_bars

    settings = tool_settings()
    kind = load_machine(machine)
    given = roles_given(time_column, asset_column)
    ignored = columns_given(ignore)
    file = read_recording(find_files(files), kind, given, ignored)
    with progress_bars() as progress:
        report = check_recording(
            file, InputPolicy(**settings.detector.input.model_dump()), progress
        )
    show_check(report, output_console())
    if json_path is not None:
        write_report(json_path, report.as_json())
    if not report.enough:
        raise typer.Exit(FAILURE_EXIT)
