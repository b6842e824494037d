"""Many records decoded at once: nearly all are plain, and are checked as one table.

``decoding.decode`` is the definition. Decoded here is a record that is plain
(``common.records.quick_readings``) and of which every value is plausible. Whatever is not is left
to the definition, which says what it is, or why not; ``test_decoding_many.py`` holds both against
each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import itemgetter
from typing import Any, Final

import numpy as np

from common.errors import InvalidRecordError
from common.machines.machine import MachineType
from common.records.quick_readings import QuickReading, read_plain
from detector.core.decoding import cycle_of, fleet_named
from detector.core.fleet import Fleets
from detector.core.source import Reading, SourceRecord

ORDINARY: Final = 1e12
"""Values beyond it are looked at alone: none of up to 10,000 such can add up to too much, and each
whole number up to it is the same as a 64-bit float."""

Pick = Callable[[Mapping[str, Any]], tuple[Any, ...]]


@dataclass(slots=True)
class _Found:
    """Readings of one fleet while its records are gone through."""

    machine: MachineType
    conditions: Pick
    channels: Pick
    at: list[int] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)


def decode_many(records: Sequence[SourceRecord], fleets: Fleets) -> list[Reading | None]:
    """Return the readings that records hold; none for a record that is to be decoded alone.

    Args:
        records: What came.
        fleets: Whose models say what is measured, and what is plausible.
    """
    found: list[Reading | None] = [None] * len(records)
    most = max((fleet.inputs.max_reading_bytes for fleet in fleets.values()), default=0)
    parts = {name: _nothing(fleet.spec.machine) for name, fleet in fleets.items()}
    for index, record in enumerate(records):
        value = record.value
        if not value or len(value) > most or (came := read_plain(value)) is None:
            continue
        if record.key != came.asset_id.encode():
            continue
        name = fleet_named(came)
        part = parts.get(name)
        if part is not None and (reading := _read(came, name, part)) is not None:
            part.at.append(index)
            part.readings.append(reading)
    for part in parts.values():
        for index, reading in _plausible(part):
            found[index] = reading
    return found


def _nothing(machine: MachineType) -> _Found:
    return _Found(machine, _picker(machine.condition_names), _picker(machine.channel_names))


def _picker(names: Sequence[str]) -> Pick:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda values: tuple(values[name] for name in names)


def _read(came: QuickReading, name: str, part: _Found) -> Reading | None:
    try:
        values = part.conditions(came.settings) + part.channels(came.sensors)
        cycle = cycle_of(came, part.machine)
    except (KeyError, InvalidRecordError):
        return None
    return Reading(name, came.asset_id, came.run_id, cycle, came.ts, values)


def _plausible(part: _Found) -> Sequence[tuple[int, Reading]]:
    """Return the readings of which every value is plausible, each with its place."""
    if not part.readings:
        return []
    n_conditions = len(part.machine.conditions)
    try:
        values = np.array([reading.values for reading in part.readings], np.float64)
    except OverflowError:  # a whole number that no float holds: rare enough to decode all alone
        return []
    limits = np.array(part.machine.limits, np.float64)
    channels = values[:, n_conditions:]
    good = (np.abs(values) <= ORDINARY).all(axis=1)
    good &= ((channels >= limits[:, 0]) & (channels <= limits[:, 1])).all(axis=1)
    plausible: list[bool] = np.asarray(good).tolist()
    return list(compress(zip(part.at, part.readings, strict=True), plausible))
