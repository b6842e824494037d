"""Severity over time as text: dots of a quarter of a character, and a line at 1, the warning.

Pure: numbers in, lines out. In braille characters (Unicode 2800 to 28FF) each of two by four dots
is a bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

BRAILLE: Final = 0x2800
DOTS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bit of the dot in column 0 or 1, row 0 to 3 from above."""

LINE: Final = "_"
"""It lies at the lower edge of its line: what is a warning is drawn above it."""
LEAST_WIDTH: Final = 10


def severity_plot(
    cycles: Sequence[int], severities: Sequence[float], width: int, height: int = 12
) -> list[str]:
    """Return the lines of a plot; nothing is smoothed, of many values in one column all are seen.

    Args:
        cycles: Where each value is, from left to right; as many as ``severities``, at least one.
        severities: 1 is a warning; not negative, finite.
        width: Cells of a line, the axis included.
        height: Lines of the plot, three or more, without the one that says which cycles.

    Raises:
        ValueError: If there is nothing to draw, or not as many cycles as severities.
    """
    if not severities or len(cycles) != len(severities):
        raise ValueError(f"{len(cycles)} cycles and {len(severities)} severities: expected as many")
    scale = Scale.of(max(severities), height)
    labels = {0: f"{scale.top:.3g}", height - scale.below - 1: "1", height - 1: "0"}
    margin = max(map(len, labels.values()))
    across = max(LEAST_WIDTH, width - margin - 2)
    first, last = min(cycles), max(cycles)
    cells = [[0] * across for _ in range(height)]
    columns: dict[int, list[int]] = {}
    for cycle, severity in zip(cycles, severities, strict=True):
        x = round((cycle - first) / (last - first) * (2 * across - 1)) if last > first else 0
        columns.setdefault(x, []).append(4 * height - 1 - scale.dots(severity))
    for x, dots in columns.items():
        for y in range(min(dots), max(dots) + 1):
            cells[y // 4][x // 2] |= DOTS[x % 2][y % 4]
    lines = [
        f"{labels.get(row, ''):>{margin}} "
        + ("┤" if row in labels else "│")
        + "".join(_cell(bits, warning=labels.get(row) == "1") for bits in cells[row]).rstrip()
        for row in range(height)
    ]
    ends = f"{first}{last:>{max(1, across - len(str(first)))}}" if last > first else str(first)
    return [*lines, " " * (margin + 2) + ends]


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a severity is drawn: the warning lies on the edge of two lines, never within one.

    Attributes:
        top: The upper edge; where it is far above 1, the lines above 1 stand for more than those
            below.
        below: Lines for 0 to 1.
        height: All lines.
    """

    top: float
    below: int
    height: int

    @classmethod
    def of(cls, peak: float, height: int) -> Self:
        """Return the scale for values up to ``peak``, on three lines or more."""
        below = min(height - 2, max(1, math.floor(height / max(peak, 1.0))))
        return cls(max(height / below, peak), below, height)

    def dots(self, severity: float) -> int:
        """Return how many dots up from the lowest one a value is; 4 make a line."""
        if severity < 1:
            return min(4 * self.below - 1, math.floor(severity * 4 * self.below))
        above = 4 * (self.height - self.below)
        part = (severity - 1) / (self.top - 1)
        return 4 * self.below + min(above - 1, math.floor(part * above))


def _cell(bits: int, *, warning: bool) -> str:
    if bits:
        return chr(BRAILLE | bits)
    return LINE if warning else " "
