"""What all pages share: the template engine with its filters, and the style."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

from models.evaluation.intervals import Interval

STYLE: Final = Path(__file__).parent / "report.css"


def environment(folder: Path) -> jinja2.Environment:
    """Return the engine for the templates of a folder: it escapes, and a missing name is an error.

    Args:
        folder: Which the templates are in.
    """
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "num": shown,
        "pm": shown_interval,
        "thousands": thousands,
        "sentence": as_sentence,
    }
    return found


def style() -> Markup:
    """Return the style of all pages, to stand in the page itself."""
    return Markup(STYLE.read_text(encoding="utf-8"))  # noqa: S704 - ours


def shown(value: float | None, digits: int = 3) -> str:
    """Return a number, or a dash for none.

    Example:
        >>> shown(0.98765, 3), shown(None)
        ('0.988', '-')
    """
    return "-" if value is None else f"{value:.{digits}f}"


def shown_interval(value: Interval | None, digits: int = 3) -> str:
    """Return ``low-high`` with the dash of ranges, or nothing for none."""
    if value is None:
        return ""
    return "\N{EN DASH}".join(value.written(digits))


def as_sentence(text: str) -> str:
    """Return the text with a capital at its start and a full stop at its end.

    Example:
        >>> as_sentence("highest F1 on engines 1-80")
        'Highest F1 on engines 1-80.'
    """
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def thousands(value: int) -> str:
    """Return a count with separators.

    Example:
        >>> thousands(44510)
        '44,510'
    """
    return f"{value:,}"
