"""From a training file to what models are fitted, calibrated and measured on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.cmapss import Dataset, remaining_useful_life
from common.errors import DatasetError
from common.machines.machine import MachineType
from common.machines.rows import split_rows
from common.machines.turbofan import TURBOFAN
from models.evaluation.batch_path import collect_windows, engine_rows
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL, EngineRange, EngineSplit, split_engines
from models.scoring.normaliser import Normaliser, fit_normaliser
from models.scoring.windows import WindowSet


@dataclass(frozen=True, slots=True)
class Prepared:
    """A training file, split by engine, normalised and cut into windows.

    Attributes:
        name: Of the data set.
        sha256: Of the file.
        machine: What is measured, and how long a window is.
        split: Which engines serve what.
        normaliser: Fitted on healthy rows of the ``fit`` engines.
        fit: Windows of the engines the model is fitted on.
        validate: Windows of the engines thresholds are chosen on.
        heldout: Windows of the engines that are only measured.
    """

    name: str
    sha256: str
    machine: MachineType
    split: EngineSplit
    normaliser: Normaliser
    fit: WindowSet
    validate: WindowSet
    heldout: WindowSet

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels used."""
        return self.machine.channel_names

    @property
    def window_length(self) -> int:
        """Rows in a window."""
        return self.machine.window.length


def healthy(windows: WindowSet) -> WindowSet:
    """Return the windows that end far from failure."""
    return windows.where(windows.rul > HEALTHY_RUL)


def prepare(
    dataset: Dataset,
    machine: MachineType = TURBOFAN,
    normaliser: Normaliser | None = None,
) -> Prepared:
    """Split, normalise and cut a training file.

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
        normaliser = normaliser or _fit_normaliser(dataset, machine, split.fit)
    except ValueError as exc:
        raise DatasetError(f"{dataset.name} cannot be used for training: {exc}.") from exc
    fit, validate, heldout = (
        collect_windows(normaliser, machine, dataset, engines)
        for engines in (split.fit, split.validate, split.heldout)
    )
    _check_enough(dataset.name, machine.window.length, {"fit": fit, "validate": validate})
    return Prepared(
        dataset.name,
        dataset.sha256,
        machine,
        split,
        normaliser,
        fit,
        validate,
        heldout,
    )


def _fit_normaliser(dataset: Dataset, machine: MachineType, engines: EngineRange) -> Normaliser:
    rows = [
        engine_rows(machine, series)[life > HEALTHY_RUL]
        for series, life in zip(dataset.engines, remaining_useful_life(dataset), strict=True)
        if engines.first <= series.unit <= engines.last
    ]
    tolerances = np.array([condition.tolerance for condition in machine.conditions])
    return fit_normaliser(*split_rows(np.concatenate(rows), len(machine.conditions)), tolerances)


def _check_enough(name: str, window_length: int, parts: dict[str, WindowSet]) -> None:
    for role, windows in parts.items():
        if not (windows.rul > HEALTHY_RUL).any():
            raise DatasetError(
                f"{name} has no healthy window among its {role!r} engines; engines that live more "
                f"than {HEALTHY_RUL + window_length} cycles are needed."
            )
    if not any((windows.rul <= FAULT_RUL).any() for windows in parts.values()):
        raise DatasetError(
            f"{name} has no window with at most {FAULT_RUL} cycles left; engines that run to "
            "failure are needed."
        )
