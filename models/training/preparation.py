"""From a training file to what models are fitted, calibrated and measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from common.cmapss import Dataset, remaining_useful_life
from common.errors import DatasetError
from models.evaluation.batch_path import collect_windows, sensor_columns
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL, EngineRange, EngineSplit, split_engines
from models.scoring.normaliser import Normaliser, fit_normaliser
from models.scoring.windows import WindowSet

REFERENCE_CHANNELS: Final = (
    "T24", "T30", "T50", "P30", "Nf", "Nc", "Ps30", "phi", "NRf", "NRc", "BPR", "htBleed",
    "W31", "W32",
)  # fmt: skip
"""Sensors 1, 5, 6, 10, 16, 18 and 19 never move in FD001, or hardly."""

REFERENCE_WINDOW: Final = 30
"""Cycles."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A training file, split by engine, normalised and cut into windows.

    Attributes:
        name: Of the data set.
        sha256: Of the file.
        channels: Sensors used.
        window_length: Rows in a window.
        split: Which engines serve what.
        normaliser: Fitted on healthy rows of the ``fit`` engines.
        fit: Windows of the engines the model is fitted on.
        validate: Windows of the engines thresholds are chosen on.
        heldout: Windows of the engines that are only measured.
    """

    name: str
    sha256: str
    channels: tuple[str, ...]
    window_length: int
    split: EngineSplit
    normaliser: Normaliser
    fit: WindowSet
    validate: WindowSet
    heldout: WindowSet


def healthy(windows: WindowSet) -> WindowSet:
    """Return the windows that end far from failure."""
    return windows.where(windows.rul > HEALTHY_RUL)


def prepare(
    dataset: Dataset,
    channels: tuple[str, ...] = REFERENCE_CHANNELS,
    window_length: int = REFERENCE_WINDOW,
    normaliser: Normaliser | None = None,
) -> Prepared:
    """Split, normalise and cut a training file.

    Args:
        dataset: A ``train`` split: engines run to failure.
        channels: Sensors to use, in the order of a reading.
        window_length: Rows in a window.
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
        normaliser = normaliser or _fit_normaliser(dataset, channels, split.fit)
    except ValueError as exc:
        raise DatasetError(f"{dataset.name} cannot be used for training: {exc}.") from exc
    fit, validate, heldout = (
        collect_windows(normaliser, channels, window_length, dataset, engines)
        for engines in (split.fit, split.validate, split.heldout)
    )
    _check_enough(dataset.name, window_length, {"fit": fit, "validate": validate})
    return Prepared(
        dataset.name,
        dataset.sha256,
        channels,
        window_length,
        split,
        normaliser,
        fit,
        validate,
        heldout,
    )


def _fit_normaliser(
    dataset: Dataset, channels: tuple[str, ...], engines: EngineRange
) -> Normaliser:
    columns = sensor_columns(channels)
    settings, sensors = [], []
    for series, life in zip(dataset.engines, remaining_useful_life(dataset), strict=True):
        if engines.first <= series.unit <= engines.last:
            rows = life > HEALTHY_RUL
            settings.append(series.settings[rows])
            sensors.append(series.sensors[rows][:, columns])
    return fit_normaliser(np.concatenate(settings), np.concatenate(sensors))


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
