"""From recorded readings to what models are fitted, calibrated and measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from common.cmapss.reader import Dataset
from common.errors import DatasetError
from common.machines.machine import MachineType
from common.machines.rows import as_rows, split_rows
from common.machines.turbofan import TURBOFAN
from common.recording import AssetRecord, Recording
from models.evaluation.batch_path import counting_rows
from models.evaluation.collection import collect, numbered
from models.evaluation.engines import recording_of
from models.evaluation.labels import masks
from models.evaluation.plausible import beyond, plausible
from models.evaluation.splits import (
    FAULT_RUL,
    HEALTHY_RUL,
    EngineSplit,
    SplitBy,
    split_by_time,
    split_engines,
)
from models.scoring.normaliser import Normaliser, fit_normaliser
from models.scoring.windows import WindowSet
from models.training.preparation.regime_gaps import check_regimes
from models.training.preparation.spikes import usual

Numbered = Sequence[tuple[int, AssetRecord]]
"""Assets with their numbers, from 1 in the order of the recording."""


@dataclass(frozen=True, slots=True)
class OwnData:
    """What an artifact says of a recording that is not one of NASA's.

    Attributes:
        assets: How many it holds.
        rows: How many readings.
        split_by: Whether parts of it are other assets, or later readings.
        healthy_rows: How many of the readings count as of a sound machine.
        faulty_rows: How many are known to be of a failing one.
    """

    assets: int
    rows: int
    split_by: SplitBy
    healthy_rows: int
    faulty_rows: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """Recorded readings, split, normalised and cut into windows.

    Attributes:
        name: Of the data.
        sha256: Of the file.
        machine: What is measured, and how long a window is.
        split: Which assets serve what; all of them fit and validate where parts are split by time.
        normaliser: Fitted on healthy rows of the ``fit`` part.
        fit: Windows that the model is fitted on.
        validate: Windows that thresholds are chosen on.
        heldout: Windows that are only measured; may be none.
        recording: What all of it was cut from.
        own: What to say of somebody's own data; none for C-MAPSS engines.
        notes: What is to be said of rows that do not count, a sentence each.
    """

    name: str
    sha256: str
    machine: MachineType
    split: EngineSplit
    normaliser: Normaliser
    fit: WindowSet
    validate: WindowSet
    heldout: WindowSet
    recording: Recording
    own: OwnData | None = None
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels used."""
        return self.machine.channel_names

    @property
    def window_length(self) -> int:
        """Rows in a window."""
        return self.machine.window.length

    @property
    def lives(self) -> bool:
        """Whether the parts are other assets, each of which has a life of its own to be counted."""
        return self.own is None or self.own.split_by == "asset"

    @property
    def labelled(self) -> bool:
        """Whether faulty windows are known where models are chosen."""
        return bool(self.fit.faulty.any() or self.validate.faulty.any())


def healthy(windows: WindowSet) -> WindowSet:
    """Return the windows of a sound machine throughout, without those that hold a spike."""
    return windows.where(usual(windows))


def prepare(
    dataset: Dataset,
    machine: MachineType = TURBOFAN,
    normaliser: Normaliser | None = None,
) -> Prepared:
    """Split, normalise and cut a training file of engines.

    Args:
        dataset: A ``train`` split: engines run to failure.
        machine: Which channels are used, and how long a window is.
        normaliser: An existing model's; none fits one to healthy rows of the ``fit`` engines.

    Raises:
        DatasetError: If it has too few engines, healthy windows or faulty windows.
    """
    if dataset.split != "train":
        raise DatasetError(
            f"The {dataset.split} split of {dataset.name} came; models are fitted on the train "
            "split, whose engines run to failure."
        )
    try:
        split = split_engines(len(dataset.engines))
        recording = recording_of(dataset)
        prepared = cut(recording, machine, split, _by_asset(recording, split), normaliser)
    except ValueError as exc:
        raise DatasetError(f"{dataset.name} cannot be used for training: {exc}.") from exc
    _check_enough(prepared)
    return replace(prepared, notes=(*refused_rows(recording), *prepared.notes))


def cut(
    recording: Recording,
    machine: MachineType,
    split: EngineSplit,
    parts: tuple[Numbered, Numbered, Numbered],
    normaliser: Normaliser | None = None,
    own: OwnData | None = None,
) -> Prepared:
    """Normalise the three parts of a recording and cut them into windows.

    Args:
        recording: All of it.
        machine: Which channels are used, and how long a window is.
        split: Which assets are in which part.
        parts: To fit, to validate, held out.
        normaliser: An existing model's; none fits one to healthy rows of the first part.
        own: What to say of somebody's own data.

    Raises:
        ValueError: If the first part has too few healthy rows, or lacks a regime of the second.
    """
    notes: tuple[str, ...] = ()
    if normaliser is None:
        normaliser = normaliser_of(machine, parts[0])
        roles = dict(zip(("fit", "validate", "heldout"), parts, strict=True))
        notes = check_regimes(normaliser, machine, roles)
    fit, validate, heldout = (collect(normaliser, machine, part) for part in parts)
    return Prepared(
        name=recording.name,
        sha256=recording.sha256,
        machine=machine,
        split=split,
        normaliser=normaliser,
        fit=fit,
        validate=validate,
        heldout=heldout,
        recording=recording,
        own=own,
        notes=notes,
    )


def refused_rows(recording: Recording) -> tuple[str, ...]:
    """Say how many readings the detector would refuse, and which channel is beyond its limits."""
    machine = recording.machine
    found = [beyond(machine, record) for record in recording.assets]
    rows = sum(int(each.any(axis=1).sum()) for each in found)
    if not rows:
        return ()
    counts = sum((each.sum(axis=0) for each in found), np.zeros(machine.row_width, np.int64))
    names = (*machine.condition_names, *machine.channel_names)
    where = ", ".join(
        f"{name} {count:,}" for name, count in zip(names, counts.tolist(), strict=True) if count
    )
    return (
        f"{rows:,} of {recording.rows:,} rows are beyond the limits of plausibility ({where}) and "
        "do not count, as in the detector",
    )


def split_parts(
    recording: Recording, by: SplitBy
) -> tuple[EngineSplit, tuple[Numbered, Numbered, Numbered]]:
    """Return which assets serve what, and the three parts.

    Raises:
        ValueError: If there are too few assets to split by asset.
    """
    if by == "asset":
        split = split_engines(len(recording.assets))
        return split, _by_asset(recording, split)
    pairs = [(unit, split_by_time(record)) for unit, record in enumerate(recording.assets, start=1)]
    earlier, later = ([(unit, pair[side]) for unit, pair in pairs] for side in (0, 1))
    return EngineSplit.of_all(len(recording.assets)), (earlier, later, ())


def _by_asset(recording: Recording, split: EngineSplit) -> tuple[Numbered, Numbered, Numbered]:
    return (
        numbered(recording, split.fit),
        numbered(recording, split.validate),
        numbered(recording, split.heldout),
    )


def normaliser_of(machine: MachineType, part: Numbered) -> Normaliser:
    """Fit a normaliser to the healthy rows of some assets.

    Args:
        machine: Which channels are used.
        part: The assets.

    Raises:
        ValueError: If there are too few such rows, or too many operating regimes.
    """
    rows = [np.empty((0, machine.row_width), np.float32)]
    for _, whole in part:
        record = plausible(machine, whole)
        counted, filled = counting_rows(machine, record.cycles, as_rows(record.values(machine)))
        rows.append(filled[masks(record)[0][counted]])
    tolerances = np.array([condition.tolerance for condition in machine.conditions])
    return fit_normaliser(*split_rows(np.concatenate(rows), len(machine.conditions)), tolerances)


def _check_enough(prepared: Prepared) -> None:
    name = prepared.name
    for role, windows in (("fit", prepared.fit), ("validate", prepared.validate)):
        if not usual(windows).any():
            raise DatasetError(
                f"{name} has no healthy window among its {role!r} engines; engines that live more "
                f"than {HEALTHY_RUL + prepared.window_length} cycles are needed."
            )
    if not prepared.labelled:
        raise DatasetError(
            f"{name} has no window with at most {FAULT_RUL} cycles left; engines that run to "
            "failure are needed."
        )
