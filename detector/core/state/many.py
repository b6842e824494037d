"""Many states read or packed at once: nearly all of a batch are plain, and stand in tables.

Whatever is not plain, or holds what no state has, is left to ``asset.unpack`` and
``AssetState.pack``; ``test_many_states.py`` holds both against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.core.state.asset import LAYOUT_VERSION, LEVELS, AssetState
from detector.core.state.layout import fleet_in, layout_in
from detector.core.state.table import StateTable, is_plain

AT_ONCE: Final = 500
"""States read as one table: 1.6 MB stand in memory twice meanwhile, not all of a batch."""

NOT_NEGATIVE: Final = ("last_cycle", "seen_from", "onset", "next_offset")


class Part(NamedTuple):
    """Some of many values, as a table.

    Attributes:
        which: Where each of its states was among the values.
        table: The states.
    """

    which: list[int]
    table: StateTable


def unpack_many(values: Sequence[bytes]) -> tuple[list[Part], list[int]]:
    """Return plain states as tables, and which values are to be read alone.

    Args:
        values: What a store holds.
    """
    by_size: dict[int, list[int]] = {}
    for index, value in enumerate(values):
        by_size.setdefault(len(value), []).append(index)
    parts: list[Part] = []
    for which in by_size.values():
        for first in range(0, len(which), AT_ONCE):
            some = which[first : first + AT_ONCE]
            parts += _unpacked([values[index] for index in some], some)
    plain = {index for part in parts for index in part.which}
    odd = [index for index in range(len(values)) if index not in plain]
    return list(_joined(parts)), odd


def _unpacked(values: Sequence[bytes], which: Sequence[int]) -> Iterator[Part]:
    """Yield the states of values of one size that have the first one's layout and are plain."""
    layout = layout_in(values[0])
    if layout is None or layout.itemsize != len(values[0]):
        return
    table = np.frombuffer(b"".join(values), layout)
    plain = _alike(table)
    by_fleet: dict[bytes, list[int]] = {}
    for row, (value, good) in enumerate(zip(values, plain.tolist(), strict=True)):
        if good:
            by_fleet.setdefault(fleet_in(value, layout), []).append(row)
    for name, rows in by_fleet.items():
        if name and name.isascii():
            own = table if len(rows) == len(table) else table[rows]
            found = StateTable.read(own, name.decode("ascii"))
            yield Part([which[row] for row in rows], found)


def _alike(table: NDArray[np.void]) -> NDArray[np.bool_]:
    """Return which values have the layout that was taken for all, and are plain and sound."""
    layout = table.dtype
    n, width = layout["rows"].shape
    (_, channels) = layout["sums"].shape
    head, more, end = table["head"], table["more"], table["end"]
    plain = head["level"] < len(LEVELS)
    for column, value in (
        (head["version"], LAYOUT_VERSION), (head["n"], n), (head["width"], width),
        (head["ages"], 0), (head["homes"], 0), (head["named"], layout["fleet"].itemsize),
        (more["warnings"], 0), (more["channels"], channels),
        (end["n"], n), (end["width"], width), (end["held"], 0),
    ):  # fmt: skip
        plain &= column == value
    for name in NOT_NEGATIVE:
        plain &= head[name] >= 0
    plain &= more["taken_in"] >= 0
    plain &= more["whole"] <= 1
    opened = head["opened_partition"]
    plain &= (opened >= 0) | ((opened == -1) & (head["opened_offset"] == 0))
    plain &= np.isfinite(table["rows"]).all(axis=(1, 2))
    plain &= np.isfinite(table["sums"]).all(axis=(1, 2))
    return plain


def _joined(parts: Sequence[Part]) -> Iterator[Part]:
    """Yield one table of each fleet; of states that another model left, perhaps a further one."""
    groups: dict[tuple[str, int], list[Part]] = {}
    for part in parts:
        kind = part.table.fleet, part.table.rows.shape[1]
        groups.setdefault(kind, []).append(part)
    for group in groups.values():
        most = max(part.table.sums.shape[2] for part in group)
        alike = [part for part in group if part.table.sums.shape[2] in (0, most)]
        yield from (part for part in group if part.table.sums.shape[2] not in (0, most))
        which = [index for part in alike for index in part.which]
        yield Part(which, StateTable.joined([part.table for part in alike]))


def pack_many(states: Sequence[AssetState]) -> tuple[bytes, list[int]]:
    """Return the values of states, one behind the other, and the bytes of each.

    Each is as :meth:`AssetState.pack` gives it. Of neighbours that are plain and alike it is made
    without one value standing alone.
    """
    parts: list[bytes] = []
    sizes: list[int] = []
    for kind, group in groupby(states, _kind):
        alike = list(group)
        table = None if kind is None else StateTable.of(alike)
        if table is None:  # a number too large for its field is refused as it is alone
            parts += (alone := [state.pack() for state in alike])
            sizes += map(len, alone)
        else:
            packed, each = table.pack()
            parts.append(packed)
            sizes += each
    return parts[0] if len(parts) == 1 else b"".join(parts), sizes


def _kind(state: AssetState) -> tuple[str, int, int] | None:
    """Return what states of one table have in common; none of a state that is not plain."""
    if not is_plain(state):
        return None
    return state.fleet, state.ring.shape[1], state.history.sums.shape[1]
