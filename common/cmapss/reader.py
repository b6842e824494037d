"""Reads the C-MAPSS turbofan files: 26 columns of text to one series per engine.

A line is: engine number, cycle, 3 settings, 21 sensors, separated by spaces: the conditions and
channels of ``common/machines/turbofan.toml``, in their order.
Training files run to failure; test files stop before it, and the RUL file says how long before.
Damaged files are refused with the file, the line, what came and what was expected.
"""

from __future__ import annotations

import hashlib
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.cmapss.files import (
    PUBLISHED_SETS,
    Split,
    file_name,
    find_file,
    read_bytes,
    sets_in,
)
from common.errors import DatasetError
from common.machines.turbofan import SENSOR_NAMES, SETTING_NAMES
from common.terminal.nearest import suggestion

N_SETTINGS: Final = len(SETTING_NAMES)
N_SENSORS: Final = len(SENSOR_NAMES)
N_COLUMNS: Final = 2 + N_SETTINGS + N_SENSORS
MAX_DIGITS: Final = 9
"""A remaining life of more digits is a damaged line, not an engine."""

NOT_TEXT: Final = re.compile(rb"[^\t\n\r -~]")
"""What numpy's reader may take for white space (such as 0x1c) but no such file holds."""


@dataclass(frozen=True, slots=True)
class EngineSeries:
    """One engine's life, or the part of it that was recorded. The arrays are read-only.

    Attributes:
        unit: Engine number in the file, from 1.
        cycles: Shape ``(n,)``: 1, 2, ..., n.
        settings: Shape ``(n, 3)``, in the order of ``turbofan.SETTING_NAMES``.
        sensors: Shape ``(n, 21)``, in the order of ``turbofan.SENSOR_NAMES``, physical units.
    """

    unit: int
    cycles: NDArray[np.int64]
    settings: NDArray[np.float64]
    sensors: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of cycles."""
        return len(self.cycles)


@dataclass(frozen=True, slots=True)
class Dataset:
    """One file of engines.

    Attributes:
        name: Such as ``FD001``; ``SIM`` for the simulator's.
        split: ``train`` engines run to failure, ``test`` engines stop before it.
        engines: In the order of the file, ``engines[i].unit == i + 1``.
        rul: For ``test``: shape ``(n_engines,)``, cycles left after each engine's last row; none if
            the RUL file is absent. For ``train``: none.
        sha256: Digest of the unpacked text, hexadecimal.
    """

    name: str
    split: Split
    engines: tuple[EngineSeries, ...]
    rul: NDArray[np.int64] | None
    sha256: str

    @property
    def rows(self) -> int:
        """Number of readings of all engines."""
        return sum(len(engine) for engine in self.engines)


def load_dataset(data_dir: Path, name: str, split: Split) -> Dataset:
    """Read one split of one data set.

    Args:
        data_dir: The folder of the files, or the folder that holds ``cmapss/``. Files may be plain
            text or gzip (``.txt.gz``).
        name: Such as ``FD001``.
        split: Which file.

    Raises:
        DatasetError: If the file is missing or damaged; names the file, the line and the remedy.
    """
    path = find_file(data_dir, file_name(name, split))
    if path is None:
        raise _missing(data_dir, name, split)
    text = read_bytes(path)
    engines = parse_engines(text, str(path))
    rul_path = find_file(data_dir, file_name(name, "RUL")) if split == "test" else None
    rul = parse_rul(read_bytes(rul_path), len(engines), str(rul_path)) if rul_path else None
    return Dataset(name, split, engines, rul, hashlib.sha256(text).hexdigest())


def remaining_useful_life(dataset: Dataset) -> tuple[NDArray[np.int64], ...]:
    """Return each engine's remaining useful life at each of its rows, in cycles.

    Shapes are ``(n,)`` per engine. The last row of a training engine is 0; the last row of test
    engine ``i`` is ``dataset.rul[i]``.

    Raises:
        DatasetError: If it is a test split whose RUL file was absent.
    """
    if dataset.split == "test" and dataset.rul is None:
        raise DatasetError(
            f"The true RUL of {dataset.name} test engines is not known: "
            f"{file_name(dataset.name, 'RUL')} is not beside the test file. "
            "Fetch it with `surgeline data fetch`."
        )
    left = [0] * len(dataset.engines) if dataset.rul is None else dataset.rul.tolist()
    return tuple(
        np.arange(len(engine) - 1, -1, -1, dtype=np.int64) + after_last
        for engine, after_last in zip(dataset.engines, left, strict=True)
    )


def parse_engines(text: bytes, source: str) -> tuple[EngineSeries, ...]:
    """Read the text of a train or test file.

    Args:
        text: The unpacked file.
        source: Its name, for messages.

    Raises:
        DatasetError: Naming ``source`` and the first line at fault.
    """
    table = _parse_table(text, source)
    units, cycles = table[:, 0], table[:, 1]
    starts = np.concatenate(([0], np.flatnonzero(np.diff(units)) + 1))
    lengths = np.diff(starts, append=len(table))
    _check_counts(units, np.arange(1, len(starts) + 1).repeat(lengths), "engine", source)
    expected = np.arange(1, len(table) + 1) - starts.repeat(lengths)
    _check_counts(cycles, expected, "cycle", source)
    settings = np.ascontiguousarray(table[:, 2 : 2 + N_SETTINGS])
    sensors = np.ascontiguousarray(table[:, 2 + N_SETTINGS :])
    whole_cycles = expected.astype(np.int64)
    for array in (settings, sensors, whole_cycles):
        array.setflags(write=False)
    return tuple(
        EngineSeries(unit, whole_cycles[start:stop], settings[start:stop], sensors[start:stop])
        for unit, (start, stop) in enumerate(
            zip(starts.tolist(), (starts + lengths).tolist(), strict=True), start=1
        )
    )


def parse_rul(text: bytes, n_engines: int, source: str) -> NDArray[np.int64]:
    """Read the text of a RUL file: one whole number of cycles a line, one line per engine.

    Returns:
        Shape ``(n_engines,)``, read-only.

    Raises:
        DatasetError: Naming ``source`` and the first line at fault.
    """
    lines = text.rstrip().splitlines()
    for number, line in enumerate(lines, start=1):
        if not (line.strip().isdigit() and len(line.strip()) <= MAX_DIGITS):
            raise _fault(source, number, f"{_shown(line)} came", "a whole number of cycles")
    if len(lines) != n_engines:
        raise DatasetError(
            f"{source} has {len(lines)} lines; {n_engines} were expected, one for each engine of "
            "the test file. Are both files of the same data set?"
        )
    rul = np.array([int(line) for line in lines], dtype=np.int64)
    rul.setflags(write=False)
    return rul


def _parse_table(text: bytes, source: str) -> NDArray[np.float64]:
    stripped = text.rstrip()
    if not stripped:
        raise DatasetError(f"{source} is empty; lines of {N_COLUMNS} numbers were expected.")
    if NOT_TEXT.search(stripped):
        raise _first_bad_line(stripped, source, ValueError("control or non-ASCII characters"))
    try:
        table = np.loadtxt(io.BytesIO(stripped), dtype=np.float64, comments=None, ndmin=2)
    except ValueError as exc:
        raise _first_bad_line(stripped, source, exc) from exc
    # loadtxt skips blank lines; then the numbers of rows and lines differ
    if table.shape != (stripped.count(b"\n") + 1, N_COLUMNS):
        raise _first_bad_line(stripped, source, ValueError("blank lines"))
    finite = np.isfinite(table)
    if not finite.all():
        row, column = (int(index) for index in np.argwhere(~finite)[0])
        raise _fault(
            source, row + 1, f"{table[row, column]} came in column {column + 1}", "a finite number"
        )
    return table


def _first_bad_line(text: bytes, source: str, cause: ValueError) -> DatasetError:
    """Find what the fast reader stumbled over; reads line by line, so it can say where."""
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if len(fields) != N_COLUMNS:
            return _fault(source, number, f"{len(fields)} columns came", f"{N_COLUMNS}")
        for column, field in enumerate(fields, start=1):
            if not _is_number(field):
                return _fault(
                    source, number, f"{_shown(field)} came in column {column}", "a number"
                )
    return DatasetError(f"{source} cannot be read as lines of {N_COLUMNS} numbers: {cause}.")


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field


def _check_counts(
    came: NDArray[np.float64], expected: NDArray[np.int64], what: str, source: str
) -> None:
    wrong = np.flatnonzero(came != expected)
    if wrong.size:
        row = int(wrong[0])
        value = float(came[row])
        text = str(int(value)) if math.isfinite(value) and value.is_integer() else repr(value)
        hint = "engines are numbered 1, 2, 3, ..." if what == "engine" else "cycles have no gaps"
        raise _fault(source, row + 1, f"{what} {text} came", f"{what} {expected[row]} ({hint})")


def _fault(source: str, line: int, came: str, expected: str) -> DatasetError:
    return DatasetError(f"{source}, line {line}: {came}; expected {expected}.")


def _shown(field: bytes) -> str:
    return repr(field[:40].decode("ascii", errors="replace"))


def _missing(data_dir: Path, name: str, split: Split) -> DatasetError:
    file = file_name(name, split)
    where = f"in {data_dir}" if data_dir.is_dir() else f"because {data_dir} is not a folder"
    there = sets_in(data_dir, split)
    near = suggestion(name, (*there, *PUBLISHED_SETS))
    holds = f" It holds {', '.join(there)}." if there else ""
    return DatasetError(
        f"{file} (or {file}.gz) was not found {where}.{near}{holds} Fetch the data with "
        "`surgeline data fetch`, or set SURGELINE_DATA_DIR to the folder that holds them."
    )
