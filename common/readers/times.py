"""Reads a column of times: ISO 8601 text, times of Parquet, or epochs, whose unit their size tells.

Two other ways to write a date are unambiguous and read, too: 31.01.2026 and 2026/01/31. A text
without a zone is taken as UTC, and the caller is told, so that it can say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.readers.table import Column, Table
from common.records.times import EARLIEST, LATEST
from common.terminal.printable import one_line

if TYPE_CHECKING:
    from polars import Series

ISO: Final = (
    r"^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r" ?([Zz]|UTC|[+-]\d\d(?::?\d\d)?)?$"
)

OTHER_DATES: Final = (
    (r"^(\d\d)\.(\d\d)\.(\d{4})", "$3-$2-$1"),
    (r"^(\d{4})/(\d\d)/(\d\d)", "$1-$2-$3"),
)

NO_TIME: Final = np.iinfo(np.int64).min
"""Stands for a blank."""

MICROSECONDS: Final = 1_000_000
SMALLEST_EPOCH: Final = 3e8
"""Mid 1979 in seconds; a smaller number counts something else."""

UNITS: Final = (("s", 1e11, 1e6), ("ms", 1e14, 1e3), ("us", 1e17, 1.0), ("ns", 9.3e18, 1e-3))
"""Name of a unit, what is below this in it, and its microseconds. No two can be mixed up from 1979
to the year 5138."""

SAMPLE: Final = 1000
MOSTLY: Final = 0.9
"""A column of so many times is one of times: what else is in it is for a person to mend."""


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """Times of a table's rows.

    Attributes:
        us: Shape ``(n,)``, int64: UTC epoch microseconds, ``NO_TIME`` where blank.
        form: How they are written, in words.
        has_zone: Whether the zone is written beside them; epochs are UTC by definition.
    """

    us: NDArray[np.int64]
    form: str
    has_zone: bool


def looks_like_time(column: Column) -> bool:
    """Return whether nine tenths of a column's first thousand values can be read as times.

    A number counts if it is of the size of an epoch.
    """
    if column.kind == "time":
        return True
    if column.kind == "text":
        import polars as pl

        sample = column.raw.drop_nulls().head(SAMPLE).cast(pl.String)
        return int(_with_iso_dates(sample).str.contains(ISO).sum()) >= MOSTLY * len(sample)
    if column.kind == "number":
        numbers = column.numbers[~np.isnan(column.numbers)]
        return bool(numbers.size and numbers.min() >= SMALLEST_EPOCH and _unit_of(numbers))
    return False


def read_clock(table: Table, name: str) -> Clock:
    """Read one of a table's columns as times.

    Raises:
        DatasetError: Naming the file, the line, what came and what was expected.
    """
    column = table.column(name)
    if column.kind == "blank":
        raise DatasetError(f"{table.path}: column {name!r} is blank; times were expected.")
    if column.kind == "time":
        clock = _of_times(column.raw)
    elif column.kind == "number":
        clock = _of_epochs(column, table)
    else:
        clock = _of_texts(column, table)
    earliest, latest = (int(moment.timestamp()) * MICROSECONDS for moment in (EARLIEST, LATEST))
    wrong = (clock.us != NO_TIME) & ((clock.us < earliest) | (clock.us >= latest))
    if wrong.any():
        raise _fault(table, column, int(np.flatnonzero(wrong)[0]), "a time from 1970 to 2261")
    return clock


def _of_times(series: Series) -> Clock:
    import polars as pl

    zone = getattr(series.dtype, "time_zone", None)
    instants = series.cast(pl.Datetime("us", zone)).dt.epoch("us")
    return Clock(_filled(instants), "time", zone is not None)


def _of_epochs(column: Column, table: Table) -> Clock:
    numbers, there = column.numbers, ~np.isnan(column.numbers)
    found = _unit_of(numbers[there])
    if found is None or numbers[there].min() < SMALLEST_EPOCH:
        row = int(np.flatnonzero(there & ~(numbers >= SMALLEST_EPOCH))[:1].sum())
        raise _fault(
            table, column, row, "an epoch in s, ms, us or ns, in one unit, or a time such as "
            "2026-01-31 12:00:00; if it is the time since a start, name that column with --ignore",
        )  # fmt: skip
    unit, factor = found
    us = np.full(len(numbers), NO_TIME)
    us[there] = np.rint(numbers[there] * factor).astype(np.int64)
    return Clock(us, f"epoch, {unit}", has_zone=True)


def _unit_of(numbers: NDArray[np.float64]) -> tuple[str, float] | None:
    """Return the one unit that the smallest and the largest agree on, and its microseconds."""
    low, high = (
        next((unit for unit in UNITS if extreme < unit[1]), None)
        for extreme in (numbers.min(), numbers.max())
    )
    return (low[0], low[2]) if low is not None and low == high else None


def _of_texts(column: Column, table: Table) -> Clock:
    import polars as pl

    series = _with_iso_dates(column.raw)
    parts = series.str.extract_groups(ISO).struct.unnest()
    date, minute, second, fraction, zone = (parts.to_series(index) for index in range(5))
    text = date + " " + minute.fill_null("00:00") + ":" + second.fill_null("00")
    whole = text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    wrong = (whole.is_null() & series.is_not_null()).to_numpy()
    if wrong.any():
        raise _fault(
            table, column, int(np.flatnonzero(wrong)[0]),
            "a time such as 2026-01-31 12:00:00 or 2026-01-31T12:00:00Z (ISO 8601)",
        )  # fmt: skip
    micros = fraction.str.pad_end(9, "0").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    has_zone = zone.is_not_null() & series.is_not_null()
    zoned, timed = int(has_zone.sum()), len(series) - series.null_count()
    if 0 < zoned < timed:
        other = has_zone.to_numpy() != bool(has_zone[0])
        raise _fault(
            table, column, int(np.flatnonzero(other & series.is_not_null().to_numpy())[0]),
            f"all times with a zone, or none of them: {zoned:,} of {timed:,} have one",
        )  # fmt: skip
    offsets = pl.Series([_offset_us(text) for text in zone.to_list()], dtype=pl.Int64)
    return Clock(_filled(whole.dt.epoch("us") + micros - offsets), "text", zoned > 0)


def _with_iso_dates(texts: Series) -> Series:
    for pattern, iso in OTHER_DATES:
        texts = texts.str.replace(pattern, iso)
    return texts


def _offset_us(zone: str | None) -> int:
    if zone is None or zone in ("Z", "z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return (-seconds if zone[0] == "-" else seconds) * MICROSECONDS


def _filled(series: Series) -> NDArray[np.int64]:
    return series.fill_null(NO_TIME).to_numpy().astype(np.int64)


def _fault(table: Table, column: Column, row: int, expected: str) -> DatasetError:
    came = one_line(str(column.raw[row]))[:40]
    return DatasetError(
        f"{table.path}, line {table.lines[row]}: {came!r} came in column {column.name!r}; expected "
        f"{expected}."
    )
