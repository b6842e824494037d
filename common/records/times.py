"""Times as messages bear them: with a date and a zone, and such that every store can keep them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer


def utc_text(moment: datetime) -> str:
    """Return RFC 3339 text in UTC, with a ``Z``, and microseconds only where there are any.

    Example:
        >>> utc_text(datetime(2026, 1, 1, tzinfo=UTC))
        '2026-01-01T00:00:00Z'
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment_of(text: str) -> datetime:
    """Return the moment that a person's text means, in UTC.

    Args:
        text: RFC 3339, or what else Python reads as a date and time; with its zone.

    Raises:
        ValueError: If it is no date and time, has no zone, or is beyond all years in UTC.

    Example:
        >>> moment_of(" 2026-01-01T01:00:00+01:00").isoformat()
        '2026-01-01T00:00:00+00:00'
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(f"{text!r} is beyond all years in UTC") from exc


EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)


LATEST: Final = datetime(2262, 1, 1, tzinfo=UTC)

"""What InfluxDB can keep: nanoseconds since 1970 in 64 bits."""


_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _is_dated(value: object) -> object:
    """Refuse what has no date, digits as text too: a number's unit would have to be guessed."""
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    raise ValueError("a time as in 2026-01-31T12:00:00Z is expected")


def _as_utc(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError(f"a time from {EARLIEST:%Y} to {LATEST:%Y} is expected")
    return moment.astimezone(UTC)


def require_wire_times(first: datetime, interval: timedelta, count: int) -> None:
    """Refuse a series of timestamps that readings may not have.

    Args:
        first: The first one.
        interval: Between two of them.
        count: How many.

    Raises:
        ValueError: If one of them is none a message may have (``EARLIEST`` to ``LATEST``), or they
            do not rise; a sentence for whoever gave them.
    """
    if first.tzinfo is None:
        raise ValueError(f"The time {first.isoformat()} came; expected one with its zone.")
    if not EARLIEST <= first < LATEST:
        raise ValueError(
            f"The start {first.isoformat()} came; expected a time from {EARLIEST:%Y} to "
            f"{LATEST:%Y}."
        )
    if interval <= timedelta(0):
        raise ValueError(f"The interval {interval} came; expected one above 0.")
    most = -((first - LATEST) // interval)
    if count > most:
        raise ValueError(
            f"{count} cycles, one every {interval}, from {utc_text(first)} run past the year "
            f"{LATEST:%Y}, the last that a message may have. Choose an earlier start, a shorter "
            f"interval, or at most {most} cycles."
        )


UtcTimestamp = Annotated[
    AwareDatetime,
    Field(strict=False),
    BeforeValidator(_is_dated),
    AfterValidator(_as_utc),
    PlainSerializer(utc_text, return_type=str, when_used="json"),
]
