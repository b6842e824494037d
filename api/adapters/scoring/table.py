"""A CSV file as rows of a machine type, read line by line; what is wrong with it is listed.

Needs no library but the standard one: the api serves where polars is not installed. What is not a
number is a blank, and what becomes of a blank is the batch path's to say.
"""

from __future__ import annotations

import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from api.adapters.scoring.header import (
    MOST_BLANK_LINES,
    MOST_HEADER_CHARS,
    SEPARATORS,
    SHOWN,
    Columns,
    WrongFileError,
    find_columns,
    first_line,
)
from api.detection.values import MOST_ASSETS, MOST_PROBLEMS, Effect
from common.machines.machine import MachineType
from common.records.ids import ID_PATTERN
from common.terminal.printable import one_line

LARGEST: Final = 1e18
"""Of any value, as live."""

LARGEST_CYCLE: Final = 2**53
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_ID: Final = re.compile(ID_PATTERN)
_DECIMAL_COMMA: Final = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Noted:
    """Something that is wrong with a row.

    Attributes:
        row: Which, from 0.
        column: Which column; none for the row as a whole.
        received: What came.
        expected: What was expected.
        refused: Whether the row cannot count for it; else a blank, of which more is to be seen.
    """

    row: int
    column: str | None
    received: str
    expected: str
    refused: bool

    def effect(self, *, row_refused: bool) -> Effect:
        """Return what came of it."""
        return "refused" if self.refused or row_refused else "held"


@dataclass(slots=True)
class Notes:
    """What is wrong, the first of it in words, all of it counted."""

    listed: list[Noted] = field(default_factory=list)
    total: int = 0

    def add(self, noted: Noted) -> None:
        """Count it, and keep it if there is room."""
        self.total += 1
        if len(self.listed) < MOST_PROBLEMS:
            self.listed.append(noted)


@dataclass(frozen=True, slots=True, eq=False)
class FileRows:
    """What a file holds.

    Attributes:
        assets: The machines, in the order they appear.
        owner: Shape ``(n,)``; whose each row is, a place in ``assets``; -1 where nobody knows.
        lines: Shape ``(n,)``; the line on which each row ends, from 1.
        cycles: Shape ``(n,)``; 0 where there is none.
        values: Shape ``(n, width)``; the conditions, then the used channels; NaN where blank.
        usable: Shape ``(n,)``; which rows may count.
        notes: What is wrong.
        ignored: Columns that were not looked at.
    """

    assets: tuple[str, ...]
    owner: NDArray[np.int64]
    lines: NDArray[np.int64]
    cycles: NDArray[np.int64]
    values: NDArray[np.float64]
    usable: NDArray[np.bool_]
    notes: Notes
    ignored: tuple[str, ...]


def read_rows(path: Path, machine: MachineType, sensor_id: str, max_rows: int) -> FileRows:
    """Read a file.

    Args:
        path: Where it is.
        machine: Which columns are measured, and what a cycle is.
        sensor_id: What to call the machine where no column says it.
        max_rows: More are refused.

    Raises:
        WrongFileError: If it is no table, lacks a column, or has too many rows or machines.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        header = first_line(file.readline(MOST_HEADER_CHARS + 1) for _ in range(MOST_BLANK_LINES))
        separator = max(SEPARATORS, key=header.count)
        file.seek(0)
        reader = csv.reader(file, delimiter=separator)
        try:
            names = [each.strip() for each in next(filter(any, reader), [])]
            reading = _Reading(find_columns(names, machine), machine, sensor_id, separator)
            return _read(reader, reading, max_rows)
        except csv.Error as exc:
            raise WrongFileError(
                f"line {reader.line_num}: {exc}. Is a quotation mark without its other half?"
            ) from exc


class _Reading:
    """Takes rows one by one."""

    def __init__(
        self, columns: Columns, machine: MachineType, sensor_id: str, separator: str
    ) -> None:
        self.columns = columns
        self.machine = machine
        self.notes = Notes()
        self.values = array("d")
        self.lines = array("q")
        self.cycles = array("q")
        self.owner = array("q")
        self.refused = bytearray()
        self.assets: dict[str, int] = {}
        self._counts: Counter[int] = Counter()
        self._sensor_id = sensor_id
        self._blank = array("d", [nan] * len(columns.measured))
        self._decimal_comma = separator != ","

    def take(self, fields: Sequence[str], line: int) -> None:
        """Take one row into account."""
        row = len(self.lines)
        self.lines.append(line)
        if len(fields) != self.columns.count:
            came = f"{len(fields)} fields"
            self._refuse(row, None, came, f"{self.columns.count} fields, as in the line of names")
            self._nobody()
            return
        owner = self._owner(row, fields)
        cycle = 0 if owner < 0 else self._cycle(row, fields, owner)
        self.owner.append(owner)
        self.cycles.append(cycle)
        self.refused.append(owner < 0 or not cycle)
        self.values.extend(self._measured(row, fields))

    def _nobody(self) -> None:
        self.owner.append(-1)
        self.cycles.append(0)
        self.refused.append(True)
        self.values.extend(self._blank)

    def _refuse(self, row: int, column: str | None, received: str, expected: str) -> None:
        self.notes.add(Noted(row, column, _shown(received), expected, refused=True))

    def _owner(self, row: int, fields: Sequence[str]) -> int:
        place = self.columns.asset
        name = self._sensor_id if place is None else fields[place].strip()
        known = self.assets.get(name)
        if known is not None:
            return known
        if not _ID.fullmatch(name):
            expected = "the name of a machine: letters, digits and . _ : -, at most 128"
            self._refuse(row, "asset_id", name, expected)
            return -1
        if len(self.assets) >= MOST_ASSETS:
            raise WrongFileError(f"It has more than {MOST_ASSETS} machines; cut it into several.")
        return self.assets.setdefault(name, len(self.assets))

    def _cycle(self, row: int, fields: Sequence[str], owner: int) -> int:
        """Return the cycle of a row; 0, and a note, if it has none."""
        if self.machine.step.clock == "time":
            return self._tick(row, fields)
        place = self.columns.cycle
        if place is None:
            self._counts[owner] += 1
            return self._counts[owner]
        text = fields[place].strip()
        try:
            number = float(text)
        except ValueError:
            number = nan
        if not (1 <= number < LARGEST_CYCLE and number == int(number)):
            self._refuse(row, "cycle", text, "a whole number from 1 on")
            return 0
        if number <= self._counts[owner]:
            self._refuse(row, "cycle", text, f"a cycle after {self._counts[owner]}")
            return 0
        self._counts[owner] = int(number)
        return int(number)

    def _tick(self, row: int, fields: Sequence[str]) -> int:
        step, place = self.machine.step, self.columns.time
        text = "" if place is None else fields[place].strip()
        try:
            # without a zone the difference is a TypeError
            clock_us = (datetime.fromisoformat(text) - EPOCH) // MICROSECOND
        except (ValueError, OverflowError, TypeError):
            expected = "RFC 3339 with a zone, such as 2026-01-31T12:00:00Z"
            self._refuse(row, self.columns.time_name, text, expected)
            return 0
        tick, off_us = step.tick(clock_us)
        if off_us > step.tolerance * step.interval_us or tick < 1:
            expected = f"a time on the ticks of {step.interval_s:g} s"
            self._refuse(row, self.columns.time_name, text, expected)
            return 0
        return tick

    def _measured(self, row: int, fields: Sequence[str]) -> Sequence[float]:
        measured = self.columns.measured
        try:
            if "_" not in "".join(fields):  # which Python would take for part of a number
                return [float(fields[place]) for place in measured]
        except ValueError:
            pass
        return [self._number(row, name, fields[place])
                for name, place in zip(self.columns.names, measured, strict=True)]  # fmt: skip

    def _number(self, row: int, name: str, came: str) -> float:
        text = came.strip()
        if self._decimal_comma and _DECIMAL_COMMA.fullmatch(text):
            text = text.replace(",", ".")
        try:
            if "_" not in text:
                return float(text)
        except ValueError:
            pass
        self.notes.add(Noted(row, name, _shown(came), "a number", refused=False))
        return nan


def _read(reader: Iterator[list[str]], reading: _Reading, max_rows: int) -> FileRows:
    machine = reading.machine
    for fields in reader:
        if not any(fields):
            continue
        if len(reading.lines) >= max_rows:
            raise WrongFileError(
                f"It has more than {max_rows} rows. Cut it into several, or set "
                "SURGELINE_API__CSV_MAX_ROWS."
            )
        reading.take(fields, getattr(reader, "line_num", 0))
    if not reading.lines:
        raise WrongFileError("It has column names and no rows; lines of values were expected.")
    values = np.array(reading.values).reshape(len(reading.lines), machine.row_width)
    refused = np.frombuffer(reading.refused, np.uint8).astype(np.bool_)
    usable = ~refused & _plausible(values, machine, ~refused, reading.notes)
    return FileRows(
        tuple(reading.assets),
        np.array(reading.owner, np.int64),
        np.array(reading.lines, np.int64),
        np.array(reading.cycles, np.int64),
        values,
        usable,
        reading.notes,
        reading.columns.ignored,
    )


def _plausible(
    values: NDArray[np.float64], machine: MachineType, asked: NDArray[np.bool_], notes: Notes
) -> NDArray[np.bool_]:
    """Return which rows the detector would decode, and note why the others would be refused."""
    first = len(machine.conditions)
    conditions, channels = values[:, :first], values[:, first:]
    with np.errstate(invalid="ignore"):
        no_condition = ~(np.abs(conditions) <= LARGEST)
        limits = np.array(machine.limits)
        beyond = (channels < limits[:, 0]) | (channels > limits[:, 1])
        beyond |= np.abs(channels) > LARGEST
    nothing: NDArray[np.bool_] = np.all(np.isnan(channels), axis=1)
    wrong = np.concatenate([no_condition, beyond], axis=1)
    at_fault: NDArray[np.bool_] = wrong.any(axis=1) | nothing
    for row in np.flatnonzero(asked & at_fault).tolist():
        for column in np.flatnonzero(wrong[row]).tolist():
            received = "" if np.isnan(values[row, column]) else f"{values[row, column]:.9g}"
            expected, name = _expected(machine, column)
            notes.add(Noted(row, name, received, expected, refused=True))
        if nothing[row]:
            notes.add(Noted(row, None, "no value", "at least one channel", refused=True))
    return ~at_fault


def _expected(machine: MachineType, column: int) -> tuple[str, str]:
    first = len(machine.conditions)
    if column < first:
        return "a finite number: it says how the machine is run", machine.conditions[column].name
    channel = machine.used[column - first]
    low, high = max(channel.limits[0], -LARGEST), min(channel.limits[1], LARGEST)
    return f"{low:g} to {high:g} {channel.unit}".rstrip(), channel.name


def _shown(text: str) -> str:
    return one_line(text[: SHOWN * 4])[:SHOWN]
