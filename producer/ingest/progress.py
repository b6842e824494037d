"""What an ingest tells while it runs: a line for people, JSON lines for programs, or nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from rich.console import Console
from rich.status import Status

from common.terminal.cli import error_console
from producer.ingest.tally import Tally

REPORT_EVERY_S: Final = 0.5
"""Shortest time between two lines, s."""


class Report(Protocol):
    """Told the counts often."""

    def __call__(self, tally: Tally, /) -> None:
        """Show them if it is time."""


def as_json(tally: Tally) -> str:
    """Return the counts as a line for programs."""
    return json.dumps(
        {
            "messages": tally.messages,
            "readings": tally.readings,
            "refused": {reason.value: times for reason, times in tally.refused.items()},
            "behind": tally.behind,
        }
    )


class Line:
    """One line at the bottom of a terminal; nothing where there is none.

    Args:
        topic: Theirs.
        console: Where to.
    """

    def __init__(self, topic: str, console: Console | None = None) -> None:
        console = console or error_console()
        self._topic = topic
        self._status = Status("", console=console) if console.is_terminal else None

    def shown(self) -> AbstractContextManager[object]:
        """Show it while the block runs."""
        return self._status or nullcontext()

    def __call__(self, tally: Tally, /) -> None:
        """Show the counts."""
        if self._status is not None:
            behind = "" if tally.behind is None else f", {tally.behind:,} behind"
            self._status.update(f"{self._topic}: {tally.in_words()}{behind}")


class JsonLines:
    """JSON lines on standard output, at most one every ``REPORT_EVERY_S``.

    Args:
        monotonic: Seconds from any origin.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._last_s = float("-inf")

    def __call__(self, tally: Tally, /) -> None:
        """Write a line if one is due.

        Raises:
            BrokenPipeError: If nobody reads any more.
        """
        now = self._monotonic()
        if now - self._last_s >= REPORT_EVERY_S:
            self._last_s = now
            sys.stdout.write(as_json(tally) + "\n")
            sys.stdout.flush()
