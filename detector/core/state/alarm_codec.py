"""What an alarm has beside its rows, as bytes in an asset's state."""

from __future__ import annotations

import struct
from typing import Final

from msgspec import structs

from models.alarm import WINDOW_LIMIT, AlarmState, PastWarning

COUNTS: Final = struct.Struct("<HHHB")
"""Readings open, readings closing, flaps, number of remembered warnings."""
WARNING: Final = struct.Struct("<BqB")
"""Readings since, cycle, whether critical."""


def pack_more(alarm: AlarmState) -> bytes:
    """Return what follows the rows of an alarm: 7 bytes, and 10 for each remembered warning."""
    counts = COUNTS.pack(alarm.open_for, alarm.closing, alarm.flaps, len(alarm.recent))
    return counts + b"".join(WARNING.pack(*past) for past in alarm.recent)


def unpack_more(alarm: AlarmState, value: bytes, at: int) -> tuple[AlarmState, int]:
    """Return an alarm with what follows its rows, and where that ends.

    Raises:
        ValueError: If it holds what no alarm has.
        struct.error: If it is cut off.
    """
    open_for, closing, flaps, count = COUNTS.unpack_from(value, at)
    begin, end = at + COUNTS.size, at + COUNTS.size + count * WARNING.size
    if end > len(value):
        raise struct.error
    recent = tuple(
        PastWarning(age, cycle, bool(critical))
        for age, cycle, critical in WARNING.iter_unpack(value[begin:end])
    )
    if any(past.age >= WINDOW_LIMIT or past.cycle < 0 for past in recent):
        raise ValueError("asset state with a warning longer ago than is remembered")
    return structs.replace(
        alarm, recent=recent, open_for=open_for, closing=closing, flaps=flaps
    ), end
