"""The rows of one or several tables, by asset and in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.readers.names import asset_ids, names_of_files
from common.readers.roles import Roles, codes_of
from common.readers.table import Table
from common.readers.times import NO_TIME, Clock, read_clock


@dataclass(frozen=True, slots=True)
class AssetRows:
    """One asset's part of the gathered rows.

    Attributes:
        asset_id: Its id.
        called: What the table calls it.
        rows: Where its rows are.
        without_time: Rows that have no time, and were left out.
        out_of_order: Rows that stood behind a later one, and were sorted in.
    """

    asset_id: str
    called: str
    rows: slice
    without_time: int
    out_of_order: int


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """Rows of all tables.

    Attributes:
        tables: Where they come from.
        roles: Which columns are not measured.
        assets: Whose they are, in the order they appear.
        clock_us: Shape ``(n,)``, int64, rising within an asset; none without a column of time.
        clocks: How each table's times are written; empty without.
        codes: Shape ``(m,)``, int64: which asset each row of the tables is of; -1 for none.
        order: Shape ``(n,)``, int64: which of these rows each gathered one is.
    """

    tables: tuple[Table, ...]
    roles: Roles
    assets: tuple[AssetRows, ...]
    clock_us: NDArray[np.int64] | None
    clocks: tuple[Clock, ...]
    codes: NDArray[np.int64]
    order: NDArray[np.int64]

    @property
    def without_asset(self) -> NDArray[np.int64]:
        """Rows of the tables that have no asset, and were left out."""
        return np.flatnonzero(self.codes < 0)

    @property
    def without_time(self) -> NDArray[np.int64]:
        """Rows of the tables that have an asset and no time, and were left out."""
        return np.setdiff1d(np.flatnonzero(self.codes >= 0), self.order)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.order)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column's numbers, shape ``(n,)``; NaN for tables that do not have it."""
        parts = []
        for table in self.tables:
            column = table.find(name)
            parts.append(np.full(len(table), np.nan) if column is None else column.numbers)
        found: NDArray[np.float64] = np.concatenate(parts)[self.order]
        return found


def gather(tables: Sequence[Table], roles: Roles) -> Gathered:
    """Put the rows of all tables in order: by asset, then by time; as they stand without a time.

    Without a column of assets each table is one asset, named after its file.

    Raises:
        DatasetError: If a time cannot be read, or assets cannot be told apart.
    """
    names, codes = _assets(tables, roles)
    clocks = () if roles.time is None else tuple(read_clock(each, roles.time) for each in tables)
    times = np.concatenate([clock.us for clock in clocks]) if clocks else None
    blank = codes < 0 if times is None else (codes < 0) | (times == NO_TIME)
    usable = np.flatnonzero(~blank)
    if not usable.size:
        raise DatasetError(f"{tables[0].path}: no row has both a time and an asset.")
    keys = (codes[usable],) if times is None else (times[usable], codes[usable])
    order = usable[np.lexsort(keys)]
    kept = np.bincount(codes[order], minlength=len(names))
    lost = np.bincount(codes[blank & (codes >= 0)], minlength=len(names))
    ends = np.cumsum(kept)
    ids = asset_ids(names, str(tables[0].path))
    as_they_stood = usable[np.argsort(codes[usable], kind="stable")]
    assets = tuple(
        AssetRows(
            ids[name],
            name,
            rows := slice(int(ends[code] - kept[code]), int(ends[code])),
            int(lost[code]),
            0 if times is None else _out_of_order(times[as_they_stood[rows]]),
        )
        for code, name in enumerate(names)
        if kept[code] or lost[code]
    )
    return Gathered(
        tuple(tables),
        roles,
        assets,
        None if times is None else times[order],
        clocks,
        codes,
        order,
    )


def _assets(tables: Sequence[Table], roles: Roles) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of the assets, and for each row which it is of; -1 where it is blank."""
    if roles.asset is None:
        names = names_of_files([table.path for table in tables])
        lengths = [len(table) for table in tables]
        return list(names), np.repeat(np.arange(len(tables)), lengths)
    texts: list[str | None] = []
    for table in tables:
        texts += table.column(roles.asset).texts()
    codes, known = codes_of(texts)
    position = -1 * np.ones(len(known), np.int64)
    names_found: list[str] = []
    for code, text in enumerate(known):
        if text is not None:
            position[code] = len(names_found)
            names_found.append(text)
    return names_found, position[codes]


def _out_of_order(times: NDArray[np.int64]) -> int:
    latest = np.maximum.accumulate(times)
    return int(np.count_nonzero(times < latest))
