"""The ``data`` commands: fetch the C-MAPSS files or the telemetry of SMAP and MSL, check them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.errors import DatasetError, UserError
from common.settings import load_settings
from common.terminal.cli import error_console, friendly_errors, output_console

data_app = typer.Typer(
    help="Fetch and check the C-MAPSS files, and the telemetry of SMAP and MSL.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


Dataset = Annotated[
    str | None,
    typer.Option(
        help="SMAP or MSL: the telemetry of both. Default: the C-MAPSS files.", show_default=False
    ),
]


@data_app.command("fetch")
@friendly_errors
def fetch(
    dataset: Dataset = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--dir", help="Where the files go; else SURGELINE_DATA_DIR, else its default."
        ),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="A mirror of NASA's archive. Files are verified anyway.")
    ] = None,
) -> None:
    """Download the C-MAPSS files from NASA, 12 MB, and verify each by its sha256.

    With --dataset SMAP, or MSL: the telemetry of both, 85 MB, into a folder smap_msl.

    Files that are there and verified are left alone.

    Examples: `surgeline data fetch`, or `surgeline data fetch --dir /srv/cmapss --url
    http://mirror.example/CMAPSSData.zip`, or `surgeline data fetch --dataset SMAP`
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from producer.data import download, telemetry

    target = load_settings().data_dir if folder is None else folder
    of_telemetry = _is_telemetry(dataset)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bar = Progress(*columns, console=error_console())

    def show(received: int, expected: int) -> None:
        if not bar.tasks:
            bar.add_task("telemetry" if of_telemetry else "C-MAPSS")
            bar.start()
        bar.update(bar.task_ids[0], completed=received, total=expected)

    try:
        if of_telemetry:
            address = url or telemetry.ARCHIVE_URL
            report = telemetry.fetch_telemetry(target, address, on_progress=show)
        else:
            report = download.fetch(target, url or download.ARCHIVE_URL, show)
    finally:
        if bar.tasks:
            bar.stop()
    output_console(soft_wrap=True).print(
        f"{report.folder}: {len(report.written)} files written, {len(report.kept)} were there; "
        "all verified",
    )


@data_app.command("check")
@friendly_errors
def check(
    dataset: Dataset = None,
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Where the files are; else SURGELINE_DATA_DIR, or its default."),
    ] = None,
) -> None:
    """Compare the files at hand with what NASA published.

    Exit code 2 if one is damaged, or none is there. A file that is missing is only listed.

    Examples: `surgeline data check`, or `surgeline data check --dataset SMAP`
    """
    from rich.table import Table

    from producer.data.download import FileState
    from producer.data.download import check as compare
    from producer.data.telemetry import check_telemetry

    target = load_settings().data_dir if folder is None else folder
    of_telemetry = _is_telemetry(dataset)
    states = check_telemetry(target) if of_telemetry else compare(target)
    again = "surgeline data fetch" + (f" --dataset {dataset}" if of_telemetry else "")
    table = Table("file", "state", title=str(target), title_justify="left")
    for name, state in states.items():
        table.add_row(name, state.value)
    output_console().print(table)
    damaged = [name for name, state in states.items() if state is FileState.DAMAGED]
    if damaged:
        raise DatasetError(
            f"{', '.join(damaged)} differ from what NASA published. `{again}` replaces them."
        )
    if FileState.VERIFIED not in states.values():
        what = "No stream of SMAP and MSL" if of_telemetry else "No C-MAPSS file"
        raise DatasetError(
            f"{what} is in {target}. Fetch them with `{again}`, or set SURGELINE_DATA_DIR to the "
            "folder that holds them."
        )


def _is_telemetry(dataset: str | None) -> bool:
    """Return whether a data set is one of the spacecraft.

    Raises:
        UserError: If it is neither that nor one of the C-MAPSS files.
    """
    from common.cmapss.files import PUBLISHED_SETS
    from common.telemetry.files import SPACECRAFT, is_spacecraft

    if dataset is None or dataset.upper() in PUBLISHED_SETS:
        return False
    if is_spacecraft(dataset):
        return True
    expected = ", ".join((*SPACECRAFT, *PUBLISHED_SETS))
    raise UserError(f"--dataset {dataset} came; one of {expected} was expected.")
