"""Made-up pumps: a machine type without conditions, timed readings, nobody knows of a failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.machines.files import parse_machine
from common.machines.machine import MachineType
from common.recording import AssetRecord, Recording

START_S = 1_700_000_000
PUMP_TOML = """
name = "pump"
title = "Pump"

[step]
word = "second"
clock = "time"
interval_s = 1

[window]
length = 20

[[channel]]
name = "Flow Rate"
unit = "l/min"
lowest = 0
highest = 500

[[channel]]
name = "Pressure"
unit = "bar"
max_hold = 2

[[channel]]
name = "Motor Temperature"
unit = "°C"

[[channel]]
name = "Spare"
used = false
"""
PUMP: MachineType = parse_machine(PUMP_TOML, "pump.toml")


def pump(number: int, rows: int = 400, seed: int = 0, fault_from: int | None = None) -> AssetRecord:
    """Return one pump's readings, round a level of its own; a fault takes it elsewhere."""
    rng = np.random.default_rng((seed, number))
    level = np.array([100.0, 4.0, 70.0, 1.0]) * (1 + 0.1 * number)
    channels = level + rng.normal(size=(rows, 4)) * (1.0, 0.1, 0.5, 0.1)
    if fault_from is not None:
        channels[fault_from:] += (-15.0, 2.0, 6.0, 0.0)
    cycles = START_S + np.arange(rows, dtype=np.int64)
    return AssetRecord(f"pump-{number}", cycles, cycles * 1_000_000, np.empty((rows, 0)), channels)


def pumps(n: int = 3, rows: int = 400, seed: int = 0) -> Recording:
    """Return a recording of healthy pumps."""
    return Recording(
        "pumps.csv", PUMP, tuple(pump(i, rows, seed) for i in range(1, n + 1)), "a" * 64
    )


def write_pumps(recording: Recording, path: Path, label: NDArray[np.bool_] | None = None) -> None:
    """Write a recording as a file with a line per reading, and perhaps a label of each."""
    names = [channel.name for channel in recording.machine.channels]
    lines = [",".join(["time", "pump", *names, *(["broken"] if label is not None else [])])]
    for record in recording.assets:
        for row in range(len(record)):
            moment = np.datetime64(int(record.cycles[row]), "s")
            values = ["" if np.isnan(v) else repr(float(v)) for v in record.channels[row]]
            marks = [] if label is None else [str(int(label[row]))]
            lines.append(
                ",".join([str(moment).replace("T", " "), record.asset_id, *values, *marks])
            )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
