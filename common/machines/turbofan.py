"""The machine type of NASA's C-MAPSS files, loaded once (``turbofan.toml``)."""

from __future__ import annotations

from typing import Final

from common.machines.files import load_machine
from common.machines.machine import MachineType

TURBOFAN: Final[MachineType] = load_machine("turbofan")

SETTING_NAMES: Final[tuple[str, ...]] = TURBOFAN.condition_names
"""The three operating settings, in the order of the files."""

SENSOR_NAMES: Final[tuple[str, ...]] = tuple(channel.name for channel in TURBOFAN.channels)
"""All 21 sensors, used or not, in the order of the files."""
