"""What a replay tells while it runs: a bar for people, JSON lines for programs, or nothing.

The JSON lines are an interface: the api runs ``python -m producer replay ... --progress json`` and
reads them from standard output. One object a line, about two a second, the last one final::

    {"run_id": "R", "sent": 400, "skipped": 0, "total": 13096, "state": "running", "error": null}

``sent`` counts readings the broker acknowledged in this call, ``skipped`` those that were on the
topic before; ``sent + skipped == total`` when ``state`` is ``done``. ``state`` is ``running``, then
``done``, ``stopped`` (by a signal) or ``failed`` (``error`` says why; ``run_id`` is empty if it
failed before it had one). Words for people go to standard error. When nobody reads the lines any
more (the pipe is broken), the replay stops: whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from common.cli import error_console

REPORT_EVERY_S: Final = 0.5
"""Shortest time between two JSON lines of the same state, s."""


class ReplayState(StrEnum):
    """Where a replay stands."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class ProgressMode(StrEnum):
    """How a replay tells its progress."""

    BAR = "bar"
    JSON = "json"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """One report.

    Attributes:
        run_id: Which run; empty until it is known.
        sent: Readings the broker acknowledged in this call.
        skipped: Readings that were on the topic before.
        total: Readings of the replay in all.
        state: Where it stands.
        error: Why it failed, in one line; none unless it did.
    """

    run_id: str
    sent: int = 0
    skipped: int = 0
    total: int = 0
    state: ReplayState = ReplayState.RUNNING
    error: str | None = None

    def to_json(self) -> str:
        """Return one JSON object without line breaks."""
        return json.dumps(asdict(self))


class Reporter(Protocol):
    """Shows progress; a context manager around the replay."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tidy up; what was shown stays."""

    def report(self, progress: ReplayProgress) -> None:
        """Show where the replay stands; called often."""


class SilentReporter:
    """Shows nothing. Base of the others."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tidy up."""

    def report(self, progress: ReplayProgress) -> None:
        """Show nothing."""


class JsonReporter(SilentReporter):
    """JSON lines on standard output, at most one every ``REPORT_EVERY_S`` while nothing changes.

    Args:
        monotonic: Seconds from any origin.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_s = float("-inf")
        self._last_state: ReplayState | None = None

    def report(self, progress: ReplayProgress) -> None:
        """Write a line if one is due, or the state is another than before.

        Raises:
            BrokenPipeError: If nobody reads any more.
        """
        now = self._monotonic()
        if progress.state is self._last_state and now - self._last_s < REPORT_EVERY_S:
            return
        self._last_s, self._last_state = now, progress.state
        try:
            sys.stdout.write(progress.to_json() + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # else the interpreter stumbles over the same pipe when it flushes at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise


class BarReporter(SilentReporter):
    """A progress bar on standard error."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=error_console(),
        )

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the bar as it is."""
        if self._bar.tasks:
            self._bar.stop()

    def report(self, progress: ReplayProgress) -> None:
        """Move the bar; it appears once there is something to send."""
        if not progress.total:
            return
        if not self._bar.tasks:
            self._bar.add_task(progress.run_id, total=progress.total)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=progress.sent + progress.skipped)


def make_reporter(mode: ProgressMode, monotonic: Callable[[], float]) -> Reporter:
    """Return what shows progress in a mode."""
    match mode:
        case ProgressMode.BAR:
            return BarReporter()
        case ProgressMode.JSON:
            return JsonReporter(monotonic)
        case ProgressMode.NONE:
            return SilentReporter()
