"""What a replay tells while it runs: a bar for people, JSON lines for programs, or nothing.

The JSON lines are an interface (``common/replay.py``). Words for people go to standard error. When
nobody reads the lines any more (the pipe is broken), the replay stops: whoever started it is gone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from common.replay import ReplayProgress, ReplayState
from common.terminal.cli import error_console

REPORT_EVERY_S: Final = 0.5
"""Shortest time between two JSON lines of the same state, s."""


class ProgressMode(StrEnum):
    """How a replay tells its progress."""

    BAR = "bar"
    JSON = "json"
    NONE = "none"


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
