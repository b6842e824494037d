"""One value of their JSON as a number, a time, a count or a name. Pure and total.

Each function returns a value or raises ``ValueError`` with what was expected, never anything else.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from common.readers.names import asset_id
from common.readers.table_file import BLANKS
from common.readers.times import ISO, SMALLEST_EPOCH, UNITS
from common.records.ids import ID_PATTERN
from common.records.times import EARLIEST, LATEST
from common.records.wire import MAX_CYCLE

TimeFormat = Literal["auto", "iso", "s", "ms", "us"]

MAX_TEXT_CHARS: Final = 1000
"""Longer texts are no number, time or name."""

SHOWN_CHARS: Final = 40

_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ISO: Final = re.compile(ISO, re.ASCII)
_ID: Final = re.compile(ID_PATTERN)
_MICROSECOND: Final = timedelta(microseconds=1)
_PER_UNIT: Final = {name: per_us for name, _, per_us in UNITS}


class OverflowedError(ValueError):
    """A number is too large, or became so by its factor."""


def shown(value: object) -> str:
    """Return a beginning of a value, for a sentence."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**SHOWN_CHARS:
        return "a whole number of very many digits"  # writing it out may be refused by Python
    if isinstance(value, dict | list):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value)}"
    text = repr(value)
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."


def number(value: object, factor: float = 1.0, offset: float = 0.0) -> float | None:
    """Return ``value * factor + offset``; none where nothing was measured.

    Numbers, texts of a number, true (1) and false (0) are taken. Null, a text that stands for a
    blank (``""``, ``"NaN"``, ``"n/a"``, as in files) and what is not finite are nothing measured.

    Raises:
        ValueError: If it is something else.
        OverflowedError: If it is finite and becomes too large.

    Example:
        >>> number("21.5", factor=1.8, offset=32.0)
        70.7
    """
    measured = _number_in(value) if isinstance(value, str) else value
    if measured is None:
        return None
    if not isinstance(measured, int | float):
        raise ValueError(f"{shown(value)} came; a number was expected")  # noqa: TRY004 - their value
    if isinstance(measured, float) and not math.isfinite(measured):
        return None
    try:
        scaled = float(measured) * factor + offset
    except OverflowError:  # a whole number of hundreds of digits
        scaled = math.inf
    if not math.isfinite(scaled):
        raise OverflowedError(
            f"{shown(value)} with factor {factor:g} and offset {offset:g} is beyond all numbers"
        )
    return scaled


def moment(value: object, form: TimeFormat = "auto") -> datetime:
    """Return a time, UTC; one without a zone is taken as UTC.

    Args:
        value: A text as in ISO 8601, or an epoch: a number, or its digits as text.
        form: How it is written. ``auto`` takes both, and tells an epoch's unit by its size, as
            files are read (``common/readers/times.py``).

    Raises:
        ValueError: If it is not written so, or before 1970 or after 2261.

    Example:
        >>> moment(1767225600000).isoformat()
        '2026-01-01T00:00:00+00:00'
        >>> moment("2026-01-01 01:00+01:00").isoformat()
        '2026-01-01T00:00:00+00:00'
    """
    expected = {
        "auto": "a time such as 2026-01-31T12:00:00Z, or an epoch in s, ms, us or ns",
        "iso": "a time such as 2026-01-31T12:00:00Z",
    }.get(form, f"an epoch in {form}")
    found: datetime | None = None
    if isinstance(value, str) and len(value) <= MAX_TEXT_CHARS:
        text = value.strip()
        if form in ("auto", "iso"):
            found = _iso(text)
        if found is None and form != "iso" and _NUMBER.fullmatch(text):
            found = _epoch(int(text) if text.isdigit() else float(text), form)
    elif isinstance(value, int | float) and not isinstance(value, bool) and form != "iso":
        found = _epoch(value, form)
    if found is None or not EARLIEST <= found < LATEST:
        raise ValueError(f"{shown(value)} came; {expected}, from 1970 to 2261, was expected")
    return found


def has_zone(value: object) -> bool:
    """Return whether a time says its zone; an epoch is UTC by definition."""
    if not isinstance(value, str):
        return True
    match = _ISO.match(value.strip()[:MAX_TEXT_CHARS])
    return match is None or match[5] is not None


def count(value: object) -> int:
    """Return a cycle: 1 or more.

    Raises:
        ValueError: If it is no whole number from 1 to ``MAX_CYCLE``.
    """
    found = value
    if isinstance(value, str) and len(value) <= SHOWN_CHARS and value.isascii():
        found = int(value) if value.isdigit() else value
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found <= MAX_CYCLE:
        raise ValueError(f"{shown(value)} came; a whole number from 1 was expected")
    return found


def called(value: object) -> str:
    """Return what an asset is called: a text, or a whole number as text.

    Raises:
        ValueError: If it is something else, or no asset id can be made of it.
    """
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_CYCLE
    text = str(value) if whole else value
    if not isinstance(text, str) or len(text) > MAX_TEXT_CHARS or not asset_id(text):
        raise ValueError(f"{shown(value)} came; a name with letters or digits was expected")
    return text


def run_name(value: object) -> str:
    """Return a run id: as an asset's name, but nothing in it is changed.

    Raises:
        ValueError: If it cannot be one.
    """
    text = called(value)
    if not _ID.match(text) or text.endswith("\n"):
        raise ValueError(
            f"{shown(value)} came; letters, digits and ._:- were expected, 128 at most"
        )
    return text


def _number_in(text: str) -> int | float | None:
    plain = text.strip() if len(text) <= MAX_TEXT_CHARS else text
    if plain.lower() in BLANKS:
        return None
    if len(plain) > MAX_TEXT_CHARS or not _NUMBER.fullmatch(plain):
        raise ValueError(f"{shown(text)} came; a number was expected")
    found = float(plain)
    if not math.isfinite(found):
        raise OverflowedError(f"{shown(text)} is beyond all numbers")
    return found


def _iso(text: str) -> datetime | None:
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    date, minute, second, fraction, zone = match.groups()
    micros = (fraction or "").ljust(6, "0")[:6]
    try:
        local = datetime.fromisoformat(f"{date} {minute or '00:00'}:{second or '00'}.{micros}")
        return local.replace(tzinfo=UTC) - _offset(zone)
    except (ValueError, OverflowError):
        return None


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in ("Z", "z", "UTC"):
        return timedelta(0)
    digits = zone[1:].replace(":", "").ljust(4, "0")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -ahead if zone[0] == "-" else ahead


def _epoch(value: float, form: TimeFormat) -> datetime | None:
    unit: str | None = form
    if form == "auto":
        big_enough = value >= SMALLEST_EPOCH
        unit = next((name for name, below, _ in UNITS if big_enough and value < below), None)
    if unit is None:
        return None
    per_us = _PER_UNIT[unit]
    try:
        # whole numbers stay whole: a double has no room for nanoseconds since 1970
        if isinstance(value, int) and per_us >= 1:
            us = value * int(per_us)
        else:
            us = round(value * per_us)
        return EARLIEST + us * _MICROSECOND
    except (OverflowError, ValueError):
        return None
