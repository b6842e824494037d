"""Which engines of a data set are meant, as people type it: one grammar for all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from common.errors import UserError

_RANGE: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.ASCII)


def engine_asset_id(dataset: str, split: str, unit: int) -> str:
    """Return the asset id under which an engine is sent.

    Example:
        >>> engine_asset_id("FD001", "test", 7)
        'FD001-test-007'
    """
    return f"{dataset}-{split}-{unit:03d}"


def parse_engines(text: str, available: int) -> tuple[int, ...]:
    """Return the engine numbers meant by ``all``, ``1-20`` or ``1,5,10-12``.

    Args:
        text: As typed.
        available: Engines are numbered 1 to this.

    Returns:
        Ascending, each once.

    Raises:
        UserError: If the text is none of these, or names an engine that does not exist.

    Example:
        >>> parse_engines("7,1-3,2", available=100)
        (1, 2, 3, 7)
    """
    if text.strip().lower() == "all":
        return tuple(range(1, available + 1))
    units: set[int] = set()
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise UserError(
                f"Engines {text!r} came; expected `all`, a range such as 1-20, or a list such as "
                "1,5,7."
            )
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if not 1 <= first <= last <= available:
            raise UserError(
                f"Engines {part.strip()!r} came; expected numbers from 1 to {available}, the "
                "smaller one first."
            )
        units.update(range(first, last + 1))
    return tuple(sorted(units))


def format_engines(units: Sequence[int]) -> str:
    """Return engine numbers as text that :func:`parse_engines` reads back.

    Args:
        units: Ascending, each once, at least one.

    Example:
        >>> format_engines([1, 2, 3, 7])
        '1-3,7'
    """
    runs: list[list[int]] = []
    for unit in units:
        if runs and unit == runs[-1][1] + 1:
            runs[-1][1] = unit
        else:
            runs.append([unit, unit])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
