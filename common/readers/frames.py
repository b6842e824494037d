"""A pandas or polars frame as a table, and columns as a frame of the same kind.

Neither library is imported until a frame of it comes; pandas is needed for frames of pandas alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.readers.names import channel_name
from common.readers.table import Table
from common.readers.table_file import require_polars, table_of
from common.terminal.printable import one_line

if TYPE_CHECKING:
    from polars import DataFrame, Series

CALLED: Final = Path("frame")
"""Stands in messages where the name of a file would; and names the asset, where no column does."""

LONGEST_TEXT: Final = 200
LARGEST_WHOLE: Final = 2**53
Kind = Literal["pandas", "polars"]


class Whole(NamedTuple):
    """A column of whole numbers.

    Attributes:
        numbers: Shape ``(n,)``, of whole numbers.
        there: Shape ``(n,)``, bool: where there is one.
    """

    numbers: NDArray[Any]
    there: NDArray[np.bool_]


Values = Sequence[str | None] | NDArray[np.float64] | Whole
"""A column: texts, numbers with NaN where there is none, or whole numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What was handed over.

    Attributes:
        kind: Which library's.
        given: The frame itself, never changed.
        names: Of its columns, as texts; each once.
        table: Its columns, without rows in which all is blank; ``table.lines`` are their numbers,
            from 1.
    """

    kind: Kind
    given: Any
    names: tuple[str, ...]
    table: Table

    def __len__(self) -> int:
        """Return the number of rows that came."""
        return len(self.given)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Which of the rows that came, from 0, each row of the table is; shape ``(n,)``."""
        return self.table.lines - 1

    def as_it_came(self, name: str) -> Any:
        """Return a column, of all rows, as the frame holds it.

        Args:
            name: As the table calls it.
        """
        at = [channel_name(each) for each in self.names].index(name)
        return self.given.iloc[:, at] if self.kind == "pandas" else self.given.to_series(at)

    def like(self, columns: Mapping[str, Any]) -> Any:
        """Return columns as a frame of the same kind; of pandas, with the same index.

        Args:
            columns: By name, one value a row that came: :data:`Values`, or a column of the frame.
        """
        if self.kind == "polars":
            import polars as pl

            return pl.DataFrame([_as_series(name, values) for name, values in columns.items()])
        import pandas as pd

        found = {name: _for_pandas(values) for name, values in columns.items()}
        return pd.DataFrame(found, index=self.given.index)


def read_frame(frame: object) -> Frame:
    """Return a frame as a table.

    Raises:
        DatasetError: If it is no frame of pandas or polars, is empty, or two of its columns would
            be called alike.
        BackendMissingError: If polars is not installed.
    """
    kind = _kind(frame)
    given: Any = frame
    require_polars()
    import polars as pl

    if not len(given.columns) or not len(given):
        raise DatasetError(
            f"A frame of {len(given):,} rows and {len(given.columns):,} columns came; rows of "
            "readings were expected."
        )
    names = _names(given.columns)
    if kind == "polars":
        found = [_told_as_text(series) for series in given.get_columns()]
    else:  # column by column needs no pyarrow
        found = [_converted(name, given.iloc[:, at]) for at, name in enumerate(names)]
    plain = pl.DataFrame(
        [_whole_as_integers(series).alias(name) for name, series in zip(names, found, strict=True)]
    )
    return Frame(kind, given, names, table_of(plain, CALLED, _digest(plain)))


def _names(columns: Iterable[object]) -> tuple[str, ...]:
    names = tuple(
        _encodable(str(column)) or f"column {number}" for number, column in enumerate(columns, 1)
    )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DatasetError(
            f"The frame has {twice[0]!r} more than once; each column was expected once. Rename "
            "one of them."
        )
    return names


def _whole_as_integers(series: Series) -> Series:
    """Return whole numbers as such: a blank in a column makes them floats, and a 7 is no 7.0."""
    import polars as pl

    if not series.dtype.is_float():
        return series
    series = series.fill_nan(None)
    numbers = series.drop_nulls()
    whole = ((numbers == numbers.round()) & (numbers.abs() < LARGEST_WHOLE)).all()
    return series.cast(pl.Int64) if whole and len(numbers) else series


def _kind(frame: object) -> Kind:
    for cls in type(frame).__mro__:
        package = cls.__module__.partition(".")[0]
        if cls.__name__ == "DataFrame" and package in ("pandas", "polars"):
            return "pandas" if package == "pandas" else "polars"
    name = f"{type(frame).__module__}.{type(frame).__qualname__}".removeprefix("builtins.")
    more = " Call its collect() first." if name.startswith("polars.") else ""
    raise DatasetError(f"{name} came; a DataFrame of pandas or polars was expected.{more}")


def _told_as_text(series: Series) -> Series:
    """Return a column of lists and the like as text: where numbers are needed, it is refused."""
    import polars as pl

    kind = series.dtype
    readable = kind in (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Date, pl.Null)
    if readable or kind.is_numeric() or isinstance(kind, pl.Datetime):
        return series
    return _texts(series.name, series.to_list())


def _converted(name: str, column: Any) -> Series:
    try:
        return _series_of(name, column)
    except (ValueError, TypeError, ArithmeticError) as exc:
        raise DatasetError(
            f"Column {name!r} of the frame holds {column.dtype}, of which nothing can be made: "
            f"{one_line(str(exc))[:LONGEST_TEXT]}. Numbers, times or texts were expected."
        ) from exc


def _series_of(name: str, column: Any) -> Series:
    import pandas as pd
    import polars as pl

    kind = column.dtype
    if pd.api.types.is_datetime64_any_dtype(kind):
        zone = getattr(kind, "tz", None)
        instants = column if zone is None else column.dt.tz_convert("UTC")
        us = instants.dt.tz_localize(None).to_numpy("datetime64[us]", na_value=np.datetime64("NaT"))
        # numpy has no zones; the moment is the same
        return pl.Series(name, us, pl.Datetime("us")).dt.replace_time_zone(zone and "UTC")
    if pd.api.types.is_bool_dtype(kind) or (
        pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)
    ):
        return pl.Series(name, column.to_numpy(np.float64, na_value=np.nan), nan_to_null=True)
    values = column.tolist()
    there = [value for value in values if not _is_blank(value)]
    if there and all(isinstance(value, int | float) for value in there):
        numbers = [np.nan if _is_blank(value) else value for value in values]
        return pl.Series(name, np.array(numbers, np.float64), nan_to_null=True)
    return _texts(name, [None if _is_blank(value) else value for value in values])


def _is_blank(value: object) -> bool:
    import pandas as pd

    if value is None or value is pd.NaT or value is pd.NA:
        return True
    return isinstance(value, Number) and value != value


def _texts(name: str, values: Sequence[object]) -> Series:
    import polars as pl

    texts = [None if value is None else _encodable(str(value)) for value in values]
    return pl.Series(name, texts, pl.String)


def _encodable(text: str) -> str:
    return text[:LONGEST_TEXT].encode(errors="replace").decode()


def _digest(frame: DataFrame) -> str:
    """Return a digest of what is in a frame: the same for the same values, whichever library's."""
    import polars as pl

    digest = hashlib.sha256()
    for series in frame.get_columns():
        digest.update(f"\0{series.name}\0{len(series)}\0".encode())
        if series.dtype.is_numeric() or series.dtype == pl.Boolean:
            numbers = series.cast(pl.Float64).fill_null(np.nan).to_numpy()
            digest.update(np.ascontiguousarray(numbers).tobytes())
        else:
            texts = series.cast(pl.String).fill_null("").to_list()
            digest.update("\0".join(texts).encode())
    return digest.hexdigest()


def _as_series(name: str, values: Values | Series) -> Series:
    import polars as pl

    match values:
        case pl.Series():
            return values.alias(name)
        case Whole(numbers, there):
            found = pl.Series(name, numbers)
            return found.set(pl.Series(~there), None)
        case np.ndarray():
            return pl.Series(name, values, pl.Float64, nan_to_null=True)
        case _:
            return pl.Series(name, values, pl.String)


def _for_pandas(values: Any) -> Any:
    import pandas as pd

    match values:
        case pd.Series():
            return values.array
        case Whole(numbers, there):
            return pd.arrays.IntegerArray(numbers, ~there)
        case _:
            return values
