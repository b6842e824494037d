"""Whole recordings to windows, each with what is known of it: healthy, faulty, life left.

Blanks, gaps, unknown regimes and values beyond the limits are treated as the live detector treats
them (``batch_path.record_windows``, ``plausible.py``).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from common.cmapss.reader import Dataset
from common.errors import DatasetError
from common.machines.machine import MachineType
from common.machines.rows import as_rows
from common.machines.turbofan import SENSOR_NAMES
from common.recording import AssetRecord, Recording
from models.evaluation.batch_path import RowNormaliser, record_windows
from models.evaluation.engines import recording_of
from models.evaluation.labels import masks
from models.evaluation.plausible import plausible
from models.evaluation.splits import EngineRange
from models.scoring.history import no_trail
from models.scoring.windows import LIFE_UNKNOWN, WindowSet


def collect(
    normaliser: RowNormaliser,
    machine: MachineType,
    records: Iterable[tuple[int, AssetRecord]],
) -> WindowSet:
    """Return all complete windows of some records.

    A window is healthy when all its readings are, and faulty when its last one is.

    Args:
        normaliser: Puts readings on the model's scale.
        machine: Which channels are used, and how long a window is.
        records: Asset number and readings; no window spans two of them.
    """
    windows = [np.empty((0, machine.window.length, len(machine.used)), np.float32)]
    units, cycles, life = ([np.empty(0, np.int64)] for _ in range(3))
    healthy, faulty = ([np.empty(0, np.bool_)] for _ in range(2))
    unmoved = [np.empty((0, len(machine.used)), np.int64)]
    trail = [no_trail(len(machine.used))]
    for unit, whole in records:
        record = plausible(machine, whole)
        rows = as_rows(record.values(machine))
        laid = record_windows(normaliser, machine, record.cycles, rows)
        ends = laid.ends
        is_healthy, is_faulty = masks(record)
        unsound = np.concatenate(([0], np.cumsum(~is_healthy, dtype=np.int64)))
        windows.append(laid.windows)
        units.append(np.full(len(ends), unit, np.int64))
        cycles.append(record.cycles[ends])
        life.append(
            np.full(len(ends), LIFE_UNKNOWN) if record.life_left is None else record.life_left[ends]
        )
        healthy.append(unsound[ends + 1] == unsound[laid.begins])
        faulty.append(is_faulty[ends])
        unmoved.append(laid.unmoved)
        trail.append(laid.trail)
    return WindowSet(
        np.concatenate(windows),
        np.concatenate(units),
        np.concatenate(cycles),
        np.concatenate(life),
        np.concatenate(healthy),
        np.concatenate(faulty),
        np.concatenate(unmoved),
        np.concatenate(trail),
    )


def numbered(recording: Recording, assets: EngineRange) -> list[tuple[int, AssetRecord]]:
    """Return the assets of a range with their numbers, from 1 in the order of the recording."""
    return [
        (unit, record)
        for unit, record in enumerate(recording.assets, start=1)
        if assets.first <= unit <= assets.last
    ]


def collect_windows(
    normaliser: RowNormaliser,
    machine: MachineType,
    dataset: Dataset,
    engines: EngineRange | None = None,
) -> WindowSet:
    """Return all complete windows of a data set's engines, with the life left at each end.

    Args:
        normaliser: Puts readings on the model's scale.
        machine: Which channels are used, and how long a window is.
        dataset: The engines.
        engines: Only these; none means all.

    Raises:
        DatasetError: If the remaining life is not known (a test file without its RUL file), or the
            machine type is not a turbofan.
    """
    if tuple(channel.name for channel in machine.channels) != SENSOR_NAMES:
        raise DatasetError(
            f"{dataset.name} holds turbofan engines; a model of machine type {machine.name!r} "
            "cannot look at them."
        )
    chosen = engines or EngineRange(1, len(dataset.engines))
    return collect(normaliser, machine, numbered(recording_of(dataset), chosen))
