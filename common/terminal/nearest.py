"""What somebody may have meant by a name that is none: one home for "Did you mean ...?"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

MOST: Final = 3


def nearest(name: str, known: Iterable[str], most: int = MOST) -> list[str]:
    """Return the known names most like one that is not among them, the best first; none if it is.

    Upper and lower case count as alike.

    Example:
        >>> nearest("repaly", ["replay", "alerts"])
        ['replay']
        >>> nearest("fd001", ["FD001", "FD002"], most=1)
        ['FD001']
    """
    by_folded = {each.casefold(): each for each in known}
    if by_folded.get(name.casefold()) == name:
        return []
    return [by_folded[each] for each in difflib.get_close_matches(name.casefold(), by_folded, most)]


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" with a blank before it; empty if no name is near.

    Example:
        >>> suggestion("pump7", ["pump-7", "fan-1"])
        ' Did you mean pump-7?'
    """
    near = nearest(name, known)
    return f" Did you mean {' or '.join(near)}?" if near else ""
