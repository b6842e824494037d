"""Nearly every reading is plain, and a plain one is read in a quarter of the time.

:class:`~common.records.readings.IncomingReading` is the definition. What is read here is read as
the definition reads it, to the last bit. Whatever is not plain (text beyond ASCII, a field that the
layout does not know, a value that is no number, anything at all that is wrong) is left to the
definition, which says what it is, or why not. ``test_quick_readings.py`` holds both
against each other.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from common.records.ids import DEFAULT_FLEET, FLEET_PATTERN, ID_PATTERN, ONLY_RUN
from common.records.times import EARLIEST, LATEST
from common.records.wire import MAX_CYCLE

NOT_PLAIN: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What reading a message that is not plain may raise."""

is_id: Final = re.compile(ID_PATTERN.removesuffix("$")).fullmatch
is_fleet: Final = re.compile(FLEET_PATTERN.removesuffix("$")).fullmatch
_IS_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:[0-5]\d)", re.ASCII
).fullmatch


class QuickReading(NamedTuple):
    """A reading, with the attributes of ``IncomingReading``; all values are numbers."""

    schema_version: int
    fleet: str
    asset_id: str
    run_id: str
    cycle: int | None
    ts: datetime
    settings: dict[str, int | float]
    sensors: dict[str, int | float]


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    asset_id: str
    ts: str
    settings: dict[str, int | float]
    sensors: dict[str, int | float]
    schema_version: int = 1
    fleet: str = DEFAULT_FLEET
    run_id: str = ONLY_RUN
    cycle: int | None = None


_decode: Final = msgspec.json.Decoder(_Plain).decode


def read_plain(value: bytes) -> QuickReading | None:
    """Return the reading that a message holds; none if it is not plain, or none at all.

    Args:
        value: The message.
    """
    if not value.isascii() or b"\\" in value:
        return None
    try:
        came = _decode(value)
        ts = plain_moment(came.ts)
    except NOT_PLAIN:
        return None
    cycle = came.cycle
    is_plain = (
        ts is not None
        and came.schema_version in (1, 2)
        and (cycle is None or 1 <= cycle <= MAX_CYCLE)
        and is_id(came.asset_id)
        and is_id(came.run_id)
        and is_fleet(came.fleet)
    )
    if ts is None or not is_plain:
        return None
    return QuickReading(
        came.schema_version,
        came.fleet,
        came.asset_id,
        came.run_id,
        cycle,
        ts,
        came.settings,
        came.sensors,
    )


def plain_moment(text: str) -> datetime | None:
    """Return the time that a text in the usual form says, in UTC; none in any other form.

    Raises:
        ValueError: If there is no such day or hour.
    """
    if not _IS_TIME(text):
        return None
    moment = datetime.fromisoformat(text)
    if not EARLIEST <= moment < LATEST:
        return None
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
