"""One machine's severity through a run, drawn inside the page: SVG, without script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from api.commands.shown.html import Html, element

WIDTH: Final = 760.0
HEIGHT: Final = 170.0
LEFT: Final = 44.0
BOTTOM: Final = 24.0
TOP: Final = 12.0
MOST_POINTS: Final = 400
"""Of a line; of more, the highest and the lowest of each stretch stay."""


class Point(NamedTuple):
    """A scored reading.

    Attributes:
        cycle: When.
        severity: How bad; 1 is a warning.
    """

    cycle: int
    severity: float


class Mark(NamedTuple):
    """A moment worth a line.

    Attributes:
        cycle: When.
        label: What it says.
        kind: ``warning`` or ``critical``: its colour.
    """

    cycle: int
    label: str
    kind: str


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """Return at most ``most`` points, with the extremes of each stretch among them.

    Args:
        points: In the order of their cycles.
        most: At least 2.

    Example:
        >>> thinned([Point(n, 9.0 if n == 3 else 1.0) for n in range(8)], 2)[1]
        Point(cycle=3, severity=9.0)
    """
    if len(points) <= most:
        return list(points)
    size = math.ceil(len(points) / (most // 2))
    kept: list[Point] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        ends = {
            min(stretch, key=lambda point: point.severity),
            max(stretch, key=lambda point: point.severity),
        }
        kept += sorted(ends)
    return kept


def course(points: Sequence[Point], marks: Sequence[Mark], step: str) -> Html:
    """Return the drawing.

    A line across at 1, the warning; missing cycles break the course.

    Args:
        points: At least one, in the order of their cycles.
        marks: First warning, first critical and so on.
        step: What one reading is called.
    """
    first, last = points[0].cycle, points[-1].cycle
    top = max(1.25, max(point.severity for point in points) * 1.08)

    def x(cycle: float) -> float:
        return LEFT + (cycle - first) / max(1, last - first) * (WIDTH - LEFT - 8)

    def y(severity: float) -> float:
        inside = min(max(severity, 0.0), top) / top
        return HEIGHT - BOTTOM - inside * (HEIGHT - BOTTOM - TOP)

    drawn: list[Html] = [
        _line(LEFT, y(0), WIDTH - 8, y(0), "var(--grid)"),
        _line(LEFT, y(1), WIDTH - 8, y(1), "var(--warning)", dashed=True),
        _label(LEFT - 6, y(1) + 4, "1", "end"),
        _label(LEFT - 6, y(0) + 4, "0", "end"),
        _label(LEFT - 6, TOP + 8, f"{top:.3g}", "end"),
        _label(LEFT, HEIGHT - 6, f"{step} {first}", "start"),
        _label(WIDTH - 8, HEIGHT - 6, f"{last}", "end"),
    ]
    for mark in marks:
        if first <= mark.cycle <= last:
            at, colour = x(mark.cycle), f"var(--{mark.kind})"
            drawn.append(_line(at, TOP, at, y(0), colour))
            drawn.append(_label(at + 4, TOP + 8, mark.label, "start", colour))
    for stretch in _stretches(points):
        thin = thinned(stretch)
        if len(thin) == 1:
            drawn.append(
                element("circle", cx=_n(x(thin[0].cycle)), cy=_n(y(thin[0].severity)), r="1.5",
                        fill="var(--accent)")
            )  # fmt: skip
            continue
        places = " ".join(f"{_n(x(point.cycle))},{_n(y(point.severity))}" for point in thin)
        drawn.append(
            element("polyline", points=places, fill="none", stroke="var(--accent)",
                    stroke_width="1.5")
        )  # fmt: skip
    said = f"Severity from {step} {first} to {last}, highest {max(points, key=_high).severity:.3g}"
    return element(
        "svg", element("title", said), *drawn, viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}", role="img"
    )


def _high(point: Point) -> float:
    return point.severity


def _stretches(points: Sequence[Point]) -> list[list[Point]]:
    """Return the points in stretches without missing cycles."""
    found: list[list[Point]] = []
    for point in points:
        if found and point.cycle == found[-1][-1].cycle + 1:
            found[-1].append(point)
        else:
            found.append([point])
    return found


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> Html:
    more = {"stroke_dasharray": "4 3"} if dashed else {}
    return element("line", x1=_n(x1), y1=_n(y1), x2=_n(x2), y2=_n(y2), stroke=colour, **more)


def _label(x: float, y: float, text: str, anchor: str, colour: str = "var(--muted)") -> Html:
    return element("text", text, x=_n(x), y=_n(y), fill=colour, text_anchor=anchor, font_size="11")


def _n(value: float) -> str:
    return f"{value:.1f}"
