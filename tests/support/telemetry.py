"""Small streams of telemetry in the publisher's layout: a wave, with a burst in the test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

COLUMNS = {"SMAP": 25, "MSL": 55}
TRAIN_ROWS, TEST_ROWS = 600, 500
BURST = (300, 340)
"""Rows ``[start, stop)`` of the test readings that are no wave."""


def stream(
    rows: int, columns: int, seed: int, burst: tuple[int, int] | None
) -> NDArray[np.float64]:
    """Return a wave with noise, and commands beside it."""
    rng = np.random.default_rng(seed)
    values = (rng.random((rows, columns)) < 0.02).astype(np.float64)
    values[:, 0] = np.sin(np.arange(rows) / 8 + seed) + 0.02 * rng.normal(size=rows)
    if burst is not None:
        values[slice(*burst), 0] += rng.normal(size=burst[1] - burst[0])
    return values


def write_telemetry(
    folder: Path, names: Mapping[str, str], *, packed: bool = True, rows: int = TEST_ROWS
) -> Path:
    """Write streams, of which each has :data:`BURST` as its anomaly, and return the folder.

    Args:
        folder: Made if it is not there.
        names: Spacecraft by stream.
        packed: Whether as ``.npz`` archives, or as folders of ``.npy`` files.
        rows: Test readings.
    """
    arrays: dict[str, dict[str, NDArray[np.float64]]] = {"train": {}, "test": {}}
    lines = ["chan_id,spacecraft,anomaly_sequences,class,num_values"]
    for seed, (name, spacecraft) in enumerate(names.items()):
        columns = COLUMNS[spacecraft]
        arrays["train"][name] = stream(TRAIN_ROWS, columns, seed, None)
        arrays["test"][name] = stream(rows, columns, seed, BURST)
        lines.append(f'{name},{spacecraft},"[[{BURST[0]}, {BURST[1] - 1}]]",[point],{rows}')
    folder.mkdir(parents=True, exist_ok=True)
    for split, own in arrays.items():
        if packed:
            np.savez(folder / f"{split}.npz", **own)  # type: ignore[arg-type] # names are streams
            continue
        (folder / split).mkdir(exist_ok=True)
        for name, values in own.items():
            np.save(folder / split / f"{name}.npy", values)
    (folder / "labeled_anomalies.csv").write_text("\n".join(lines) + "\n")
    return folder
