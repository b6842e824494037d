"""Severity over time as text: dots of a quarter of a character, and a line at 1, the warning.

Pure: numbers in, lines out. In braille characters (Unicode 2800 to 28FF) each of two by four dots
is a bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

BRAILLE: Final = 0x2800
DOTS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bit of the dot in column 0 or 1, row 0 to 3 from above."""

LINE: Final = "┄"
LEAST_WIDTH: Final = 10


def severity_plot(
    cycles: Sequence[int], severities: Sequence[float], width: int, height: int = 12
) -> list[str]:
    """Return the lines of a plot; nothing is smoothed, of many values in one column all are seen.

    Args:
        cycles: Where each value is, from left to right; as many as ``severities``, at least one.
        severities: 1 is a warning; not negative, finite.
        width: Cells of a line, the axis included.
        height: Lines of the plot, without the one that says which cycles.

    Raises:
        ValueError: If there is nothing to draw, or not as many cycles as severities.
    """
    if not severities or len(cycles) != len(severities):
        raise ValueError(f"{len(cycles)} cycles and {len(severities)} severities: expected as many")
    top = max(1.25, max(severities) * 1.05)
    labels = {0: f"{top:.3g}", height - 1: "0"}
    warning = _row(1.0, top, height)
    labels[warning] = "1"
    margin = max(map(len, labels.values()))
    across = max(LEAST_WIDTH, width - margin - 2)
    first, last = min(cycles), max(cycles)
    cells = [[0] * across for _ in range(height)]
    columns: dict[int, list[int]] = {}
    for cycle, severity in zip(cycles, severities, strict=True):
        x = round((cycle - first) / (last - first) * (2 * across - 1)) if last > first else 0
        columns.setdefault(x, []).append(_row(severity, top, 4 * height))
    for x, dots in columns.items():
        for y in range(min(dots), max(dots) + 1):
            cells[y // 4][x // 2] |= DOTS[x % 2][y % 4]
    lines = [
        f"{labels.get(row, ''):>{margin}} "
        + ("┤" if row in labels else "│")
        + "".join(_cell(bits, warning=row == warning) for bits in cells[row]).rstrip()
        for row in range(height)
    ]
    ends = f"{first}{last:>{max(1, across - len(str(first)))}}" if last > first else str(first)
    return [*lines, " " * (margin + 2) + ends]


def _row(value: float, top: float, rows: int) -> int:
    """Return the row of a value, 0 the uppermost."""
    return min(rows - 1, max(0, rows - 1 - math.floor(value / top * rows)))


def _cell(bits: int, *, warning: bool) -> str:
    if bits:
        return chr(BRAILLE | bits)
    return LINE if warning else " "
