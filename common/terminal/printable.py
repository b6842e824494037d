"""Makes foreign text fit for a terminal: what would command it is shown as an escape instead."""

from __future__ import annotations

import re
from typing import Final

UNPRINTABLE: Final = re.compile(r"[^ -~\n]")
"""What is looked at more closely; the rest of ASCII and line breaks pass."""


def printable(text: str) -> str:
    r"""Return text in which every character that a terminal would not just show is an escape.

    That is: control characters (escape sequences begin with one), bidirectional marks and other
    invisible ones, lone surrogates. Line breaks stay, since they do no more than break a line.

    Example:
        >>> printable("pump\x1b[2J\u202e7")
        'pump\\x1b[2J\\u202e7'
        >>> printable("Größe: 5 µm\n")
        'Größe: 5 µm\n'
    """
    return UNPRINTABLE.sub(_shown, text)


def one_line(text: str) -> str:
    r"""Return :func:`printable` text without line breaks.

    Example:
        >>> one_line("a\nb")
        'a\\nb'
    """
    return printable(text).replace("\n", "\\n")


def _shown(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
