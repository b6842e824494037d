"""Small made-up fleets in the C-MAPSS layout: every engine wears out by the same law."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.cmapss.reader import Dataset, EngineSeries
from common.machines.turbofan import SENSOR_NAMES, TURBOFAN

N_SENSORS = len(SENSOR_NAMES)
SEA_LEVEL = (0.0, 0.0, 100.0)
REGIMES = (SEA_LEVEL, (10.0, 0.25, 100.0), (25.0, 0.62, 60.0))
LEVELS = np.array([1.25 * (channel.lowest or 1.0) for channel in TURBOFAN.channels])
"""Of sound engines: plausible of turbofans, also three times over."""

WEAR_CYCLES = 60
"""An engine begins to wear this long before it fails."""


def engine(
    unit: int, lifetime: int, seed: int, regimes: tuple[tuple[float, ...], ...] = (SEA_LEVEL,)
) -> EngineSeries:
    """Return an engine that runs to failure: noise round a level, a ramp at the end."""
    rng = np.random.default_rng((seed, unit))
    regime = rng.integers(len(regimes), size=lifetime)
    settings = np.array(regimes)[regime] + rng.uniform(-1, 1, (lifetime, 3)) * (0.004, 0.001, 0.0)
    levels = LEVELS * (1 + regime[:, None])
    left = np.arange(lifetime - 1, -1, -1)
    wear = np.clip(1 - left / WEAR_CYCLES, 0, None)[:, None] ** 2
    signs = np.where(np.arange(N_SENSORS) % 2, 1.0, -1.0)
    deviations = rng.normal(size=(lifetime, N_SENSORS)) + 8 * wear * signs
    sensors = levels * (1 + 0.01 * deviations)
    return EngineSeries(unit, np.arange(1, lifetime + 1), settings, sensors)


def fleet(
    n_engines: int = 8,
    seed: int = 0,
    regimes: tuple[tuple[float, ...], ...] = (SEA_LEVEL,),
    name: str = "TOY",
) -> Dataset:
    """Return a training split of engines that live 175 to 194 cycles."""
    engines = tuple(
        engine(unit, 175 + (unit * 7) % 20, seed, regimes) for unit in range(1, n_engines + 1)
    )
    return Dataset(name, "train", engines, None, "0" * 64)


def cut_short(dataset: Dataset, left: NDArray[np.int64]) -> Dataset:
    """Return the same engines as a test split that stops ``left`` cycles before failure."""
    engines = tuple(
        EngineSeries(e.unit, e.cycles[:-n], e.settings[:-n], e.sensors[:-n])
        for e, n in zip(dataset.engines, left.tolist(), strict=True)
    )
    return Dataset(dataset.name, "test", engines, left, "1" * 64)


def write_fleet(dataset: Dataset, folder: Path) -> None:
    """Write the files that ``load_dataset`` reads."""
    rows = [
        np.column_stack([np.full(len(e), e.unit), e.cycles, e.settings, e.sensors])
        for e in dataset.engines
    ]
    formats = ["%d", "%d"] + ["%.6f"] * (3 + N_SENSORS)
    np.savetxt(folder / f"{dataset.split}_{dataset.name}.txt", np.concatenate(rows), fmt=formats)
    if dataset.rul is not None:
        np.savetxt(folder / f"RUL_{dataset.name}.txt", dataset.rul, fmt="%d")
