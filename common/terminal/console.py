"""The consoles that commands print to: foreign text can neither style them nor command them."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from common.terminal.printable import printable


class SafeConsole(Console):
    """A console on which only our own styles are terminal commands.

    Text is never read as markup: styling goes by ``style=`` and ``rich.text.Text``. Whatever a
    character of a text would do to a terminal, it is shown instead (``printable.py``).
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield what is printed, piece by piece."""
        for segment in super().render(renderable, options):
            if segment.control or (segment.text.isascii() and segment.text.isprintable()):
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


def output_console(file: TextIO | None = None, *, soft_wrap: bool = False) -> SafeConsole:
    """Return a console on standard output, made anew so that redirection is honoured.

    Args:
        file: Where to instead.
        soft_wrap: Whether the terminal breaks long lines, not we.
    """
    return SafeConsole(file=file, highlight=False, markup=False, emoji=False, soft_wrap=soft_wrap)


def error_console() -> SafeConsole:
    """Return a console on standard error, made anew so that redirection is honoured."""
    return output_console(sys.stderr, soft_wrap=True)
