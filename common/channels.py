"""The columns of a C-MAPSS reading: names, meanings, units.

The names are the symbols of Table 2 in Saxena et al., "Damage Propagation Modeling for Aircraft
Engine Run-to-Failure Simulation", PHM08. This is their only home.

Limits of plausibility are about half the smallest and twice the largest value of NASA's four
training files, failing engines included: no sound engine comes near them, and a value that is wrong
by a factor of ten is beyond them, in both directions (``tests/unit/common/test_channels.py``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Channel:
    """One column of a reading.

    Attributes:
        name: The symbol used on the wire, in artifacts and on screens.
        meaning: What it measures, in words.
        unit: Unit of measurement; empty when dimensionless.
        lowest: Smallest plausible value, in that unit.
        highest: Largest plausible value.
    """

    name: str
    meaning: str
    unit: str
    lowest: float = -math.inf
    highest: float = math.inf

    def plausible(self, value: float) -> bool:
        """Return whether a sound sensor could read this."""
        return self.lowest <= value <= self.highest


SETTINGS: Final[tuple[Channel, ...]] = (
    Channel("altitude", "altitude", "1000 ft"),
    Channel("mach", "Mach number", ""),
    Channel("tra", "throttle resolver angle", "deg"),
)

SENSORS: Final[tuple[Channel, ...]] = (
    Channel("T2", "total temperature at fan inlet", "°R", 222, 1040),
    Channel("T24", "total temperature at LPC outlet", "°R", 268, 1290),
    Channel("T30", "total temperature at HPC outlet", "°R", 621, 3230),
    Channel("T50", "total temperature at LPT outlet", "°R", 512, 2880),
    Channel("P2", "pressure at fan inlet", "psia", 1.95, 29.2),
    Channel("P15", "total pressure in bypass duct", "psia", 2.83, 43.2),
    Channel("P30", "total pressure at HPC outlet", "psia", 68, 1140),
    Channel("Nf", "physical fan speed", "rpm", 957, 4780),
    Channel("Nc", "physical core speed", "rpm", 3990, 18500),
    Channel("epr", "engine pressure ratio (P50/P2)", "", 0.46, 2.64),
    Channel("Ps30", "static pressure at HPC outlet", "psia", 18, 97),
    Channel("phi", "ratio of fuel flow to Ps30", "pps/psi", 64, 1075),
    Channel("NRf", "corrected fan speed", "rpm", 1010, 4780),
    Channel("NRc", "corrected core speed", "rpm", 3920, 16600),
    Channel("BPR", "bypass ratio", "", 4.07, 22.1),
    Channel("farB", "burner fuel-air ratio", "", 0.01, 0.06),
    Channel("htBleed", "bleed enthalpy", "", 151, 800),
    Channel("Nf_dmd", "demanded fan speed", "rpm", 957, 4780),
    Channel("PCNfR_dmd", "demanded corrected fan speed", "rpm", 42, 200),
    Channel("W31", "HPT coolant bleed", "lbm/s", 5.08, 79.8),
    Channel("W32", "LPT coolant bleed", "lbm/s", 3, 47.9),
)

SETTING_NAMES: Final[tuple[str, ...]] = tuple(channel.name for channel in SETTINGS)
SENSOR_NAMES: Final[tuple[str, ...]] = tuple(channel.name for channel in SENSORS)
BY_NAME: Final[dict[str, Channel]] = {channel.name: channel for channel in SETTINGS + SENSORS}
