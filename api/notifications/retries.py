"""When to try again: longer each time, scattered, and not before the receiver wants it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

MOST_RETRY_AFTER: Final = timedelta(hours=1)
"""A receiver that asks for more is asked again after this."""


def wait_after(attempts: int, initial_s: float, longest_s: float, chance: float) -> timedelta:
    """Return how long to wait after a failed try.

    Doubles with each try up to ``longest_s``; between half and all of that, so that what failed
    together does not come again together.

    Args:
        attempts: Tries so far, at least 1.
        initial_s: Wait after the first, s.
        longest_s: Longest wait, s.
        chance: A random number, from 0 to below 1.

    Example:
        >>> [wait_after(n, 2.0, 10.0, 0.0).total_seconds() for n in (1, 2, 3, 4)]
        [1.0, 2.0, 4.0, 5.0]
    """
    # 2.0 ** 1024 is too large a float; after 64 doublings the longest wait is reached long since
    wait_s = min(longest_s, initial_s * 2.0 ** min(attempts - 1, 64))
    return timedelta(seconds=wait_s * (0.5 + 0.5 * chance))


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Return how long a ``Retry-After`` asks to wait; none if it is missing or says nothing.

    Args:
        header: Seconds, or a date as HTTP has it.
        now: The time, UTC.

    Example:
        >>> retry_after("120", datetime(2026, 1, 1, tzinfo=UTC))
        datetime.timedelta(seconds=120)
    """
    if header is None or len(header) > 100:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=int(text)) if len(text) < 9 else MOST_RETRY_AFTER
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        wait = moment - now
    return min(max(wait, timedelta(0)), MOST_RETRY_AFTER)
