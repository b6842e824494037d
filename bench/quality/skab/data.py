"""SKAB, a real pump on a test bed, as recordings: what is fitted, and what is judged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from common.errors import DatasetError
from common.machines.machine import Channel, MachineType, Step, Window
from common.recording import AssetRecord, Recording
from common.settings import load_settings

FIT_ROWS: Final = 400
"""The benchmark's: the first rows of each experiment are fitted on, the rest is judged."""

ALL_FILES: Final = 34
ANOMALY_FREE: Final = "anomaly-free"
TIME, LABELS = "datetime", ("anomaly", "changepoint")
UNITS: Final = {
    "Accelerometer1RMS": "g",
    "Accelerometer2RMS": "g",
    "Current": "A",
    "Pressure": "bar",
    "Temperature": "°C",
    "Thermocouple": "°C",
    "Voltage": "V",
    "Volume Flow RateRMS": "l/min",
}


@dataclass(frozen=True, slots=True)
class Experiments:
    """The files.

    Attributes:
        healthy: The long record without any fault.
        judged: Each experiment, whole; its ``faulty`` mask is the publisher's label.
        sha256: Digest over all files.
    """

    healthy: AssetRecord
    judged: tuple[AssetRecord, ...]
    sha256: str

    def fitted(self, leave_out: str | None = None) -> tuple[AssetRecord, ...]:
        """Return what may be learned from, without a label: each file is one asset.

        Args:
            leave_out: An experiment of which nothing is.
        """
        beginnings = tuple(
            beginning(record) for record in self.judged if record.asset_id != leave_out
        )
        return (self.healthy, *beginnings)

    def recording(self, assets: tuple[AssetRecord, ...], window_length: int) -> Recording:
        """Return some of the assets as a recording."""
        return Recording("SKAB", pump_type(window_length), assets, self.sha256)


def beginning(record: AssetRecord) -> AssetRecord:
    """Return the first rows of an experiment, without their labels."""
    first = record.part(slice(0, FIT_ROWS))
    return AssetRecord(
        first.asset_id, first.cycles, first.clock_us, first.conditions, first.channels
    )


def labels(record: AssetRecord) -> NDArray[np.bool_]:
    """Return the publisher's labels of the rows that are judged."""
    assert record.faulty is not None
    return record.faulty[FIT_ROWS:]


def pump_type(window_length: int = 30) -> MachineType:
    """Return the pump: eight sensors, about once a second, no condition."""
    return MachineType(
        name="skab-pump",
        title="Water pump of the SKAB test bed",
        step=Step(word="second", clock="time", interval_s=1.0),
        window=Window(length=window_length),
        channels=tuple(Channel(name=name, unit=unit) for name, unit in UNITS.items()),
    )


def load_experiments(folder: Path | None = None) -> Experiments:
    """Read the files.

    Args:
        folder: Of ``anomaly-free.csv`` and the experiments' folders; none for ``skab`` beside the
            data folder of the settings.

    Raises:
        DatasetError: If they are not there.
    """
    folder = folder or load_settings().data_dir.parent / "skab"
    paths = sorted(folder.glob("*/*.csv"))
    long = folder / f"{ANOMALY_FREE}.csv"
    if not long.is_file() or not paths:
        raise DatasetError(f"{folder} does not hold SKAB: {long.name} and folders of experiments.")
    digest = hashlib.sha256()
    for path in (long, *paths):
        digest.update(path.read_bytes())
    return Experiments(
        _read(long, ANOMALY_FREE),
        tuple(_read(path, f"{path.parent.name}/{path.stem}") for path in paths),
        digest.hexdigest(),
    )


def _read(path: Path, name: str) -> AssetRecord:
    table = pl.read_csv(path, separator=";")
    seconds = table[TIME].str.to_datetime("%Y-%m-%d %H:%M:%S").dt.epoch("s").to_numpy()
    channels = table.select(list(UNITS)).to_numpy().astype(np.float64)
    anomaly = LABELS[0]
    faulty = table[anomaly].to_numpy() > 0.5 if anomaly in table.columns else None
    cycles = seconds.astype(np.int64)
    return AssetRecord(
        name, cycles, cycles * 1_000_000, np.empty((len(cycles), 0)), channels, faulty=faulty
    )
