"""When to send: pure arithmetic on timestamps, no clock and no waiting."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a replay runs against the readings' own timestamps.

    Attributes:
        factor: 60.0 sends a minute of readings a second; none sends as fast as the broker takes.
    """

    factor: float | None

    def due_s(self, offset_s: float) -> float:
        """Return when a reading is due, seconds after the replay began.

        Args:
            offset_s: The reading's timestamp less that of the first one to send, s.

        Example:
            >>> Pace(60.0).due_s(30.0), Pace(None).due_s(30.0)
            (0.5, 0.0)
        """
        return 0.0 if self.factor is None else offset_s / self.factor

    def __str__(self) -> str:
        """Return the text a user would type: ``60x`` or ``max``."""
        return "max" if self.factor is None else f"{self.factor!r}".removesuffix(".0") + "x"


def due_until(
    offsets_s: Sequence[float], position: int, elapsed_s: float, pace: Pace, at_most: int
) -> int:
    """Return the end of the readings to send now.

    Args:
        offsets_s: Ascending; each reading's timestamp less that of the first one to send, s.
        position: Index of the first reading that has not been sent.
        elapsed_s: Seconds since the replay began. A replay that fell behind catches up at once.
        pace: How fast.
        at_most: Most readings to send at a time.

    Returns:
        An index ``end``: readings ``position`` to ``end - 1`` are due; equal to ``position`` if
        none is.

    Example:
        >>> due_until([0.0, 0.0, 60.0], 0, 0.5, Pace(60.0), at_most=100)
        2
    """
    limit = min(len(offsets_s), position + at_most)
    if pace.factor is None:
        return limit
    return bisect_right(offsets_s, elapsed_s, lo=position, hi=limit, key=pace.due_s)
