"""Many states read or packed at once: nearly all of a batch have one layout, and are one table.

``asset.unpack`` and ``AssetState.pack`` are the definition. Taken here is what is plain: of the
current layout, with no former home, no warning remembered, and nothing held. Whatever is not, or
holds what no state has, is left to the definition; ``test_many_states.py`` holds both against each
other.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, groupby, repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from common.ring import NOTHING_HELD, Marks
from detector.core.state.asset import (
    DIGEST_BYTES,
    LAYOUT_VERSION,
    LEVELS,
    NO_ALARM,
    AssetState,
    Fence,
    Place,
    Rival,
)
from models.alarm import AlarmState
from models.scoring.history import SUMS, LifeHistory

NO_RIVAL: Final = Rival()

HEAD: Final = [
    ("partition", ">i4"), ("next_offset", ">i8"),
    ("version", "u1"), ("machine", "V16"), ("model", "V16"), ("last_cycle", "<i8"),
    ("seen_from", "<i8"), ("n", "<u2"), ("width", "<u2"), ("ages", "<u2"), ("level", "u1"),
    ("onset", "<i8"), ("warning_row", "<u2"), ("critical_row", "<u2"), ("quiet_row", "<u2"),
    ("life", "<u4"), ("alarm_id", "V16"), ("newest_us", "<i8"), ("opened_partition", "<i4"),
    ("opened_offset", "<i8"), ("rivals", "<u2"), ("rival_cycle", "<i8"), ("rival_us", "<i8"),
    ("homes", "u1"), ("named", "u1"),
]  # fmt: skip
"""``FENCE``, ``HEADER`` and ``TAIL`` of ``asset.py``."""
AFTER_NAME: Final = [
    ("open_for", "<u2"), ("closing", "<u2"), ("flaps", "<u2"), ("warnings", "u1"),
    ("taken_in", "<i8"), ("whole", "u1"), ("channels", "<u2"),
]  # fmt: skip
"""What alarms have beside their rows, and the begin of the history."""
END: Final = [("end_n", "<u2"), ("end_width", "<u2"), ("held", "<u2")]
"""Of the ring."""

NUMBERS: Final = (
    "partition", "next_offset", "life", "last_cycle", "seen_from",
    "level", "onset", "warning_row", "critical_row",
    "quiet_row", "newest_us", "opened_partition", "opened_offset", "rivals",
    "rival_cycle", "rival_us", "open_for", "closing", "flaps", "taken_in",
    "whole",
)  # fmt: skip
"""What differs from state to state of one shape, beside its arrays and digests."""
NOTHING: Final = ("ages", "homes", "warnings", "held")
"""What a plain state has none of."""
KINDS: Final = dict((*HEAD, *AFTER_NAME))
LEAST: Final = np.array([np.iinfo(KINDS[name]).min for name in NUMBERS])
MOST: Final = np.array([min(np.iinfo(KINDS[name]).max, 2**63 - 1) for name in NUMBERS])
NOT_OPENED: Final = Place(-1, 0)
AT_ONCE: Final = 500
"""States read as one table: 1.6 MB stand in memory twice meanwhile, not all of a batch."""

NOT_NEGATIVE: Final = ("last_cycle", "seen_from", "onset", "next_offset", "taken_in")
HEAD_TYPE: Final = np.dtype(HEAD)
AFTER_NAME_TYPE: Final = np.dtype(AFTER_NAME)
COLUMNS: Final = tuple(name for name, _ in (*HEAD, *AFTER_NAME))


@lru_cache(maxsize=256)
def _layout(n: int, width: int, named: int, channels: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            *HEAD,
            ("fleet", f"V{named}"),
            *AFTER_NAME,
            ("sums", "<f8", (SUMS, channels)),
            ("rows", "<f4", (n, width)),
            ("stamps", f"V{16 * n}"),
            *END,
        ]
    )


def unpack_many(values: Sequence[bytes]) -> list[AssetState | None]:
    """Return the states that values hold; none for a value that is to be read alone.

    Args:
        values: What a store holds.
    """
    found: list[AssetState | None] = [None] * len(values)
    by_size: dict[int, list[int]] = {}
    for index, value in enumerate(values):
        by_size.setdefault(len(value), []).append(index)
    for size, which in by_size.items():
        for first in range(0, len(which), AT_ONCE):
            some = which[first : first + AT_ONCE]
            for index, state in _unpacked([values[index] for index in some], some, size):
                found[index] = state
    return found


def _unpacked(
    values: Sequence[bytes], which: Sequence[int], size: int
) -> Iterator[tuple[int, AssetState]]:
    """Yield the states of values of one size that have the first one's layout and are plain."""
    if (layout := _layout_of(values[0])) is None or layout.itemsize != size:
        return
    table = np.frombuffer(b"".join(values), layout)
    fleet = _part(layout, "fleet")
    plain = _alike(table, layout) & np.array([value[fleet].isascii() for value in values])
    if not plain.all():
        table = table[plain]
        values = [value for value, good in zip(values, plain.tolist(), strict=True) if good]
        which = [index for index, good in zip(which, plain.tolist(), strict=True) if good]
    if values:
        yield from zip(which, _states(table, values, layout), strict=True)


def pack_many(states: Sequence[AssetState]) -> tuple[bytes, list[int]]:
    """Return the values of states, one behind the other, and the bytes of each.

    Each is as :meth:`AssetState.pack` gives it. Of neighbours that are plain and of one shape it is
    made without one value standing alone.
    """
    parts: list[bytes] = []
    sizes: list[int] = []
    for shape, group in groupby(states, _plain_shape):
        alike = list(group)
        packed = b"" if shape is None else _packed(alike, layout := _layout(*shape))
        if packed:
            parts.append(packed)
            sizes += [layout.itemsize] * len(alike)
        else:
            parts += (alone := [state.pack() for state in alike])
            sizes += map(len, alone)
    return parts[0] if len(parts) == 1 else b"".join(parts), sizes


def _plain_shape(state: AssetState) -> tuple[int, int, int, int] | None:
    """Return what makes up the layout of a plain state; none of another."""
    if not _is_plain(state):
        return None
    n, width = state.ring.shape
    return n, width, len(state.fleet), state.history.sums.shape[1]


def _is_plain(state: AssetState) -> bool:
    return not (
        state.former
        or state.ages
        or state.finals is not None
        or state.alarm.recent
        or state.marks.held.size
        or len(state.marks) != len(state.ring)
        or not state.fleet.isascii()
        or len(state.machine) != DIGEST_BYTES
        or len(state.model) != DIGEST_BYTES
    )


def _packed(states: Sequence[AssetState], layout: np.dtype[np.void]) -> bytes:
    """Return the values of plain states of one shape, one behind the other.

    Nothing where a number is too large for its field: the definition says so.
    """
    n, width = layout["rows"].shape
    sums, channels = layout["sums"].shape
    table = np.empty(len(states), layout)
    flat = chain.from_iterable(map(_numbers, states))
    numbers = np.fromiter(flat, np.int64, len(states) * len(NUMBERS)).reshape(-1, len(NUMBERS))
    if ((numbers < LEAST) | (numbers > MOST)).any():
        return b""
    for name, column in zip(NUMBERS, numbers.T, strict=True):
        table[name] = column
    for name in NOTHING:
        table[name] = 0
    table["version"], table["named"] = LAYOUT_VERSION, layout["fleet"].itemsize
    table["n"], table["width"], table["channels"] = n, width, channels
    table["end_n"], table["end_width"] = n, width
    names = b"".join([each.fleet.encode() for each in states])
    table["fleet"] = np.frombuffer(names, layout["fleet"])
    for name in ("machine", "model"):
        table[name] = np.frombuffer(b"".join([getattr(each, name) for each in states]), "V16")
    ids = [uuid.UUID(each.alarm_id).bytes if each.alarm_id else NO_ALARM for each in states]
    table["alarm_id"] = np.frombuffer(b"".join(ids), "V16")
    if channels:
        table["sums"] = np.concatenate([each.history.sums for each in states]).reshape(
            -1, sums, channels
        )
    if n:
        rows = np.concatenate([each.ring for each in states])
        table["rows"] = rows.reshape(-1, n, width)
        stamps = b"".join([each.marks.stamps for each in states])
        table["stamps"] = np.frombuffer(stamps, layout["stamps"])
    return table.tobytes()


def _numbers(state: AssetState) -> tuple[int, ...]:
    """Return what ``NUMBERS`` names."""
    fence, alarm, rival, history = state.fence, state.alarm, state.rival, state.history
    opened_partition, opened_offset = state.opened or NOT_OPENED
    return (
        fence.partition, fence.next_offset, fence.life, state.last_cycle, state.seen_from,
        alarm.level.rank, alarm.onset_cycle, alarm.warning_row, alarm.critical_row,
        alarm.quiet_row, state.newest_us, opened_partition, opened_offset, rival.count,
        rival.cycle, rival.clock_us, alarm.open_for, alarm.closing, alarm.flaps, history.count,
        history.whole,
    )  # fmt: skip


def _layout_of(value: bytes) -> np.dtype[np.void] | None:
    """Return the layout of a value, as far as it says one."""
    if len(value) < HEAD_TYPE.itemsize + AFTER_NAME_TYPE.itemsize:
        return None
    head = np.frombuffer(value, HEAD_TYPE, 1)[0]
    named = int(head["named"])
    begin = HEAD_TYPE.itemsize + named
    if begin + AFTER_NAME_TYPE.itemsize > len(value):
        return None
    channels = int(np.frombuffer(value, AFTER_NAME_TYPE, 1, begin)[0]["channels"])
    return _layout(int(head["n"]), int(head["width"]), named, channels)


def _alike(table: NDArray[np.void], layout: np.dtype[np.void]) -> NDArray[np.bool_]:
    """Return which values have the layout that was taken for all, and are plain and sound."""
    n, width = layout["rows"].shape
    (_, channels) = layout["sums"].shape
    wanted = {
        "version": LAYOUT_VERSION, "n": n, "width": width, "ages": 0, "homes": 0,
        "named": layout["fleet"].itemsize, "warnings": 0, "channels": channels,
        "end_n": n, "end_width": width, "held": 0,
    }  # fmt: skip
    plain = table["level"] < len(LEVELS)
    for name, value in wanted.items():
        plain &= table[name] == value
    for name in NOT_NEGATIVE:
        plain &= table[name] >= 0
    plain &= np.isfinite(table["rows"]).all(axis=(1, 2))
    plain &= np.isfinite(table["sums"]).all(axis=(1, 2))
    return plain


def _states(
    table: NDArray[np.void], values: Sequence[bytes], layout: np.dtype[np.void]
) -> Iterator[AssetState]:
    fleet, stamps = _part(layout, "fleet"), _part(layout, "stamps")
    columns: dict[str, Any] = {name: table[name].tolist() for name in COLUMNS}
    return map(
        AssetState,
        columns["machine"],
        columns["model"],
        np.ascontiguousarray(table["rows"]),
        columns["last_cycle"],
        columns["seen_from"],
        _alarms(columns),
        map(Fence, columns["partition"], columns["next_offset"], columns["life"]),
        ["" if each == NO_ALARM else str(uuid.UUID(bytes=each)) for each in columns["alarm_id"]],
        columns["newest_us"],
        _opened(table, columns),
        _rivals(table, columns),
        repeat(()),  # no former homes, no ages
        repeat(()),
        _names(value[fleet] for value in values),
        map(
            LifeHistory,
            columns["taken_in"],
            map(bool, columns["whole"]),
            np.ascontiguousarray(table["sums"]),
        ),
        [Marks(value[stamps], NOTHING_HELD) for value in values],
    )


def _opened(table: NDArray[np.void], columns: dict[str, Any]) -> Iterable[Place | None]:
    """Return where each run was opened by rule; hardly any was."""
    if (table["opened_partition"] < 0).all():
        return repeat(None)
    return [
        None if at[0] < 0 else Place(*at)
        for at in zip(columns["opened_partition"], columns["opened_offset"], strict=True)
    ]


def _rivals(table: NDArray[np.void], columns: dict[str, Any]) -> Iterable[Rival]:
    """Return each rival; hardly any asset has one."""
    names = ("rivals", "rival_cycle", "rival_us")
    if not any(table[name].any() for name in names):
        return repeat(NO_RIVAL)
    each = zip(*(columns[name] for name in names), strict=True)
    return [Rival(*numbers) if any(numbers) else NO_RIVAL for numbers in each]


def _names(values: Iterable[bytes]) -> Iterator[str]:
    """Return fleets' names: each text once, however many assets have it."""
    known: dict[bytes, str] = {}
    for value in values:
        if value not in known:
            known[value] = value.decode("ascii")
        yield known[value]


def _alarms(columns: dict[str, Any]) -> Iterator[AlarmState]:
    return map(
        AlarmState,
        map(LEVELS.__getitem__, columns["level"]),
        columns["onset"],
        columns["warning_row"],
        columns["critical_row"],
        columns["quiet_row"],
        repeat(()),  # no warning remembered
        columns["open_for"],
        columns["closing"],
        columns["flaps"],
    )


def _part(layout: np.dtype[np.void], name: str) -> slice:
    """Return where a field stands in a value."""
    assert layout.fields is not None  # noqa: S101 - it has
    kind, begin = layout.fields[name][:2]
    return slice(begin, begin + kind.itemsize)
