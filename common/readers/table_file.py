"""Reads a CSV file (plain or gzip) or a Parquet file into a table."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from common.errors import BackendMissingError, DatasetError
from common.machines.machine import MAX_NAME_CHARS
from common.readers.csv_text import CsvText, split_csv
from common.readers.names import channel_name
from common.readers.table import Column, Table
from common.terminal.extras import how_to_install
from common.terminal.printable import one_line

if TYPE_CHECKING:
    from polars import DataFrame, Series

MAX_BYTES: Final = 1024**3
"""Of one file, unpacked: all of it is held in memory."""

GZIP_MAGIC: Final = b"\x1f\x8b"
PARQUET_MAGIC: Final = b"PAR1"
ZIP_MAGIC: Final = b"PK\x03\x04"

BLANKS: Final = frozenset(
    {"", "-", "--", "?", "na", "n/a", "#n/a", "nan", "nil", "none", "null", "missing"}
)
"""What stands for no value, in lower case."""

MOSTLY: Final = 0.9
"""A column of numbers may hold this small a rest of texts: what historians write for no value."""

DECIMAL_COMMA: Final = r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$"


def read_table(path: Path) -> Table:
    """Read a file: what it is, is seen from its content, not from its name.

    Rows in which every field is blank are left out.

    Raises:
        DatasetError: If it cannot be read as a table; names the file and the line or column.
        BackendMissingError: If polars is not installed.
    """
    require_polars()
    content = _read_bytes(path)
    digest = hashlib.sha256(content).hexdigest()
    if content.startswith(PARQUET_MAGIC):
        return table_of(_parquet(content, path), path, digest)
    text = split_csv(content, str(path))
    return table_of(_csv(text, path), path, digest, text.lines, text.notes)


def table_of(
    frame: DataFrame,
    path: Path,
    sha256: str,
    lines: NDArray[np.int64] | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    """Return a frame's columns, each as what it holds, without the rows in which all is blank.

    Args:
        frame: The columns as they came.
        path: Where they came from, for messages.
        sha256: Digest of their content.
        lines: The line each row is on; none to number them from 1.
        notes: What was decided so far.

    Raises:
        DatasetError: If two columns would be called alike, or nothing is in it.
    """
    found: list[Column] = []
    for series in _with_our_names(frame, path).get_columns():
        column, told = _column(series)
        found.append(column)
        notes = (*notes, *told)
    numbers = np.arange(1, frame.height + 1, dtype=np.int64) if lines is None else lines
    return _without_blank_rows(Table(path, tuple(found), numbers, sha256, notes))


def require_polars() -> None:
    """Fail with what to install.

    Raises:
        BackendMissingError: If polars is not installed.
    """
    try:
        import polars  # noqa: F401 (only whether it is there)
    except ImportError as exc:
        raise BackendMissingError(
            f"Reading a table needs polars, which is not installed. {how_to_install('tables')}"
        ) from exc


def _read_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(MAX_BYTES + 1)
        if packed.startswith(GZIP_MAGIC):
            with gzip.open(io.BytesIO(packed)) as unpacked:
                packed = unpacked.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
        raise DatasetError(f"{path} is a damaged gzip file: {exc}. Pack it anew.") from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise DatasetError(f"{path} cannot be read: {reason}.") from exc
    if len(packed) > MAX_BYTES:
        raise DatasetError(
            f"{path} holds more than {MAX_BYTES // 1024**2:,} MiB. Cut it into several files, for "
            "example one an asset, and name them all."
        )
    if packed.startswith(ZIP_MAGIC):
        raise DatasetError(
            f"{path} is a zip archive or an Excel workbook; a CSV or Parquet file was expected. "
            "Unpack it, or save the sheet as CSV."
        )
    return packed


def _csv(text: CsvText, path: Path) -> DataFrame:
    import polars as pl

    try:
        frame = pl.read_csv(
            text.body,
            has_header=False,
            separator=text.separator,
            schema=dict.fromkeys(text.names, pl.String()),
            infer_schema=False,
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as exc:
        raise DatasetError(f"{path} cannot be read as CSV: {_first_line(exc)}.") from exc
    if frame.height != len(text.lines):
        raise DatasetError(
            f"{path}: {frame.height:,} rows were read of {len(text.lines):,}. Is a quotation mark "
            "without its other half, or inside a field without being doubled?"
        )
    return frame


def _parquet(content: bytes, path: Path) -> DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as exc:
        raise DatasetError(f"{path} cannot be read as Parquet: {_first_line(exc)}.") from exc


def _with_our_names(frame: DataFrame, path: Path) -> DataFrame:
    names = {name: channel_name(name) for name in frame.columns}
    twice = [made for made, count in Counter(names.values()).items() if count > 1]
    if twice:
        alike = " and ".join(repr(one_line(name)) for name in names if names[name] == twice[0])
        raise DatasetError(
            f"{path}: the columns {alike} would both be called {twice[0]!r} (at most "
            f"{MAX_NAME_CHARS} printable characters, no backslash). Rename one of them."
        )
    return frame.rename(names)


def _first_line(exc: BaseException) -> str:
    return one_line((str(exc).strip().splitlines() or [type(exc).__name__])[0])[:200].rstrip(".")


def _column(series: Series) -> tuple[Column, tuple[str, ...]]:
    """Return a column of whatever kind it is, and what is to be told of it."""
    import polars as pl

    blank = np.full(len(series), np.nan)
    kind = series.dtype
    if series.null_count() == len(series):
        return Column(series.name, "blank", blank, series.cast(pl.String)), ()
    if kind == pl.String or kind in (pl.Categorical, pl.Enum):
        return _of_texts(series.cast(pl.String))
    if kind.is_numeric() or kind == pl.Boolean:
        return Column(series.name, "number", _finite(series.cast(pl.Float64)), series), ()
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return Column(series.name, "time", blank, series), ()
    nothing = pl.Series(series.name, [None] * len(series), pl.String())
    told = f"column {series.name!r} holds {kind}, of which nothing can be made: left out"
    return Column(series.name, "blank", blank, nothing), (told,)


def _of_texts(series: Series) -> tuple[Column, tuple[str, ...]]:
    import polars as pl

    name = series.name
    series = series.str.strip_chars()
    series = series.set(series.str.to_lowercase().is_in(list(BLANKS)).fill_null(value=True), None)
    there = len(series) - series.null_count()
    if not there:
        return Column(name, "blank", np.full(len(series), np.nan), series), ()
    notes: tuple[str, ...] = ()
    numbers = series.cast(pl.Float64, strict=False)
    if numbers.count() < there:
        with_comma = series.str.contains(DECIMAL_COMMA).fill_null(value=False)
        if with_comma.any():
            pointed = series.zip_with(~with_comma, series.str.replace(",", ".", literal=True))
            numbers = pointed.cast(pl.Float64, strict=False)
    found = numbers.count()
    if found < MOSTLY * there:
        return Column(name, "text", np.full(len(series), np.nan), series), ()
    if found < there:
        other = series.filter(numbers.is_null() & series.is_not_null())
        examples = ", ".join(repr(one_line(text)[:20]) for text in other.unique().sort()[:3])
        notes = (f"column {name!r}: {there - found:,} texts ({examples}) were read as blank",)
    return Column(name, "number", _finite(numbers), series), notes


def _finite(series: Series) -> NDArray[np.float64]:
    import polars as pl

    values: NDArray[np.float64] = (
        series.cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64, copy=True)
    )
    values[~np.isfinite(values)] = np.nan
    return values


def _without_blank_rows(table: Table) -> Table:
    """Leave out empty rows, and the columns without a name in which nothing is."""
    import polars as pl

    columns = tuple(
        column
        for column in table.columns
        if not (column.kind == "blank" and column.name.startswith("column "))
    )
    if not columns:
        raise DatasetError(f"{table.path} holds no value at all.")
    there = np.zeros(len(table), bool)
    for column in columns:
        there |= column.raw.is_not_null().to_numpy()
    if there.all():
        return Table(table.path, columns, table.lines, table.sha256, table.notes)
    if not there.any():
        raise DatasetError(f"{table.path} holds {len(table):,} rows, and all of them are blank.")
    mask = pl.Series(there)
    kept = tuple(
        Column(column.name, column.kind, column.numbers[there], column.raw.filter(mask))
        for column in columns
    )
    return Table(table.path, kept, table.lines[there], table.sha256, table.notes)
