"""The ``data`` commands: fetch the C-MAPSS files, and check them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from common.errors import DatasetError
from common.settings import load_settings
from common.terminal.cli import error_console, friendly_errors, output_console

data_app = typer.Typer(
    help="Fetch and check the C-MAPSS files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@data_app.command("fetch")
@friendly_errors
def fetch(
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

    Files that are there and verified are left alone.

    Examples: `surgeline data fetch`, or `surgeline data fetch --dir /srv/cmapss --url
    http://mirror.example/CMAPSSData.zip`
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from producer.data import download

    target = load_settings().data_dir if folder is None else folder
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    bar = Progress(*columns, console=error_console())

    def show(received: int, expected: int) -> None:
        if not bar.tasks:
            bar.add_task("C-MAPSS")
            bar.start()
        bar.update(bar.task_ids[0], completed=received, total=expected)

    try:
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
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Where the files are; else SURGELINE_DATA_DIR, or its default."),
    ] = None,
) -> None:
    """Compare the C-MAPSS files at hand with what NASA published.

    Exit code 2 if one is damaged, or none is there. A file that is missing is only listed.

    Example: `surgeline data check`
    """
    from rich.table import Table

    from producer.data.download import FileState
    from producer.data.download import check as compare

    target = load_settings().data_dir if folder is None else folder
    states = compare(target)
    table = Table("file", "state", title=str(target), title_justify="left")
    for name, state in states.items():
        table.add_row(name, state.value)
    output_console().print(table)
    damaged = [name for name, state in states.items() if state is FileState.DAMAGED]
    if damaged:
        raise DatasetError(
            f"{', '.join(damaged)} differ from what NASA published. `surgeline data fetch` "
            "replaces them."
        )
    if FileState.VERIFIED not in states.values():
        raise DatasetError(
            f"No C-MAPSS file is in {target}. Fetch them with `surgeline data fetch`, or set "
            "SURGELINE_DATA_DIR to the folder that holds them."
        )
