"""Many records decoded at once: nearly all are plain, and are read and checked by column.

``decoding.decode`` is the definition. Decoded here is a record that is plain
(``common.records.quick_columns``) and of which every value is plausible. Whatever is not is left
to the definition, which says what it is, or why not; ``test_decoding_many.py`` holds both against
each other.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from msgspec.structs import astuple
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.records.ids import DEFAULT_FLEET
from common.records.quick_columns import (
    NO_TIME,
    Came,
    fleet_said,
    plain_reader,
    shallow_ones,
    times_us,
)
from common.records.quick_readings import NOT_PLAIN, is_fleet, is_id
from detector.core.fleet import Fleets
from detector.core.reading.columns import AssetRun, ReadingColumns
from detector.core.reading.source import SourceRecords

ORDINARY: Final = 1e12
"""Values beyond it are looked at alone: none of up to 10,000 such can add up to too much, and each
whole number up to it is the same as a 64-bit float."""

Whose = tuple[bytes | None, str, str, str, int]
"""Key, asset, run, fleet and version, as they came."""


def decode_many(records: SourceRecords, fleets: Fleets) -> dict[str, ReadingColumns]:
    """Return the readings that records hold, by fleet, without those that are to be decoded alone.

    Args:
        records: What came.
        fleets: Whose models say what is measured, and what is plausible.
    """
    at, came = _read(records, fleets)
    numbers: dict[Whose, int] = {}
    whose = [
        numbers.setdefault(
            (records.keys[one], item.asset_id, item.run_id, item.fleet, item.schema_version),
            len(numbers),
        )
        for one, item in zip(at, came, strict=True)
    ]
    names = [_fleet_of(each, fleets) for each in numbers]
    runs: dict[AssetRun, int] = {}
    run_of = np.array([runs.setdefault(each[1:3], len(runs)) for each in numbers], np.int64)
    found: dict[str, ReadingColumns] = {}
    for name, rows in _by_fleet(whose, names).items():
        stamps, values, good = _judged([came[row] for row in rows], fleets[name].spec.machine)
        where = np.array([at[row] for row in rows], np.int64)
        theirs = run_of[[whose[row] for row in rows]]
        columns = ReadingColumns(where, list(runs), theirs, stamps, values)
        if count := np.count_nonzero(good):
            found[name] = columns if count == len(good) else columns[good]
    return found


def _by_fleet(whose: Sequence[int], names: Sequence[str | None]) -> dict[str, Sequence[int]]:
    """Return which readings are of each fleet."""
    (first, *others) = set(names) or {None}
    if not others:
        return {} if first is None else {first: range(len(whose))}
    found: dict[str, list[int]] = {}
    for row, number in enumerate(whose):
        if (name := names[number]) is not None:
            found.setdefault(name, []).append(row)
    return dict(found)


def _read(records: SourceRecords, fleets: Fleets) -> tuple[list[int], list[Came]]:
    """Return the plain records as they came, and which they are."""
    at: list[int] = []
    came: list[Came] = []
    most = max((fleet.inputs.max_reading_bytes for fleet in fleets.values()), default=0)
    read = _reader(fleets)
    for one, value in shallow_ones(records.values, most):
        try:
            item = read(value)
        except NOT_PLAIN:
            continue
        at.append(one)
        came.append(item)
    return at, came


def _reader(fleets: Fleets) -> Callable[[bytes], Came]:
    """Return what reads a message by what its fleet measures."""
    readers = {
        name: plain_reader(fleet.spec.machine.condition_names, fleet.spec.machine.channel_names)
        for name, fleet in fleets.items()
    }
    if len(set(readers.values())) == 1:
        return next(iter(readers.values()))

    def read(value: bytes) -> Came:
        reader = readers.get(fleet_said(value))
        if reader is None:
            raise ValueError("a fleet that is known is expected")
        return reader(value)

    return read


@lru_cache(maxsize=1024)
def _is_run_of(run_id: str, fleet: str) -> bool:
    """Return whether both names look as they should: far fewer differ than assets do."""
    return bool(is_id(run_id) and is_fleet(fleet))


def _fleet_of(whose: Whose, fleets: Fleets) -> str | None:
    """Return the fleet of a plain reading, none if a name or the key is not as it should be."""
    key, asset_id, run_id, fleet, version = whose
    if key != asset_id.encode() or not (is_id(asset_id) and _is_run_of(run_id, fleet)):
        return None
    name = fleet if version > 1 else DEFAULT_FLEET
    return name if name in fleets else None


def _judged(
    came: Sequence[Came], machine: MachineType
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the stamps and values of a fleet's readings, and which of these are as they should be.

    Returns:
        As in ``ReadingColumns``, and shape ``(n,)``.
    """
    times = times_us([item.ts for item in came])
    cycles, good = _cycles(came, times, machine)
    values = _values(came, machine)
    stamps = np.empty((len(came), 2), np.int64)
    stamps[:, 0], stamps[:, 1] = cycles, times
    return stamps, values, good & (times != NO_TIME) & _plausible(values, machine)


def _cycles(
    came: Sequence[Came], times: NDArray[np.int64], machine: MachineType
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return counts within the run, or ticks of the time, and which readings have one."""
    step = machine.step
    if step.clock == "counter":
        counts = np.array([item.cycle or 0 for item in came], np.int64)
        return counts, counts > 0
    ticks, apart_us = step.tick(times)
    return np.maximum(ticks, 1), apart_us <= step.tolerance * step.interval_us


def _values(came: Sequence[Came], machine: MachineType) -> NDArray[np.float64]:
    """Return the wanted values, shape ``(n, width)``; NaN for a channel that is missing or null."""
    width = machine.row_width
    pack = struct.Struct(f"{width}d").pack
    try:
        rows = [pack(*astuple(item.settings), *astuple(item.sensors)) for item in came]
    except struct.error:  # null is no number
        whole = [astuple(item.settings) + astuple(item.sensors) for item in came]
        return np.array(whole, np.float64).reshape(len(came), width)
    return np.frombuffer(b"".join(rows), np.float64).reshape(len(came), width)


def _plausible(values: NDArray[np.float64], machine: MachineType) -> NDArray[np.bool_]:
    """Return of which readings every value is plausible, and one channel at least is there."""
    n_conditions = len(machine.conditions)
    low, high = _bounds(n_conditions, machine.limits)
    inside: NDArray[np.bool_] = (values >= low) & (values <= high)
    if inside.all():
        return np.ones(len(values), np.bool_)
    missing = np.isnan(values[:, n_conditions:])
    inside[:, n_conditions:] |= missing
    return np.asarray(inside.all(axis=1) & ~missing.all(axis=1))


@lru_cache(maxsize=64)
def _bounds(
    n_conditions: int, limits: tuple[tuple[float, float], ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the largest value of each column that is not looked at alone."""
    low, high = np.array(((-np.inf, np.inf),) * n_conditions + limits, np.float64).T
    return np.maximum(low, -ORDINARY), np.minimum(high, ORDINARY)
