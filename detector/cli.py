"""The detector's command."""

from __future__ import annotations

import typer

from common.cli import friendly_errors
from common.logs import configure_logging
from common.settings import load_settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@friendly_errors
def detect() -> None:
    """Run one detector worker until Ctrl-C.

    It joins the consumer group, scores every completed window, writes verdicts to the score store
    and publishes alerts. Start more workers to share the partitions. All of it is set by
    SURGELINE_ variables; see `surgeline settings`.
    """
    import asyncio

    from detector.app import run

    settings = load_settings()
    configure_logging(settings.log, "detector")
    asyncio.run(run(settings))
