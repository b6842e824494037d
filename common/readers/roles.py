"""Which columns of a table are not measured: the time, the asset, the counter, the label."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.readers.table import Column, Table
from common.readers.times import NO_TIME, Clock, looks_like_time, read_clock

TIME_WORDS: Final = re.compile(
    r"time|date|timestamp|\bts\b|epoch|datum|zeit|uhrzeit|fecha|heure", re.IGNORECASE
)
SURELY_TIME: Final = re.compile(r"((local|utc)[ _]?)?(date|time|datum|zeit)", re.IGNORECASE)
ASSET_WORDS: Final = re.compile(
    r"asset|machine|maschine|pump\b|pumpe|unit|device|equipment|engine|motor_?id|serial|station"
    r"|anlage|turbine\b|compressor\b|_id$|\bid$|^id\b|^tag$|^name$",
    re.IGNORECASE,
)
STATE_WORDS: Final = re.compile(
    r"status|state|mode|alarm|event|operator|comment|message|zustand|meldung", re.IGNORECASE
)
"""A text of such a name says how an asset is, not which it is."""

ID_WORDS: Final = re.compile(r"(\b|_)id$|[a-z]I[dD]$")
COUNTER_WORDS: Final = re.compile(
    r"cycle|counter|count\b|step|sequence|\bseq\b|index|\brow\b|\bnr\b|\bno\b|^n$|^column \d+$"
    r"|zyklus|lfd",
    re.IGNORECASE,
)
LABEL_WORDS: Final = re.compile(
    r"anomal|label|fault|failure|change_?point|stoerung|störung",
    re.IGNORECASE,
)
MOST_LABELS: Final = 20
MOST_ASSETS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of columns; none where there is no such column.

    Attributes:
        time: When the reading was taken.
        asset: Whose reading it is.
        counter: A count that the source keeps, per asset.
        label: Not 0 where the machine is known to fail.
    """

    time: str | None = None
    asset: str | None = None
    counter: str | None = None
    label: str | None = None

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return frozenset(
            name for name in (self.time, self.asset, self.counter, self.label) if name is not None
        )


def roles_of(tables: Sequence[Table], given: Roles, measured: Collection[str] = ()) -> Roles:
    """Return the roles in the first of several tables; a label may be in any of them.

    Args:
        tables: At least one.
        given: What a person has said.
        measured: Columns that are not looked at.

    Raises:
        DatasetError: As :func:`find_roles`.
    """
    found = find_roles(tables[0], given, measured)
    for table in tables[1:]:
        if found.label is not None:
            break
        found = replace(found, label=_label(table, found.names, measured))
    return found


def find_roles(table: Table, given: Roles, measured: Collection[str] = ()) -> Roles:
    """Say which columns of a table are what.

    Args:
        table: The table.
        given: What a person has said; it is taken as it is.
        measured: Columns that are known to be measured, or are to be ignored: not looked at.

    Raises:
        DatasetError: If there is no column of a name given, or the time given cannot be read.
    """
    for name in given.names:
        table.column(name)
    found = given
    free = [each for each in table.columns if each.name not in measured]
    if found.time is None:
        found = replace(found, time=_time(free, found.names))
    clock = None if found.time is None else read_clock(table, found.time)
    if found.asset is None:
        found = replace(found, asset=_asset(free, found.names, clock))
    if found.counter is None:
        groups = group_codes(table, found.asset)
        counters = [
            each.name
            for each in free
            if each.name not in found.names
            and COUNTER_WORDS.search(each.name)
            and rises(each, groups)
        ]
        found = replace(found, counter=counters[0] if counters else None)
    if found.label is None:
        found = replace(found, label=_label(table, found.names, measured))
    return found


def looks_like_label(column: Column) -> bool:
    """Return whether a column says, by its name and a few small whole numbers, what was wrong."""
    if not LABEL_WORDS.search(column.name) or column.kind != "number":
        return False
    levels = np.unique(column.numbers[~np.isnan(column.numbers)])
    return len(levels) <= MOST_LABELS and bool(
        np.all((levels == np.rint(levels)) & (levels >= 0) & (levels < MOST_LABELS))
    )


def rises(column: Column, groups: NDArray[np.int64]) -> bool:
    """Return whether a column holds whole numbers that rise strictly within each asset.

    Args:
        column: The column.
        groups: Which asset each row is of, shape ``(n,)``.
    """
    numbers = column.numbers
    if column.kind != "number" or len(numbers) < 2 or np.isnan(numbers).any():
        return False
    if not np.array_equal(numbers, np.rint(numbers)):
        return False
    order = np.argsort(groups, kind="stable")
    same = np.diff(groups[order]) == 0
    return bool(same.any() and np.all(np.diff(numbers[order])[same] > 0))


def group_codes(table: Table, asset: str | None) -> NDArray[np.int64]:
    """Return a number for each row's asset, in the order they appear; all 0 without a column."""
    if asset is None:
        return np.zeros(len(table), np.int64)
    return codes_of(table.column(asset).texts())[0]


def codes_of(texts: Sequence[str | None]) -> tuple[NDArray[np.int64], list[str | None]]:
    """Return a number for each text, and the texts these stand for, in the order they appear."""
    known: dict[str | None, int] = {}
    codes = [known.setdefault(text, len(known)) for text in texts]
    return np.array(codes, np.int64), list(known)


def _label(table: Table, taken: frozenset[str], measured: Collection[str]) -> str | None:
    labels = [
        each.name
        for each in table.columns
        if each.name not in taken and each.name not in measured and looks_like_label(each)
    ]
    labels.sort(key=lambda name: "change" in name.lower())  # a moment, not a state
    return labels[0] if labels else None


def _time(free: Sequence[Column], taken: frozenset[str]) -> str | None:
    candidates = [each for each in free if each.name not in taken and looks_like_time(each)]
    # a number of that size may be anything, unless its name tells, or it never falls
    candidates = [
        each
        for each in candidates
        if each.kind != "number"
        or TIME_WORDS.search(each.name)
        or bool(np.all(np.diff(each.numbers) >= 0))
    ]
    candidates.sort(key=lambda each: TIME_WORDS.search(each.name) is None)
    if not candidates:  # a time in a form that is not read is told with its line
        candidates = [
            each
            for each in free
            if each.kind == "text" and each.name not in taken and SURELY_TIME.match(each.name)
        ]
    return candidates[0].name if candidates else None


def _asset(free: Sequence[Column], taken: frozenset[str], clock: Clock | None) -> str | None:
    """Return the column of assets: few different values, within each of which time rises."""
    named: list[str] = []
    unnamed: list[str] = []
    for column in free:
        if column.name in taken or column.kind not in ("text", "number"):
            continue
        if STATE_WORDS.search(column.name):
            continue
        has_name = ASSET_WORDS.search(column.name) is not None
        whole = column.numbers == np.rint(column.numbers)
        if column.kind == "number" and not (has_name and whole.all()):
            continue
        codes, texts = codes_of(column.texts())
        if not 1 <= len(texts) <= min(MOST_ASSETS, max(1, len(codes) // 2)):
            continue
        is_named = column.kind == "text" or ID_WORDS.search(column.name) is not None
        if has_name and (is_named or _mostly_rising(codes, clock)):
            named.append(column.name)
        elif not has_name and len(texts) > 1 and None not in texts and _told_apart(codes, clock):
            unnamed.append(column.name)
    return next(iter(named or unnamed), None)


def _told_apart(codes: NDArray[np.int64], clock: Clock | None) -> bool:
    """Return whether times repeat over all rows, but not within one asset."""
    if clock is None:
        return False
    timed = clock.us[clock.us != NO_TIME]
    pairs = np.stack([codes, clock.us], axis=1)
    repeats = len(timed) - len(np.unique(timed))
    within = len(pairs) - len(np.unique(pairs, axis=0))
    return bool(repeats > len(timed) / 10 and within < repeats / 10)


def _mostly_rising(codes: NDArray[np.int64], clock: Clock | None) -> bool:
    """Return whether rows of an asset stand together, or time rises within each."""
    changes = int(np.count_nonzero(np.diff(codes)))
    if changes < len(np.unique(codes)):
        return True
    return clock is not None and _told_apart(codes, clock)
