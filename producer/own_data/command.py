"""``surgeline init``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from common.errors import UserError
from common.readers.options import (
    AssetColumn,
    Ignore,
    TimeColumn,
    columns_given,
    options_again,
    roles_given,
)
from common.terminal.cli import friendly_errors, output_console


@friendly_errors
def init(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE", help="CSV or Parquet; a folder; a pattern in quotes."),
    ],
    time_column: TimeColumn = None,
    asset_column: AssetColumn = None,
    ignore: Ignore = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where to write; NAME.toml in this folder if left out, NAME as the data."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Describe your own machines: look at their data and write a machine type.

    Finds the columns of time and asset, what is measured and in which unit, set points, how often
    readings come, and proposes limits. Nothing is asked: the file that it writes is for you to read
    and correct. Several files are several machines, unless a column says which machine a row is of.

    For example:

    - `surgeline init pumps.csv` writes `pumps.toml`

    - `surgeline init data/skab --ignore Voltage --out rig.toml`

    - `surgeline init 'exports/*.csv' --asset-column Machine --time-column "Local time"`
    """
    from common.files.atomic import write_text
    from common.readers.files import find_files
    from common.readers.table_file import read_table
    from producer.own_data.describe import describe
    from producer.own_data.infer import infer
    from producer.own_data.output import next_command, show_findings

    paths = find_files(files)
    name = name_for(files, paths)
    target = out or Path(f"{name}.toml")
    if target.is_file() and not force:
        raise UserError(
            f"{target} is there already. Write to another file with --out, or replace it with "
            "--force."
        )
    given = roles_given(time_column, asset_column)
    ignored = columns_given(ignore)
    findings = infer([read_table(path) for path in paths], name, given, ignored)
    write_text(target, describe(findings))
    console = output_console()
    show_findings(findings, console)
    options = options_again(time_column, asset_column, ignored)
    console.print(f"\n{target} written. Read it, correct it, then see how much could be scored:")
    console.print(f"  {next_command(target, files, options)}", soft_wrap=True)


def name_for(files: Sequence[str], paths: Sequence[Path]) -> str:
    """Return what to call the machine type: as the file, or the folder of several.

    Example:
        >>> name_for(["data/My pumps.csv"], [Path("data/My pumps.csv")])
        'My-pumps'
    """
    from common.readers.names import asset_id, stem

    if len(paths) == 1:
        called = stem(paths[0])
    else:
        first = Path(files[0])
        called = (first if first.is_dir() else paths[0].parent).resolve().name
    return re.sub(r"[^A-Za-z0-9._+-]", "_", asset_id(called))[:64] or "machine"
