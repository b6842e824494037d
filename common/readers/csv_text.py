"""The text of a CSV file, before any value is read: encoding, separator, names, fields a line."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.terminal.printable import one_line

SEPARATORS: Final = ("\t", ";", ",")
"""The comma last: in a file with another separator it may be the decimal sign."""

SNIFFED_LINES: Final = 20
SHOWN: Final = 60
CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1f]")
NUMBER: Final = re.compile(r"[+-]?[\d.,:eE+\- TZ]*\d[\d.,:eE+\- TZ]*")


@dataclass(frozen=True, slots=True)
class CsvText:
    """A CSV file, split into names and rows.

    Attributes:
        body: The rows, UTF-8.
        separator: Between two fields.
        names: Of the columns, without spaces at either end; each once.
        lines: Shape ``(n,)``, int64: the line on which each row of ``body`` ends, from 1.
        notes: What was decided, one sentence each.
    """

    body: bytes
    separator: str
    names: tuple[str, ...]
    lines: NDArray[np.int64]
    notes: tuple[str, ...]


def split_csv(content: bytes, source: str) -> CsvText:
    """Find the separator and the names, and make sure that every row has as many fields.

    Args:
        content: The unpacked file.
        source: Its name, for messages.

    Raises:
        DatasetError: If it is not text, empty, of one column, without names, or a line has another
            number of fields.
    """
    text, notes = _decoded(content, source)
    stripped = text.lstrip(b"\n")
    first_line = len(text) - len(stripped) + 1
    header, _, body = stripped.rstrip(b"\n ").partition(b"\n")
    if not header.strip():
        raise DatasetError(
            f"{source} is empty; a line of column names and lines of values were expected."
        )
    separator = _separator(header, body, source)
    names = _names(header, separator, source, first_line)
    if not body.strip():
        raise DatasetError(f"{source} has column names and no rows; lines of values were expected.")
    lines = _lines_of_rows(body, separator, len(names), first_line + 1, source)
    return CsvText(body, separator, names, lines, notes)


def _decoded(content: bytes, source: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the text as UTF-8 whose lines end with a line feed."""
    notes: tuple[str, ...] = ()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = _from_utf16(content, source)
    content = content.removeprefix(codecs.BOM_UTF8)
    if CONTROL.search(content):
        raise DatasetError(
            f"{source} is not text: it holds control characters. A CSV or Parquet file was "
            "expected; export the table as one of these."
        )
    try:
        content.decode()
    except UnicodeDecodeError:
        content = content.decode("cp1252", errors="replace").encode()
        notes = ("it is not UTF-8 and was read as Windows-1252",)
    content = content.replace(b"\r\n", b"\n")
    return content.replace(b"\r", b"\n"), notes


def _from_utf16(content: bytes, source: str) -> bytes:
    try:
        return content.decode("utf-16").encode()
    except UnicodeError as exc:
        raise DatasetError(
            f"{source} begins as UTF-16 text and does not go on so. Save it as UTF-8."
        ) from exc


def _separator(header: bytes, body: bytes, source: str) -> str:
    """Return what separates fields: what is in the header, and as often in the lines below it."""
    first = [_fields_by_separator(line) for line in body.split(b"\n", SNIFFED_LINES)[:-1] or [body]]
    named = _fields_by_separator(header)
    candidates = [each for each in SEPARATORS if named[each]]
    if not candidates:
        raise DatasetError(
            f"{source} has one column, {_shown(header)}; at least a time and a channel were "
            "expected, separated by commas, semicolons or tabs."
        )
    agreeing = [
        each for each in candidates if first and all(line[each] == named[each] for line in first)
    ]
    return agreeing[0] if agreeing else max(candidates, key=lambda each: named[each])


def _fields_by_separator(line: bytes) -> Counter[str]:
    outside_quotes = re.sub(r'"[^"]*"', "", line.decode())
    return Counter({each: outside_quotes.count(each) for each in SEPARATORS})


def _names(header: bytes, separator: str, source: str, line: int) -> tuple[str, ...]:
    fields = [field.strip() for field in next(csv.reader([header.decode()], delimiter=separator))]
    if all(NUMBER.fullmatch(field) for field in fields if field):
        raise DatasetError(
            f"{source}, line {line}: {_shown(header)} came; names of columns were expected. Add a "
            "first line that names them."
        )
    names = [field or f"column {number}" for number, field in enumerate(fields, start=1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        places = [str(number) for number, name in enumerate(names, 1) if name == twice[0]]
        raise DatasetError(
            f"{source}, line {line}: columns {' and '.join(places)} are both named {twice[0]!r}; "
            "each name was expected once. Rename one of them."
        )
    return tuple(names)


def _lines_of_rows(
    body: bytes, separator: str, columns: int, first_line: int, source: str
) -> NDArray[np.int64]:
    if b'"' in body:
        return _lines_by_reading(body, separator, columns, first_line, source)
    characters = np.frombuffer(body, np.uint8)
    ends = np.append(np.flatnonzero(characters == ord("\n")), len(characters))
    places = np.flatnonzero(characters == ord(separator))
    counts = np.diff(np.searchsorted(places, ends), prepend=0)
    starts = np.concatenate(([0], ends[:-1] + 1))
    for index in np.flatnonzero(counts != columns - 1).tolist():
        line = body[starts[index] : ends[index]]
        if line.strip():
            raise _ragged(source, first_line + index, int(counts[index]) + 1, columns, line)
    return np.arange(first_line, first_line + len(ends), dtype=np.int64)


def _lines_by_reading(
    body: bytes, separator: str, columns: int, first_line: int, source: str
) -> NDArray[np.int64]:
    """Where fields are quoted, they may hold separators and line breaks."""
    reader = csv.reader(io.StringIO(body.decode(), newline=""), delimiter=separator)
    lines: list[int] = []
    try:
        for fields in reader:
            line = first_line + reader.line_num - 1
            if len(fields) != columns and any(field.strip() for field in fields):
                raise _ragged(
                    source, line, len(fields), columns, separator.join(fields)[:200].encode()
                )
            lines.append(line)
    except csv.Error as exc:
        raise DatasetError(
            f"{source}, line {first_line + reader.line_num - 1}: {exc}. Is a quotation mark "
            "without its other half?"
        ) from exc
    return np.array(lines, np.int64)


def _ragged(source: str, line: int, came: int, expected: int, text: bytes) -> DatasetError:
    return DatasetError(
        f"{source}, line {line}: {came} {'field' if came == 1 else 'fields'} came; {expected} were "
        f"expected, as in the line of names. The line is {_shown(text)}."
    )


def _shown(text: bytes) -> str:
    return repr(one_line(text[: SHOWN * 4].decode(errors="replace"))[:SHOWN])
