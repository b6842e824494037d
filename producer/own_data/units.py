"""Finds the unit in a column's name: ``Pressure [bar]``, ``Speed (rpm)``, ``temp_C``."""

from __future__ import annotations

import re
from typing import Final

BRACKETED: Final = re.compile(r"\[([^\[\]]{1,16})\]\s*$")
IN_PARENTHESES: Final = re.compile(r"\(([^()]{1,16})\)\s*$")
LAST_WORD: Final = re.compile(r"[_ ]([A-Za-z0-9%°/]{1,8})$")

SUFFIXES: Final = {
    "C": "degC", "degC": "degC", "degc": "degC", "celsius": "degC", "F": "degF", "degF": "degF",
    "K": "K", "kelvin": "K", "bar": "bar", "mbar": "mbar", "Pa": "Pa", "kPa": "kPa", "kpa": "kPa",
    "MPa": "MPa", "psi": "psi", "A": "A", "amp": "A", "amps": "A", "mA": "mA", "V": "V", "kV": "kV",
    "mV": "mV", "W": "W", "kW": "kW", "kw": "kW", "MW": "MW", "kWh": "kWh", "Hz": "Hz", "hz": "Hz",
    "kHz": "kHz", "rpm": "rpm", "RPM": "rpm", "mms": "mm/s", "mm/s": "mm/s", "g": "g", "mm": "mm",
    "um": "um", "m": "m", "lpm": "l/min", "m3h": "m3/h", "m3/h": "m3/h", "pct": "%", "percent": "%",
    "%": "%", "Nm": "Nm", "kN": "kN", "kg": "kg", "s": "s", "ms": "ms",
}  # fmt: skip
"""What the last word of a name means as a unit; upper and lower case tell them apart."""


def unit_of(name: str) -> str:
    """Return the unit that a name holds; empty if it holds none that is sure.

    Example:
        >>> unit_of("Pressure [bar]"), unit_of("temp_C"), unit_of("Bearing (DE)")
        ('bar', 'degC', '')
    """
    if found := BRACKETED.search(name):
        return found[1].strip()
    if found := IN_PARENTHESES.search(name):
        text = found[1].strip()
        known = text in SUFFIXES or text in SUFFIXES.values() or re.search(r"[/°%²³]", text)
        return text if known else ""
    if found := LAST_WORD.search(name):
        return SUFFIXES.get(found[1], "") if found[0][0] == "_" or len(found[1]) > 1 else ""
    return ""
