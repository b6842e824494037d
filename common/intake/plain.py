"""A record decoded by us rather than by aiokafka."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class PlainRecord:
    """A record without headers.

    Attributes:
        offset: Its offset.
        timestamp: UTC epoch milliseconds; none where the format has none.
        timestamp_type: 0 for the producer's, 1 for the broker's; none where the format has none.
        key: Its key.
        value: Its value.
        headers: Always none.
        checksum: Always none: it is checked, not kept.
    """

    offset: int
    timestamp: int | None
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: tuple[()] = ()
    checksum: None = None
