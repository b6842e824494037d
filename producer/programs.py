"""The producer's commands as a program of their own, ``python -m producer``."""

from __future__ import annotations

import typer

from producer.cli import data_app, replay, simulate
from producer.ingest.command import ingest

app = typer.Typer(
    help="Recorded or simulated engines, or messages of your own, to the stream.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("replay")(replay)
app.command("simulate")(simulate)
app.command("ingest")(ingest)
app.add_typer(data_app, name="data")
