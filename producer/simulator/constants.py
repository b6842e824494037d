"""The simulator's constants: read from the JSON file that ``estimate.py`` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from common.cmapss.reader import N_SETTINGS
from common.machines.turbofan import SENSOR_NAMES, SETTING_NAMES

CONSTANTS_PATH: Final = Path(__file__).with_name("constants.json")
COLUMN_NAMES: Final = SETTING_NAMES + SENSOR_NAMES
"""The 24 columns of a table of readings, settings first."""


class ConstantsFile(BaseModel):
    """Layout of ``constants.json``.

    Attributes:
        provenance: Where the numbers come from: file, its sha256, engines, rows, script, citation.
        life_offset_cycles: ``log(life - life_offset_cycles)`` is normal; chosen so that it has no
            skew.
        moving_sensors: The sensors that change, and wear; all but P15, which takes two values.
        engine_mean: Mean of (log life, log curvature, levels, shifts), levels and shifts in the
            order of ``moving_sensors`` and in physical units.
        engine_factors: Shape ``(k, 2 + 2 m)`` for ``m`` moving sensors: a standard normal draw of
            length ``k`` times this, plus the mean, is one engine.
        noise_covariance: Of one reading, over ``moving_sensors``, physical units squared.
        constant: Columns that never change, with their value.
        p15_values: P15 when the draw is low, and when it is not, psia.
        p15_logit: Intercept and slope over wear of the log odds of the low value.
        altitude_std: Altitude's spread, 1000 ft; its mean is 0.
        mach_half_width: Mach number is even over minus this to plus this.
        decimals: Digits after the point of each column of the published files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provenance: dict[str, str | int]
    life_offset_cycles: float
    moving_sensors: list[str]
    engine_mean: list[float]
    engine_factors: list[list[float]]
    noise_covariance: list[list[float]]
    constant: dict[str, float]
    p15_values: tuple[float, float]
    p15_logit: tuple[float, float]
    altitude_std: float
    mach_half_width: float
    decimals: dict[str, int]


@dataclass(frozen=True, slots=True)
class SimulatorConstants:
    """The file's numbers as arrays, ready to draw from.

    Attributes:
        life_offset: Cycles added to the log-normal part of a life.
        engine_mean: Shape ``(2 + 2 m,)`` for ``m`` moving sensors.
        engine_factors: Shape ``(k, 2 + 2 m)``.
        noise_factor: Shape ``(m, m)``: a standard normal row times this is one reading's noise.
        moving: Columns of the moving sensors in a table of 24, shape ``(m,)``.
        p15: Column of P15 in a table of 24.
        p15_values: Its value when low, and otherwise.
        p15_logit: Shape ``(2,)``.
        constant_columns: Shape ``(24,)``: values that never change; 0 elsewhere.
        altitude_std: As in the file.
        mach_half_width: As in the file.
        line_format: One line of a file, for ``%`` with engine, cycle and the 24 values.
    """

    life_offset: float
    engine_mean: NDArray[np.float64]
    engine_factors: NDArray[np.float64]
    noise_factor: NDArray[np.float64]
    moving: NDArray[np.int64]
    p15: int
    p15_values: tuple[float, float]
    p15_logit: NDArray[np.float64]
    constant_columns: NDArray[np.float64]
    altitude_std: float
    mach_half_width: float
    line_format: str


def to_arrays(file: ConstantsFile) -> SimulatorConstants:
    """Return a file's numbers as arrays."""
    constant_columns = np.array([file.constant.get(name, 0.0) for name in COLUMN_NAMES])
    fields = " ".join(f"%.{file.decimals[name]}f" for name in COLUMN_NAMES)
    return SimulatorConstants(
        life_offset=file.life_offset_cycles,
        engine_mean=np.array(file.engine_mean),
        engine_factors=np.array(file.engine_factors),
        noise_factor=np.linalg.cholesky(np.array(file.noise_covariance)).T,
        moving=np.array([COLUMN_NAMES.index(name) for name in file.moving_sensors]),
        p15=N_SETTINGS + SENSOR_NAMES.index("P15"),
        p15_values=file.p15_values,
        p15_logit=np.array(file.p15_logit),
        constant_columns=constant_columns,
        altitude_std=file.altitude_std,
        mach_half_width=file.mach_half_width,
        line_format=f"%d %d {fields}  \n",
    )


@cache
def load_constants() -> SimulatorConstants:
    """Return the constants that ship with this package."""
    content = json.loads(CONSTANTS_PATH.read_text(encoding="utf-8"))
    return to_arrays(ConstantsFile.model_validate(content))
