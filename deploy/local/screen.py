"""What ``surgeline up`` shows: a table of addresses, then everybody's lines with a name before."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Mapping
from typing import Final, TextIO, cast

from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Span, Text

from common.redaction import without_credentials
from deploy.local.logtail import LogTail

SUPERVISOR: Final = "surgeline"
COLOURS: Final = ("cyan", "magenta", "green", "yellow", "blue", "bright_cyan", "bright_magenta")
POLL_S: Final = 0.15

NOT_SHOWN: Final = (
    ("WARNING Memory overcommit must be enabled!",),
    ("tansu_storage::dynostore", "NotFound", "groups/consumers/"),
    ("tansu_service::stream", "BrokenPipe"),
    ("tansu_service::stream", "ConnectionReset"),
)
"""Words of lines that nobody need act on, and that no setting of the program keeps from being
written: Valkey warns of background saves, and ours keeps nothing on disk and makes none; the broker
says that a group which joins for the first time was not there before, and that a client hung up
while it was being answered. The logs have them."""


def unfailing(stream: TextIO) -> TextIO:
    """Return a stream whose writes never raise: what cannot be written is lost."""
    return cast("TextIO", _UnfailingStream(stream))


class _UnfailingStream(io.TextIOBase):
    """A stream whose writes never raise: what cannot be written is lost.

    Args:
        stream: Where to; it may be closed, full or without a reader at any time.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override] # an attribute there, read-only here
        """The stream's."""
        return self._stream.encoding

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The stream's descriptor."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write what can be written."""
        # ValueError: the stream was closed; UnicodeError is one, too
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""


class Screen:
    """Prints lines of several processes to one console.

    Args:
        console: Where to.
        tails: The log to follow of each process, by name.
    """

    def __init__(self, console: Console, tails: Mapping[str, LogTail]) -> None:
        self._console = console
        self._tails = tails
        self._width = max(map(len, (*tails, SUPERVISOR)))
        self._colours = dict(zip(tails, COLOURS * len(tails), strict=False))

    def say(self, name: str, sentence: str) -> None:
        """Print what the supervisor has to say about a process."""
        about = sentence if name == SUPERVISOR else f"{name}: {sentence}"
        self._line(SUPERVISOR, Text(about, style="bold"))

    def show(self, table: Table) -> None:
        """Print a table."""
        self._console.print(table)

    def print_new(self) -> None:
        """Print what was logged since the last call."""
        for name, tail in self._tails.items():
            for line in tail.new_lines():
                if not any(all(word in line for word in words) for words in NOT_SHOWN):
                    self._line(name, _log_text(line))
            tail.bound()

    async def follow(self) -> None:
        """Print what is logged, until cancelled."""
        try:
            while True:
                self.print_new()
                await asyncio.sleep(POLL_S)
        finally:
            self.print_new()

    def _line(self, name: str, text: Text) -> None:
        prefix = Text(f"{name:<{self._width}} | ", style=self._colours.get(name, "bold white"))
        self._console.print(prefix + text)


def _log_text(line: str) -> Text:
    """Return a line of a log with its own colours, without passwords and without links."""
    text = Text.from_ansi(without_credentials(line))
    text.spans = [
        Span(span.start, span.end, span.style.update_link(None))
        for span in text.spans
        if isinstance(span.style, Style)
    ]
    return text


def url_table(urls: Mapping[str, str]) -> Table:
    """Return the addresses of a stack as a table."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, url in urls.items():
        table.add_row(Text(name, style="bold"), Text(url, style="cyan"))
    return table
