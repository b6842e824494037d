"""A fleet of simulated engines in exactly the C-MAPSS layout, for machines with no data.

No engine of the data set is copied: each engine's parameters are drawn from a distribution that
``estimate.py`` fitted to the 100 training engines of FD001. For engine ``i``, sensor
``j``, life ``L`` and life fraction ``u = (cycle - 1) / (L - 1)``::

    value = level[i, j] + shift[i, j] * wear(u; c[i]) + noise[j]
    wear(u; c) = (exp(c * u) - 1) / (exp(c) - 1)          0 when new, 1 at failure

``L``, ``c``, all levels and all shifts of an engine are one draw of a joint normal distribution, so
that wear moves all sensors together and engines differ as they do in FD001. The noise is white in
time and joint over sensors. Values are rounded as in the published files.

Simulated data are for trying things out. They are always labelled so
(``common.records.ids.SIMULATED_PREFIX``) and are never quoted as a C-MAPSS result.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.cmapss.files import SIMULATED_NAME, Split, file_name
from common.cmapss.reader import Dataset, parse_engines
from common.errors import DatasetError
from producer.atomic_file import write_atomically
from producer.simulator.constants import SimulatorConstants, load_constants

MAX_ENGINES: Final = 2000
"""Keeps a slip of the finger from filling the memory: 2,000 engines are 400,000 readings."""

MAX_DEVIATIONS: Final = 3.0
"""Engine parameters are drawn within this many standard deviations: no freak engines."""

MIN_LIFE: Final = 100
MIN_TEST_CYCLES: Final = 31
"""Shortest record of a FD001 test engine; one full window of 30 and one more."""

MIN_TEST_RUL: Final = 7
MAX_TEST_RUL: Final = 145
"""Range of the true RUL in FD001's test split, where it is spread evenly."""

_SPLIT_STREAM: Final[dict[Split, int]] = {"train": 0, "test": 1}


def simulate(n_engines: int, seed: int, split: Split = "train") -> Dataset:
    """Return a fleet named ``SIM``.

    Engine ``k`` depends on ``seed``, ``split`` and ``k`` alone: a larger fleet begins with the
    smaller one.

    Args:
        n_engines: Fleet size, 1 to ``MAX_ENGINES``.
        seed: Any whole number from 0.
        split: ``train`` runs every engine to failure; ``test`` cuts each one 7 to 145 cycles
            before it and gives the true RUL.

    Raises:
        DatasetError: If ``n_engines`` or ``seed`` is out of range.
    """
    if not 1 <= n_engines <= MAX_ENGINES:
        raise DatasetError(f"{n_engines} engines came; expected 1 to {MAX_ENGINES}.")
    if seed < 0:
        raise DatasetError(f"Seed {seed} came; expected a whole number from 0.")
    constants = load_constants()
    lines: list[str] = []
    rul: list[int] = []
    for unit in range(1, n_engines + 1):
        rng = np.random.default_rng([seed, _SPLIT_STREAM[split], unit])
        table, left = _engine(rng, constants, split)
        rul.append(left)
        lines.extend(
            constants.line_format % (unit, cycle, *row)
            for cycle, row in enumerate(table.tolist(), start=1)
        )
    # read back what the files would hold, so that replaying files or memory is the same
    text = "".join(lines).encode("ascii")
    true_rul = np.array(rul, dtype=np.int64)
    true_rul.setflags(write=False)
    return Dataset(
        name=SIMULATED_NAME,
        split=split,
        engines=parse_engines(text, "the simulator"),
        rul=true_rul if split == "test" else None,
        sha256=hashlib.sha256(text).hexdigest(),
    )


def dataset_text(dataset: Dataset) -> bytes:
    """Return a simulated data set as the text of a C-MAPSS file; its digest is ``sha256``."""
    line_format = load_constants().line_format
    return "".join(
        line_format % (engine.unit, cycle, *settings, *sensors)
        for engine in dataset.engines
        for cycle, settings, sensors in zip(
            engine.cycles.tolist(), engine.settings.tolist(), engine.sensors.tolist(), strict=True
        )
    ).encode("ascii")


def write_dataset(dataset: Dataset, folder: Path) -> tuple[Path, ...]:
    """Write a simulated data set as C-MAPSS files that ``load_dataset`` reads back.

    Returns:
        The files: ``train_SIM.txt``, or ``test_SIM.txt`` and ``RUL_SIM.txt``.

    Raises:
        DatasetError: If the folder cannot be written.
    """
    path = folder / file_name(dataset.name, dataset.split)
    write_atomically(path, dataset_text(dataset))
    if dataset.rul is None:
        return (path,)
    rul_path = folder / file_name(dataset.name, "RUL")
    write_atomically(rul_path, "".join(f"{left} \n" for left in dataset.rul.tolist()).encode())
    return (path, rul_path)


def wear(life_fraction: NDArray[np.float64], curvature: float) -> NDArray[np.float64]:
    """Return how far wear has come: 0 when new, 1 at failure, convex.

    Args:
        life_fraction: Any shape, in [0, 1].
        curvature: Greater than 0; how late in life the wear shows.

    Example:
        >>> wear(np.array([0.0, 0.5, 1.0]), 4.0).round(3).tolist()
        [0.0, 0.119, 1.0]
    """
    progress: NDArray[np.float64] = np.expm1(curvature * life_fraction) / np.expm1(curvature)
    return progress


def _engine(
    rng: np.random.Generator, constants: SimulatorConstants, split: Split
) -> tuple[NDArray[np.float64], int]:
    """Return one engine's settings and sensors, shape ``(n, 24)``, and the cycles left after it."""
    draw = np.clip(
        rng.standard_normal(len(constants.engine_factors)), -MAX_DEVIATIONS, MAX_DEVIATIONS
    )
    log_life, log_curvature, *rest = (
        constants.engine_mean + draw @ constants.engine_factors
    ).tolist()
    life = max(MIN_LIFE, round(constants.life_offset + float(np.exp(log_life))))
    level, shift = np.array(rest).reshape(2, -1)
    progress = wear(np.linspace(0.0, 1.0, life), float(np.exp(log_curvature)))  # (L,)

    table = np.tile(constants.constant_columns, (life, 1))  # (L, 24)
    noise = rng.standard_normal((life, len(level))) @ constants.noise_factor
    table[:, constants.moving] = level + np.outer(progress, shift) + noise
    low_probability = 1.0 / (
        1.0 + np.exp(-(constants.p15_logit @ np.vstack([np.ones(life), progress])))
    )
    is_low = rng.random(life) < low_probability
    table[:, constants.p15] = np.where(is_low, *constants.p15_values)
    table[:, 0] = constants.altitude_std * rng.standard_normal(life)
    table[:, 1] = rng.uniform(-constants.mach_half_width, constants.mach_half_width, life)
    if split == "train":
        return table, 0
    left = int(rng.integers(MIN_TEST_RUL, min(MAX_TEST_RUL, life - MIN_TEST_CYCLES) + 1))
    return table[: life - left], left
