"""Estimates the simulator's constants from FD001's training engines and writes them down.

Run ``python -m producer.simulator.estimate`` with the real data at hand; it rewrites
``constants.json``. Per engine, least squares fit each moving sensor as
``level + shift * wear(life fraction; curvature)``, one curvature for all sensors of the engine,
chosen on a grid. Over engines, the joint covariance of what was fitted, less the variance that the
fit itself adds, is reduced to its main factors. What the fits leave over is the noise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray

from common.cmapss.files import file_name, find_file, read_bytes
from common.cmapss.reader import Dataset, load_dataset
from common.errors import DatasetError
from common.machines.turbofan import SENSOR_NAMES
from common.settings import load_settings
from common.terminal.cli import friendly_errors, output_console
from producer.atomic_file import write_atomically
from producer.simulator.constants import COLUMN_NAMES, CONSTANTS_PATH, ConstantsFile
from producer.simulator.simulate import wear

SOURCE_NAME: Final = "FD001"
LIFE_OFFSET: Final = 80.0
"""With it, log(life - offset) of FD001's training engines has no skew (0.0006)."""

CURVATURES: Final = np.exp(np.linspace(np.log(1.0), np.log(16.0), 161))
"""Grid of the search, steps of 1.7 %; FD001's engines lie between 3.2 and 5.7."""

KEPT_VARIANCE: Final = 0.99
"""Part of the engine-to-engine variance that the kept factors hold."""

DIGITS: Final = 7
CITATION: Final = (
    "A. Saxena, K. Goebel, D. Simon, N. Eklund, Damage Propagation Modeling for Aircraft Engine "
    "Run-to-Failure Simulation, PHM08, 2008; NASA Prognostics Data Repository, set 6."
)


@dataclass(frozen=True, slots=True)
class EngineFit:
    """What least squares say of one engine; ``m`` moving sensors.

    Attributes:
        curvature: Of the wear curve.
        coefficients: Shape ``(2, m)``: levels, shifts.
        residuals: Shape ``(n, m)``.
        inverse_gram: Shape ``(2, 2)``: times a noise variance, the coefficients' error covariance.
    """

    curvature: float
    coefficients: NDArray[np.float64]
    residuals: NDArray[np.float64]
    inverse_gram: NDArray[np.float64]


def estimate(dataset: Dataset, decimals: dict[str, int]) -> ConstantsFile:
    """Return the constants that describe a data set of one operating condition.

    Args:
        dataset: Engines that ran to failure.
        decimals: Digits after the point of each column, by column name.
    """
    tables = [np.hstack([engine.settings, engine.sensors]) for engine in dataset.engines]
    pooled = np.vstack(tables)
    still = [
        name
        for name, spread in zip(COLUMN_NAMES, np.ptp(pooled, axis=0), strict=True)
        if not spread
    ]
    moving = [name for name in SENSOR_NAMES if name not in still and name != "P15"]
    columns = [COLUMN_NAMES.index(name) for name in moving]
    weights = 1.0 / np.std(np.diff(pooled[:, columns], n=2, axis=0), axis=0)
    fits = [fit_engine(table[:, columns], weights) for table in tables]

    residuals = np.vstack([fit.residuals for fit in fits])
    noise = residuals.T @ residuals / (len(residuals) - 2 * len(fits))
    steps = np.array([10.0 ** -decimals[name] for name in moving])
    mean, factors = engine_distribution(fits, noise)
    progress = np.concatenate([_progress(len(fit.residuals), fit.curvature) for fit in fits])
    p15 = pooled[:, COLUMN_NAMES.index("P15")]
    return ConstantsFile(
        provenance={
            "what": "constants of producer/simulator/simulate.py; a fit, not data",
            "script": "python -m producer.simulator.estimate",
            "file": file_name(dataset.name, dataset.split),
            "sha256": dataset.sha256,
            "engines": len(dataset.engines),
            "rows": dataset.rows,
            "citation": CITATION,
        },
        life_offset_cycles=LIFE_OFFSET,
        moving_sensors=moving,
        engine_mean=_rounded(mean),
        engine_factors=[_rounded(factor) for factor in factors],
        # rounding to the file's digits adds step^2 / 12; the simulator rounds again
        noise_covariance=[_rounded(row) for row in noise - np.diag(steps**2 / 12.0)],
        constant={name: float(pooled[0, COLUMN_NAMES.index(name)]) for name in still},
        p15_values=(float(p15.min()), float(p15.max())),
        p15_logit=_pair(logistic_fit(progress, p15 == p15.min())),
        altitude_std=_rounded(np.std(pooled[:, :1], axis=0))[0],
        mach_half_width=_rounded(np.sqrt(3.0) * np.std(pooled[:, 1:2], axis=0))[0],
        decimals=decimals,
    )


def fit_engine(values: NDArray[np.float64], weights: NDArray[np.float64]) -> EngineFit:
    """Fit one engine's moving sensors, shape ``(n, m)``, with one curvature for all.

    Args:
        values: Readings to failure.
        weights: Shape ``(m,)``: one over each sensor's noise, so that all count alike.
    """

    def with_curvature(curvature: float) -> EngineFit:
        basis = np.column_stack([np.ones(len(values)), _progress(len(values), curvature)])
        inverse_gram = np.linalg.inv(basis.T @ basis)
        coefficients = inverse_gram @ basis.T @ values
        return EngineFit(curvature, coefficients, values - basis @ coefficients, inverse_gram)

    return min(
        (with_curvature(curvature) for curvature in CURVATURES.tolist()),
        key=lambda fit: float(np.sum((fit.residuals * weights) ** 2)),
    )


def engine_distribution(
    fits: list[EngineFit], noise: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and factors of the engines' parameters.

    Args:
        fits: One per engine.
        noise: Shape ``(m, m)``: covariance of one reading's noise.

    Returns:
        Mean, shape ``(2 + 2 m,)``, and factors, shape ``(k, 2 + 2 m)``, of
        (log(life - offset), log curvature, levels, shifts).
    """
    parameters = np.array(
        [
            [
                np.log(len(fit.residuals) - LIFE_OFFSET),
                np.log(fit.curvature),
                *fit.coefficients.ravel(),
            ]
            for fit in fits
        ]
    )
    covariance = np.cov(parameters.T)
    covariance[2:, 2:] -= np.mean([np.kron(fit.inverse_gram, noise) for fit in fits], axis=0)
    scale = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    values, vectors = values[::-1], vectors[:, ::-1]
    positive = np.clip(values, 0.0, None)
    kept = int(np.searchsorted(np.cumsum(positive) / positive.sum(), KEPT_VARIANCE)) + 1
    factors = (vectors[:, :kept] * np.sqrt(positive[:kept])).T * scale
    # an eigenvector's sign is arbitrary: fix it, so that a second run writes the same file
    factors *= np.sign(factors[np.arange(kept), np.argmax(np.abs(factors / scale), axis=1)])[
        :, None
    ]
    return parameters.mean(axis=0), factors


def logistic_fit(progress: NDArray[np.float64], happened: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return intercept and slope of the log odds of ``happened`` over ``progress``, by Newton."""
    basis = np.column_stack([np.ones(len(progress)), progress])
    beta = np.zeros(2)
    for _ in range(50):
        probability = 1.0 / (1.0 + np.exp(-(basis @ beta)))
        hessian = basis.T @ (basis * (probability * (1.0 - probability))[:, None])
        beta += np.linalg.solve(hessian, basis.T @ (happened - probability))
    return beta


def decimals_of(text: bytes) -> dict[str, int]:
    """Return the digits after the point of each column, from a file's first line."""
    fields = text.split(b"\n", 1)[0].split()[2:]
    return {
        name: len(field.partition(b".")[2])
        for name, field in zip(COLUMN_NAMES, fields, strict=True)
    }


def _progress(life: int, curvature: float) -> NDArray[np.float64]:
    return wear(np.linspace(0.0, 1.0, life), curvature)


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]


def _pair(values: NDArray[np.float64]) -> tuple[float, float]:
    first, second = _rounded(values)
    return first, second


@friendly_errors
def main(
    out: Annotated[Path, typer.Option(help="Where the constants go.")] = CONSTANTS_PATH,
) -> None:
    """Estimate the simulator's constants from FD001's training engines."""
    data_dir = load_settings().data_dir
    dataset = load_dataset(data_dir, SOURCE_NAME, "train")
    path = find_file(data_dir, file_name(SOURCE_NAME, "train"))
    if path is None:
        raise DatasetError(f"The {SOURCE_NAME} training file went away while it was read.")
    constants = estimate(dataset, decimals_of(read_bytes(path)))
    lines = (f'"{name}": {json.dumps(value)}' for name, value in constants.model_dump().items())
    write_atomically(out, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    output_console().print(
        f"{out}: {len(constants.engine_factors)} factors from {len(dataset.engines)} engines"
    )


if __name__ == "__main__":
    typer.run(main)
