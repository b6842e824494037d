"""Plain readings by the thousand: only what is wanted of them is made, and times by column.

:class:`~common.records.readings.IncomingReading` is the definition, as it is of
``quick_readings.py``; here the names of the wanted values are known before. What is not plain is
left to those. ``test_quick_columns.py`` and ``test_decoding_many.py`` hold them against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import lru_cache
from math import nan
from typing import Annotated, Any, Final, Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from common.records.ids import DEFAULT_FLEET, ONLY_RUN
from common.records.quick_readings import plain_moment
from common.records.times import EARLIEST, LATEST
from common.records.wire import MAX_CYCLE

MICROSECOND: Final = timedelta(microseconds=1)

NO_TIME: Final = -1
"""In microseconds, where a text is no plain time."""

MOST_DIGITS: Final = 4_300
"""Of more digits Python makes no whole number."""

_LATEST_US: Final = (LATEST - EARLIEST) // MICROSECOND
_USUAL_TIMES: Final = re.compile(
    r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z\n)*", re.ASCII
).fullmatch


def shallow_ones(values: Sequence[bytes | None], most: int) -> Iterator[tuple[int, bytes]]:
    """Yield the messages that are ASCII text with two objects and no array, and which.

    What nobody wants of such a message may be read over: nothing can be wrong with it that readers
    of JSON see differently, as they do very deep values and very long numbers.

    Args:
        values: Messages.
        most: Their bytes at most.
    """
    sure = _is_simple(b"".join(filter(None, values)))
    for at, value in enumerate(values):
        if (
            value
            and len(value) <= most
            and (sure or _is_simple(value))
            and value.count(b"{") == 3
            and (len(value) < MOST_DIGITS or not _may_hold_long_number(value))
        ):
            yield at, value


def _may_hold_long_number(value: bytes) -> bool:
    """Return whether so many digits may stand in a row; one of them in as many is looked at."""
    beside = MOST_DIGITS // 2 - 1
    return any(
        value[at - beside : at].isdigit() or value[at : at + beside].isdigit()
        for at in range(MOST_DIGITS - 1, len(value), MOST_DIGITS)
    )


def _is_simple(text: bytes) -> bool:
    """Return whether text is ASCII without escapes and arrays: a message, or many at once."""
    return text.isascii() and b"\\" not in text and b"[" not in text


def times_us(texts: Sequence[str]) -> NDArray[np.int64]:
    """Return times as UTC epoch microseconds; ``NO_TIME`` for what is no plain time.

    Args:
        texts: What readings say; without line breaks.

    Example:
        >>> times_us(["1970-01-01T00:00:01.5Z", "today"]).tolist()
        [1500000, -1]
    """
    if _USUAL_TIMES("".join([f"{text}\n" for text in texts])):
        try:
            found = np.array([text[:-1] for text in texts], "M8[us]").view(np.int64)
        except ValueError:  # a day that its month has not
            pass
        else:
            return np.where((found >= 0) & (found < _LATEST_US), found, NO_TIME)
    return np.array([_moment_us(text) for text in texts], np.int64)


def _moment_us(text: str) -> int:
    try:
        moment = plain_moment(text)
    except ValueError:
        return NO_TIME
    return NO_TIME if moment is None else (moment - EARLIEST) // MICROSECOND


class Came(Protocol):
    """A reading of known names, its texts not looked at yet.

    Attributes:
        schema_version: 1 or 2.
        fleet: As ``IncomingReading``'s, of any form; so the others.
        asset_id: Whose.
        run_id: In which run.
        cycle: From 1 to ``MAX_CYCLE``, or none.
        ts: When it was taken, of any form.
        settings: A struct of the wanted settings.
        sensors: A struct of the wanted sensors.
    """

    schema_version: int
    fleet: str
    asset_id: str
    run_id: str
    cycle: int | None
    ts: str
    settings: msgspec.Struct
    sensors: msgspec.Struct


@lru_cache(maxsize=64)
def plain_reader(settings: tuple[str, ...], sensors: tuple[str, ...]) -> Callable[[bytes], Came]:
    """Return what reads a plain message of which some values are wanted, all numbers.

    A setting that is missing is an error, a sensor that is missing or null is NaN or none. What
    else is in the message may be anything.

    Args:
        settings: Names of the wanted settings.
        sensors: Names of the wanted sensors.

    Returns:
        A function that raises one of ``NOT_PLAIN`` on anything else. It is for messages that are
        :func:`shallow <shallow_ones>`.
    """
    conditions = [(f"value_{at}", float) for at in range(len(settings))]
    channels = [(f"value_{at}", float | None, nan) for at in range(len(sensors))]
    came = msgspec.defstruct(
        "Came",
        [
            ("asset_id", str),
            ("ts", str),
            ("settings", _named("Settings", conditions, settings)),
            ("sensors", _named("Sensors", channels, sensors)),
            ("schema_version", Literal[1, 2], 1),
            ("fleet", str, DEFAULT_FLEET),
            ("run_id", str, ONLY_RUN),
            ("cycle", Annotated[int, msgspec.Meta(ge=1, le=MAX_CYCLE)] | None, None),
        ],
        gc=False,
    )
    read: Callable[[bytes], Any] = msgspec.json.Decoder(came).decode
    return read


class _Head(msgspec.Struct, gc=False):
    schema_version: int = 1
    fleet: str = DEFAULT_FLEET


_head_of: Final = msgspec.json.Decoder(_Head).decode


def fleet_said(value: bytes) -> str:
    """Return the fleet that a shallow message says it is of; version 1 knows none.

    Raises:
        ValueError: If it is no plain message.
    """
    head = _head_of(value)
    return head.fleet if head.schema_version > 1 else DEFAULT_FLEET


def _named(title: str, fields: Any, names: Sequence[str]) -> Any:
    wire = dict(zip((field[0] for field in fields), names, strict=True))
    return msgspec.defstruct(title, fields, gc=False, rename=wire)
