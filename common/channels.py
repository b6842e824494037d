"""The columns of a C-MAPSS reading: names, meanings, units.

The names are the symbols of Table 2 in Saxena et al., "Damage Propagation Modeling for Aircraft
Engine Run-to-Failure Simulation", PHM08. This is their only home.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Channel:
    """One column of a reading.

    Attributes:
        name: The symbol used on the wire, in artifacts and on screens.
        meaning: What it measures, in words.
        unit: Unit of measurement; empty when dimensionless.
    """

    name: str
    meaning: str
    unit: str


SETTINGS: Final[tuple[Channel, ...]] = (
    Channel("altitude", "altitude", "1000 ft"),
    Channel("mach", "Mach number", ""),
    Channel("tra", "throttle resolver angle", "deg"),
)

SENSORS: Final[tuple[Channel, ...]] = (
    Channel("T2", "total temperature at fan inlet", "°R"),
    Channel("T24", "total temperature at LPC outlet", "°R"),
    Channel("T30", "total temperature at HPC outlet", "°R"),
    Channel("T50", "total temperature at LPT outlet", "°R"),
    Channel("P2", "pressure at fan inlet", "psia"),
    Channel("P15", "total pressure in bypass duct", "psia"),
    Channel("P30", "total pressure at HPC outlet", "psia"),
    Channel("Nf", "physical fan speed", "rpm"),
    Channel("Nc", "physical core speed", "rpm"),
    Channel("epr", "engine pressure ratio (P50/P2)", ""),
    Channel("Ps30", "static pressure at HPC outlet", "psia"),
    Channel("phi", "ratio of fuel flow to Ps30", "pps/psi"),
    Channel("NRf", "corrected fan speed", "rpm"),
    Channel("NRc", "corrected core speed", "rpm"),
    Channel("BPR", "bypass ratio", ""),
    Channel("farB", "burner fuel-air ratio", ""),
    Channel("htBleed", "bleed enthalpy", ""),
    Channel("Nf_dmd", "demanded fan speed", "rpm"),
    Channel("PCNfR_dmd", "demanded corrected fan speed", "rpm"),
    Channel("W31", "HPT coolant bleed", "lbm/s"),
    Channel("W32", "LPT coolant bleed", "lbm/s"),
)

SETTING_NAMES: Final[tuple[str, ...]] = tuple(channel.name for channel in SETTINGS)
SENSOR_NAMES: Final[tuple[str, ...]] = tuple(channel.name for channel in SENSORS)
BY_NAME: Final[dict[str, Channel]] = {channel.name: channel for channel in SETTINGS + SENSORS}
