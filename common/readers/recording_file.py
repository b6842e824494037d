"""Tables of one's own as a recording of a machine type.

What cannot be part of a recording is left out and counted, asset by asset, never without a word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.machines.machine import MachineType
from common.readers.gathering import AssetRows, Gathered, gather
from common.readers.names import stem
from common.readers.roles import Roles, roles_of
from common.readers.table import Table
from common.readers.table_file import read_table
from common.readers.ticks import off_tick, ticks
from common.recording import AssetRecord, Recording
from common.terminal.nearest import suggestion
from common.terminal.printable import one_line

FIRST_WRONG = 5


class LeftOut(StrEnum):
    """Why a row of a table is not in the recording."""

    WITHOUT_ASSET = "without_asset"
    WITHOUT_TIME = "without_time"
    OFF_TICK = "off_tick"
    SAME_TICK = "same_tick"


class AssetCounts(NamedTuple):
    """What became of an asset's rows while they were read.

    Attributes:
        asset_id: Whose.
        called: What the table calls it.
        rows: Rows of the tables.
        without_time: Left out, for they have no time (or no count, where the source counts).
        off_tick: Left out, for they lie too far from their tick.
        same_tick: Left out, for an earlier row has the same cycle.
        out_of_order: Kept, but sorted in: they stood behind a later one.
    """

    asset_id: str
    called: str
    rows: int
    without_time: int
    off_tick: int
    same_tick: int
    out_of_order: int


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A recording, and what is to be said of how it was read.

    Attributes:
        recording: What can be used.
        counts: One entry an asset of the recording, in its order.
        roles: Which columns are not measured.
        without_asset: Rows that were left out, for they have no asset.
        remarks: What was decided, one sentence each.
        origins: For each asset, which row of the tables, from 0 over all of them, each of its
            readings was.
        left_out: Which of these rows are in no recording, by the reason.
    """

    recording: Recording
    counts: tuple[AssetCounts, ...]
    roles: Roles
    without_asset: int
    remarks: tuple[str, ...]
    origins: tuple[NDArray[np.int64], ...] = ()
    left_out: Mapping[LeftOut, NDArray[np.int64]] = field(default_factory=dict)


class _Counted(NamedTuple):
    """Which of an asset's rows are kept, their cycles, and what became of the others."""

    kept: NDArray[np.int64]
    cycles: NDArray[np.int64]
    left_out: Mapping[LeftOut, NDArray[np.int64]]
    counts: AssetCounts


def read_recording(
    paths: Sequence[Path],
    machine: MachineType,
    given: Roles | None = None,
    ignored: Collection[str] = (),
) -> RecordingFile:
    """Read files as a recording of a machine type.

    Args:
        paths: CSV or Parquet files, at least one.
        machine: Which columns are conditions and channels, and what a cycle is.
        given: Columns a person has named; the others are found.
        ignored: Columns that are not to be looked at.

    Raises:
        DatasetError: If a file cannot be read, or lacks what the machine type has.
        BackendMissingError: If polars is not installed.
    """
    return as_recording([read_table(path) for path in paths], machine, given, ignored)


def as_recording(
    tables: Sequence[Table],
    machine: MachineType,
    given: Roles | None = None,
    ignored: Collection[str] = (),
) -> RecordingFile:
    """Return tables as a recording; see :func:`read_recording`."""
    conditions = list(machine.condition_names)
    channels = [channel.name for channel in machine.channels]
    for table in tables:
        _require_numbers(table, (*conditions, *channels))
    roles = roles_of(tables, given or Roles(), {*conditions, *channels, *ignored})
    if machine.step.clock == "time" and roles.time is None:
        raise _no_time(tables[0], machine)
    gathered = gather(tables, roles)
    values = np.stack([gathered.numbers(name) for name in (*conditions, *channels)], axis=1)
    label = None if roles.label is None else gathered.numbers(roles.label)
    counter = None if roles.counter is None else gathered.numbers(roles.counter)
    assets: list[AssetRecord] = []
    counted: list[_Counted] = []
    for rows in gathered.assets:
        found = _cycles(rows, gathered, machine, counter)
        kept, cycles = found.kept, found.cycles
        own = values[rows.rows][kept]
        known = None if label is None else label[rows.rows][kept]
        clock_us = None if gathered.clock_us is None else gathered.clock_us[rows.rows][kept]
        record = AssetRecord(
            rows.asset_id,
            cycles,
            clock_us,
            own[:, : len(conditions)],
            own[:, len(conditions) :],
            None if known is None or np.isnan(known).all() else known == 0,
            None if known is None or np.isnan(known).all() else known > 0,
        )
        for array in (cycles, clock_us, own, record.conditions, record.channels, record.healthy,
                      record.faulty):  # fmt: skip
            if array is not None:
                array.setflags(write=False)
        assets.append(record)
        counted.append(found)
    recording = Recording(_name(tables), machine, tuple(assets), _digest(tables))
    return RecordingFile(
        recording,
        tuple(each.counts for each in counted),
        roles,
        gathered.without_asset.size,
        _remarks(gathered),
        tuple(
            gathered.order[rows.rows][each.kept]
            for rows, each in zip(gathered.assets, counted, strict=True)
        ),
        _left_out(gathered, counted),
    )


def _left_out(gathered: Gathered, counted: Sequence[_Counted]) -> dict[LeftOut, NDArray[np.int64]]:
    found: dict[LeftOut, list[NDArray[np.int64]]] = {reason: [] for reason in LeftOut}
    found[LeftOut.WITHOUT_ASSET].append(gathered.without_asset)
    found[LeftOut.WITHOUT_TIME].append(gathered.without_time)
    for rows, each in zip(gathered.assets, counted, strict=True):
        for reason, which in each.left_out.items():
            found[reason].append(gathered.order[rows.rows][which])
    return {
        reason: np.concatenate([np.empty(0, np.int64), *parts]) for reason, parts in found.items()
    }


def _require_numbers(table: Table, names: Sequence[str]) -> None:
    missing = [name for name in names if table.find(name) is None]
    if missing:
        near = suggestion(missing[0], table.names)
        more = f" and {len(missing) - FIRST_WRONG} more" if len(missing) > FIRST_WRONG else ""
        raise DatasetError(
            f"{table.path} lacks the columns {', '.join(map(repr, missing[:FIRST_WRONG]))}{more}, "
            f"which the machine type has.{near} Its columns are {', '.join(table.names)}."
        )
    for name in names:
        column = table.column(name)
        if column.kind in ("text", "time"):
            row = int(column.raw.is_not_null().arg_max() or 0)
            came = one_line(str(column.raw[row]))[:40]
            raise DatasetError(
                f"{table.path}, line {table.lines[row]}: {came!r} came in column {name!r}; numbers "
                "were expected, since the machine type measures it. Leave it out of the machine "
                "type, or mend the column."
            )


def _no_time(table: Table, machine: MachineType) -> DatasetError:
    measured = {*machine.condition_names, *(channel.name for channel in machine.channels)}
    others = [name for name in table.names if name not in measured]
    return DatasetError(
        f"{table.path} has no column of times; one was expected, such as 2026-01-31 12:00:00 or an "
        f"epoch, since {machine.name} counts by time. Columns that are not measured: "
        f"{', '.join(others) or 'none'}. Name it with --time-column."
    )


def _cycles(
    rows: AssetRows,
    gathered: Gathered,
    machine: MachineType,
    counter: NDArray[np.float64] | None,
) -> _Counted:
    step, count = machine.step, rows.rows.stop - rows.rows.start
    kept = np.arange(count)
    uncounted = off = np.empty(0, np.int64)
    out_of_order = 0
    if step.clock == "time" and gathered.clock_us is not None:
        times = gathered.clock_us[rows.rows]
        is_off = off_tick(times, step)
        kept, off = np.flatnonzero(~is_off), np.flatnonzero(is_off)
        cycles = ticks(times[kept], step)
    elif counter is not None:
        numbers = counter[rows.rows]
        counts = (numbers >= 1) & (numbers == np.rint(numbers)) & (numbers < 2**53)
        kept, uncounted = np.flatnonzero(counts), np.flatnonzero(~counts)
        latest = np.maximum.accumulate(numbers[kept])
        out_of_order = int(np.count_nonzero(numbers[kept] < latest))
        kept = kept[np.argsort(numbers[kept], kind="stable")]
        cycles = numbers[kept].astype(np.int64)
    else:
        cycles = np.arange(1, count + 1)
    first = np.diff(cycles, prepend=cycles[:1] - 1) > 0
    left_out = {
        LeftOut.WITHOUT_TIME: uncounted,
        LeftOut.OFF_TICK: off,
        LeftOut.SAME_TICK: kept[~first],
    }
    told = AssetCounts(
        rows.asset_id,
        rows.called,
        count + rows.without_time,
        rows.without_time + len(uncounted),
        len(off),
        len(cycles) - int(np.count_nonzero(first)),
        rows.out_of_order if counter is None or step.clock == "time" else out_of_order,
    )
    return _Counted(kept[first], cycles[first], left_out, told)


def _name(tables: Sequence[Table]) -> str:
    if len(tables) == 1:
        return stem(tables[0].path)
    folders = {table.path.parent for table in tables}
    return folders.pop().name if len(folders) == 1 else f"{len(tables)} files"


def _digest(tables: Sequence[Table]) -> str:
    if len(tables) == 1:
        return tables[0].sha256
    return hashlib.sha256("".join(table.sha256 for table in tables).encode()).hexdigest()


def _remarks(gathered: Gathered) -> tuple[str, ...]:
    """Return what was decided, with the files it concerns."""
    found: dict[str, list[str]] = {}
    for table in gathered.tables:
        for note in table.notes:
            found.setdefault(note, []).append(str(table.path))
    zones = {clock.has_zone for clock in gathered.clocks}
    remarks = [
        f"{files[0]}{f' and {len(files) - 1} more' if len(files) > 1 else ''}: {note}"
        for note, files in found.items()
    ]
    if False in zones:
        remarks.append(
            f"the times of column {gathered.roles.time!r} have no zone and are taken as UTC"
        )
    if len(zones) > 1:
        remarks.append("some files have times with a zone, others without")
    return tuple(remarks)
