"""The detector's command."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import typer

from common.logs import configure_logging
from common.settings import Settings, load_settings
from common.terminal.cli import friendly_errors
from common.terminal.importing import imported
from detector.worker.ending import Ending

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@friendly_errors
def detect() -> None:
    """Run one detector worker until Ctrl-C.

    It joins the consumer group, scores every completed window, writes verdicts to the score store
    and publishes alerts. Start more workers to share the partitions. All of it is set by
    SURGELINE_ variables; see `surgeline settings`. Exit codes: 0, asked to stop and stopped in
    time; 2, something must be mended before it can start; 1, anything else.
    """
    settings = load_settings()
    configure_logging(settings.log, "detector")
    ending = Ending(settings.detector.stop_grace_s)
    ending.watch()

    run = imported(_program)
    code = ending.run(lambda: run(settings, ending))
    raise typer.Exit(code)


def _program() -> Callable[[Settings, Ending], Coroutine[Any, Any, None]]:
    from detector.app import run

    return run
