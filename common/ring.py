"""An asset's latest readings as bytes: the last part of what is remembered of it.

The detector writes it and the api reads it, so its form has its home here. What stands before it in
a state is the detector's own (``detector/core/state``).

Layout, little-endian: the rows as float32, oldest first; cycle and time of each as int64; a bit for
each value that was not measured, where there is one; and the ``FOOTER``, by which it is found from
the end.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

FOOTER: Final = struct.Struct("<HHH")
"""Rows, columns, and channels with bits; 0 channels where every value was measured."""

STAMP_BYTES: Final = 16

MACHINE: Final = slice(13, 29)
"""Where, from the beginning, every state has its machine type's digest: behind the fence and the
version of the layout."""

LAYOUT_AT: Final = 12
"""Where it has that version."""

FIRST_LAYOUT: Final = 6
"""States of earlier layouts have another end."""


LAST_US: Final = 9_214_646_400_000_000
"""2262, as on the wire: a later time was never written."""


class Moment(NamedTuple):
    """When a row was taken.

    Attributes:
        cycle: Its cycle.
        taken_us: Its time, UTC epoch microseconds.
    """

    cycle: int
    taken_us: int


class Marks(msgspec.Struct, frozen=True, eq=False, gc=False):
    """When the rows of a ring were taken, and which of their values stand in for missing ones.

    Stamps stay the bytes they are stored as: every batch appends to them, and only evidence and the
    api read them.

    Attributes:
        stamps: ``STAMP_BYTES`` for each row (:func:`packed_stamps`): its cycle and its time; zeros
            where an earlier version had not kept them.
        held: Whether each channel's value is an earlier one, shape ``(n, n_channels)``; of size 0
            where all were measured.
    """

    stamps: bytes
    held: NDArray[np.bool_]

    def rows(self, begin: int, end: int) -> Marks:
        """Return those of some rows."""
        stamps = self.stamps[begin * STAMP_BYTES : end * STAMP_BYTES]
        return Marks(stamps, self.held[begin:end] if self.held.size else self.held)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.stamps) // STAMP_BYTES

    def moments(self) -> list[Moment | None]:
        """Return when each row was taken; none where it is not known."""
        pairs = self.numbers().tolist()
        return [
            Moment(cycle, taken_us) if cycle > 0 and 0 <= taken_us < LAST_US else None
            for cycle, taken_us in pairs
        ]

    def numbers(self) -> NDArray[np.int64]:
        """Return cycle and time of each row, as they are kept; shape ``(n, 2)``."""
        return np.frombuffer(self.stamps, "<i8").reshape(-1, 2)

    def held_rows(self, n_channels: int) -> NDArray[np.bool_]:
        """Return what is held, of any number of rows, shape ``(n, n_channels)``."""
        return self.held if self.held.size else np.zeros((len(self), n_channels), np.bool_)

    @classmethod
    def unknown(cls, rows: int) -> Self:
        """Return the marks of rows of which nothing was kept."""
        return cls(bytes(rows * STAMP_BYTES), NOTHING_HELD)


NOTHING_HELD: Final = np.zeros((0, 0), np.bool_)

NO_MARKS: Final = Marks(b"", NOTHING_HELD)


def packed_stamps(stamps: NDArray[np.int64]) -> bytes:
    """Return cycles and times (UTC epoch microseconds), shape ``(n, 2)``, as rings keep them."""
    return stamps.astype("<i8", copy=False).tobytes()


class Ring(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An asset's latest readings.

    Attributes:
        rows: As measured or held, the conditions first; shape ``(n, width)``, float32, finite.
        marks: When, and which are held.
    """

    rows: NDArray[np.float32]
    marks: Marks


def pack_ring(ring: Ring) -> bytes:
    """Return a ring as bytes; of 30 rows of 17 columns 2,526.

    Example:
        >>> ring = Ring(np.zeros((30, 17), np.float32), Marks.unknown(30))
        >>> len(pack_ring(ring))
        2526
    """
    marks = ring.marks
    rows = ring.rows.astype("<f4", copy=False).tobytes()
    stamps = marks.stamps
    n, width = ring.rows.shape
    if not marks.held.size:
        return rows + stamps + FOOTER.pack(n, width, 0)
    held = np.packbits(marks.held).tobytes()
    return rows + stamps + held + FOOTER.pack(n, width, marks.held.shape[1])


def unpack_ring(value: bytes) -> tuple[Ring, int]:
    """Return the ring at the end of a value, and where it begins.

    Raises:
        ValueError: If there is none, or it holds what no ring does.
    """
    if len(value) < FOOTER.size:
        raise ValueError(f"a ring cut off at {len(value)} bytes")
    n, width, n_channels = FOOTER.unpack_from(value, len(value) - FOOTER.size)
    bits = n * n_channels
    sizes = n * width * 4, n * STAMP_BYTES, (bits + 7) // 8
    begin = len(value) - FOOTER.size - sum(sizes)
    if begin < 0 or n_channels > width:
        raise ValueError(
            f"a ring of {n} x {width}, {n_channels} of them with bits, is not in {len(value)} bytes"
        )
    stamps_at, held_at = begin + sizes[0], begin + sizes[0] + sizes[1]
    rows = np.frombuffer(value[begin:stamps_at], "<f4").reshape(n, width)
    held = NOTHING_HELD
    if bits:
        flags = np.frombuffer(value, np.uint8, sizes[2], held_at)
        held = np.unpackbits(flags, count=bits).astype(np.bool_).reshape(n, n_channels)
    if not np.isfinite(rows).all():
        raise ValueError("a ring with a value that is no number")
    return Ring(rows, Marks(value[stamps_at:held_at], held)), begin


def machine_of(state: bytes) -> bytes:
    """Return the digest of the machine type whose values a state's ring holds.

    Raises:
        ValueError: If the state's end is not a ring: it was written by an earlier version.
    """
    layout = state[LAYOUT_AT] if len(state) > LAYOUT_AT else 0
    if layout < FIRST_LAYOUT:
        raise ValueError(f"a state of layout {layout}; from {FIRST_LAYOUT} on it ends in its ring")
    return state[MACHINE]


MOST_COUNTED: Final = 2.0**23
"""Below it, 32 bits tell apart whole numbers and halves: the fewest decimals are the shortest."""

MOST_DECIMALS: Final = 6
"""Sources seldom write more; what has more is looked for digit by digit."""


def shortest(values: NDArray[np.float32]) -> list[Any]:
    """Return 32-bit values as the shortest numbers that are them, as sources write them.

    Args:
        values: Of any shape; finite.

    Returns:
        Numbers, nested as the array is.

    Example:
        >>> shortest(np.array([0.1, 1e18, 523.79], np.float32))
        [0.1, 1e+18, 523.79]
    """
    exact = values.astype(np.float64)
    found = np.full(values.shape, np.nan)
    wanted = np.abs(exact) < MOST_COUNTED
    for decimals in range(MOST_DECIMALS + 1):
        # a whole number over a power of ten is the very double that its decimals are read as
        candidates = np.rint(exact * 10.0**decimals) / 10.0**decimals
        fits = wanted & (candidates.astype(np.float32) == values)
        found[fits] = candidates[fits]
        wanted &= ~fits
        if not wanted.any():
            break
    left = np.isnan(found)
    if left.any():
        found[left] = values[left].astype(str).astype(np.float64)
    return list(found.tolist())
