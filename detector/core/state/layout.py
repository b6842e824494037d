"""Where each number stands in a plain state: what ``asset.py`` packs field by field, as a table.

A state is *plain* if it has no former home, no warning remembered, nothing held and nothing that is
not final yet: nearly all are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np

from models.scoring.history import SUMS

HEAD: Final = np.dtype(
    [
        ("partition", ">i4"), ("next_offset", ">i8"),
        ("version", "u1"), ("machine", "V16"), ("model", "V16"), ("last_cycle", "<i8"),
        ("seen_from", "<i8"), ("n", "<u2"), ("width", "<u2"), ("ages", "<u2"), ("level", "u1"),
        ("onset", "<i8"), ("warning_row", "<u2"), ("critical_row", "<u2"), ("quiet_row", "<u2"),
        ("life", "<u4"), ("alarm_id", "V16"), ("newest_us", "<i8"), ("opened_partition", "<i4"),
        ("opened_offset", "<i8"), ("rivals", "<u2"), ("rival_cycle", "<i8"), ("rival_us", "<i8"),
        ("homes", "u1"), ("named", "u1"),
    ]
)  # fmt: skip
"""``FENCE``, ``HEADER`` and ``TAIL`` of ``asset.py``."""
MORE: Final = np.dtype(
    [
        ("open_for", "<u2"), ("closing", "<u2"), ("flaps", "<u2"), ("warnings", "u1"),
        ("taken_in", "<i8"), ("whole", "u1"), ("channels", "<u2"),
    ]
)  # fmt: skip
"""Behind the fleet's name: what alarms have beside their rows, and the begin of the history."""
END: Final = np.dtype([("n", "<u2"), ("width", "<u2"), ("held", "<u2")])
"""Of the ring."""
STAMP: Final = np.dtype("<i8")


@lru_cache(maxsize=256)
def layout_of(n: int, width: int, named: int, channels: int) -> np.dtype[np.void]:
    """Return the layout of plain states of one shape.

    Args:
        n: Rows in the ring.
        width: Columns in it.
        named: Bytes of the fleet's name.
        channels: Of the history; 0 where nothing is remembered.
    """
    return np.dtype(
        [
            ("head", HEAD),
            ("fleet", f"V{named}"),
            ("more", MORE),
            ("sums", "<f8", (SUMS, channels)),
            ("rows", "<f4", (n, width)),
            ("stamps", STAMP, (n, 2)),
            ("end", END),
        ]
    )


def layout_in(value: bytes) -> np.dtype[np.void] | None:
    """Return the layout of a value, as far as it says one."""
    if len(value) < HEAD.itemsize + MORE.itemsize:
        return None
    head: Any = np.frombuffer(value, HEAD, 1)[0]
    named = int(head["named"])
    begin = HEAD.itemsize + named
    if begin + MORE.itemsize > len(value):
        return None
    channels = int(np.frombuffer(value, MORE, 1, begin)[0]["channels"])
    return layout_of(int(head["n"]), int(head["width"]), named, channels)


def fleet_in(value: bytes, layout: np.dtype[np.void]) -> bytes:
    """Return the fleet's name in a value of a layout."""
    return value[HEAD.itemsize : HEAD.itemsize + layout["fleet"].itemsize]
