"""Times in tables: in UTC, as short as the rows allow, under a heading that says the zone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

FULL: Final = 19
"""Characters of a date and a time of day, to the second."""


class Stamps:
    """How the times of one table are said: with the year only where rows differ in it.

    Args:
        moments: All times of the table, as the api says them: RFC 3339 in UTC; none where unknown.
        name: What the column is of.

    Example:
        >>> stamps = Stamps(["2026-01-01T00:00:40Z", "2026-01-02T00:00:40Z"], "since")
        >>> stamps.heading, stamps.of("2026-01-01T00:00:40Z"), stamps.of(None)
        ('since (UTC)', '01-01 00:00:40', '')
    """

    def __init__(self, moments: Iterable[str | None], name: str = "time") -> None:
        self._from = 5 if len({each[:4] for each in moments if each}) <= 1 else 0
        self.heading = f"{name} (UTC)"

    def of(self, moment: str | None) -> str:
        """Return a time in the table's words; empty where it is not known."""
        return "" if not moment else moment[self._from : FULL].replace("T", " ")


def whole(moment: str | None) -> str:
    """Return date, time of day and zone of a time outside a table.

    Example:
        >>> whole("2026-01-01T00:00:40Z")
        '2026-01-01 00:00:40 UTC'
    """
    return "" if not moment else f"{moment[:FULL].replace('T', ' ')} UTC"


def span(seconds: float) -> str:
    """Return how long, in the two largest units.

    Example:
        >>> span(28_800), span(90_061), span(59)
        ('8 h', '1 d 1 h', '59 s')
    """
    rest = round(seconds)
    said: list[str] = []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        amount, rest = divmod(rest, size)
        if amount or (unit == "s" and not said):
            said.append(f"{amount} {unit}")
        elif said:
            break
    return " ".join(said[:2])
