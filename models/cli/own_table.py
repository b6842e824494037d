"""The plainest reader of somebody's own table: a line per reading, columns as the machine type has.

Comma or semicolon, a header, a column of times (or of counts), perhaps one of assets and a label.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.machines.machine import MachineType
from common.recording import AssetRecord, Recording

TIMES: Final = ("time", "timestamp", "datetime", "date", "ts")
ASSETS: Final = ("asset", "asset_id", "machine", "machine_id", "unit", "id")

Columns = Mapping[str, Sequence[str]]


def read_table(machine: MachineType, paths: Sequence[Path], label_column: str | None) -> Recording:
    """Read files as a recording; a file without a column of assets is one asset.

    Raises:
        DatasetError: If a file cannot be read, or lacks a column.
    """
    assets: list[AssetRecord] = []
    digest = hashlib.sha256()
    for path in paths:
        try:
            content = path.read_bytes()
            text = content.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
            raise DatasetError(f"{path} cannot be read: {reason}.") from exc
        digest.update(content)
        assets += _assets(machine, path, _columns(text, path), label_column)
    return Recording(paths[0].stem, machine, tuple(assets), digest.hexdigest())


def cycle_at(machine: MachineType, text: str) -> int:
    """Return the cycle of a time, or of a count where the machine counts.

    Raises:
        DatasetError: If it is neither.
    """
    if machine.step.clock == "counter":
        if not text.strip().isdigit():
            raise DatasetError(
                f"{text!r} came; a whole number of {machine.step.word}s was expected"
            )
        return int(text)
    return _tick(machine, text)


def _columns(text: str, path: Path) -> Columns:
    header = text.partition("\n")[0]
    rows = list(csv.reader(io.StringIO(text), delimiter=max(",;\t", key=header.count)))
    names = [name.strip() for name in rows[0]] if rows else []
    if len(rows) < 2 or len(set(names)) != len(names):
        raise DatasetError(f"{path}: a header of distinct names and lines below it were expected.")
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(names):
            raise DatasetError(
                f"{path}, line {number}: {len(row)} fields came; {len(names)} were expected."
            )
    return {name: [row[index] for row in rows[1:]] for index, name in enumerate(names)}


def _assets(
    machine: MachineType, path: Path, columns: Columns, label_column: str | None
) -> list[AssetRecord]:
    channels = [channel.name for channel in machine.channels]
    needed = [*machine.condition_names, *channels, *([label_column] if label_column else [])]
    missing = [name for name in needed if name not in columns]
    if missing:
        raise DatasetError(
            f"{path} lacks the columns {', '.join(missing)}. Its columns are {', '.join(columns)}."
        )
    values = {name: _numbers(path, name, columns[name]) for name in needed}
    others = [name for name in columns if name not in needed]
    cycles = _cycles(machine, path, columns, others)
    by = next((name for name in others if name.lower() in (*ASSETS, machine.name.lower())), None)
    ids = np.array(columns[by] if by else [path.stem] * len(cycles))
    found = []
    for asset_id in dict.fromkeys(ids.tolist()):
        own = np.flatnonzero(ids == asset_id)
        own = own[np.argsort(cycles[own], kind="stable")]
        own = own[np.diff(cycles[own], prepend=-1) > 0]
        label = values[label_column][own] if label_column else None
        found.append(
            AssetRecord(
                asset_id=asset_id,
                cycles=cycles[own],
                clock_us=None,
                conditions=_stacked(values, machine.condition_names, own),
                channels=_stacked(values, channels, own),
                healthy=None if label is None else label == 0,
                faulty=None if label is None else label > 0,
            )
        )
    return found


def _stacked(
    values: Mapping[str, NDArray[np.float64]], names: Sequence[str], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.array([values[name][rows] for name in names]).T.reshape(len(rows), len(names))


def _cycles(
    machine: MachineType, path: Path, columns: Columns, others: Sequence[str]
) -> NDArray[np.int64]:
    words = TIMES if machine.step.clock == "time" else (machine.step.word, "cycle")
    name = next((name for name in others if name.lower() in words), None)
    if name is None:
        raise DatasetError(
            f"{path} has no column {' or '.join(words)}; its other columns are "
            f"{', '.join(others) or 'none'}."
        )
    return np.array([cycle_at(machine, text) for text in columns[name]], np.int64)


def _tick(machine: MachineType, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as exc:
        raise DatasetError(
            f"{text!r} came; a time such as 2026-01-31 12:00:00 was expected."
        ) from exc
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return round(seconds / (machine.step.interval_s or 1.0))


def _numbers(path: Path, name: str, texts: Sequence[str]) -> NDArray[np.float64]:
    try:
        return np.array([float(text) if text.strip() else np.nan for text in texts])
    except ValueError as exc:
        raise DatasetError(f"{path}, column {name!r}: {exc}.") from exc
