"""HTML whose every text is escaped: what is a plain ``str`` can never become an element."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from common.terminal.printable import printable

VOID: Final = frozenset({"meta", "line", "polyline", "rect", "circle"})
"""Elements without content, of HTML and of drawings."""


class Html(str):
    """Text that is HTML already. Only :func:`element` and :func:`joined` make it."""

    __slots__ = ()


def element(name: str, /, *content: str | Html, **attributes: str | float) -> Html:
    """Return an element.

    Args:
        name: Its name.
        content: What is in it; all that is not :class:`Html` is escaped, and its control
            characters become visible.
        attributes: By name, ``_`` for ``-``, and one at the end of names that Python keeps.

    Example:
        >>> element("p", "a < b & ", element("b", "<c>"), class_="x")
        '<p class="x">a &lt; b &amp; <b>&lt;c&gt;</b></p>'
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(f"{value}")}"'
        for key, value in attributes.items()
    )
    if name in VOID:
        return Html(f"<{name}{given}/>")
    return Html(f"<{name}{given}>{joined(content)}</{name}>")


def joined(parts: Iterable[str | Html]) -> Html:
    """Return all parts after one another, escaped where they are not HTML."""
    return Html("".join(part if isinstance(part, Html) else _text(part) for part in parts))


def _text(value: str) -> str:
    return escape(printable(value))
