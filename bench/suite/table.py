"""A run on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from bench.suite.figures import PLUMBING, PLUMBING_AT_MOST_US, RATIOS, Figure, Findings
from bench.suite.record import Record, median_of
from bench.suite.section import Section


def show_section(
    console: Console, section: Section, found: Findings, before: Mapping[str, Any] | None
) -> None:
    """Print what one section found, beside the last committed run."""
    table = _table(section.title)
    for name, figure in found.figures.items():
        earlier = median_of(before, section.name, name)
        table.add_row(name, number(figure.median), figure.unit, *_beside(figure, earlier))
    for what, why in found.not_measured.items():
        table.add_row(what, "not measured", "", "", why, style="yellow")
    console.print(table)
    for note in found.notes:
        console.print(f"  {note}", style="dim")


def show_ratios(console: Console, record: Record, before: Mapping[str, Any] | None) -> None:
    """Print the ratios that were measured, and what they should be."""
    table = _table("Ratios", "goal")
    for name, figure in record.ratios.items():
        goal = RATIOS[name].at_least
        earlier = None if before is None else before["ratios"].get(name)
        met = Text(number(figure.median), "green" if figure.median >= goal else "red")
        table.add_row(name, met, "", *_beside(figure, earlier), f">= {goal:g}")
    if (plumbing := record.plumbing) is not None:
        earlier = None if before is None else before.get(PLUMBING)
        good = plumbing.median <= PLUMBING_AT_MOST_US
        table.add_row(
            PLUMBING,
            Text(number(plumbing.median), "green" if good else "red"),
            "µs",
            *_beside(plumbing, earlier),
            f"<= {PLUMBING_AT_MOST_US:g}",
        )
    if table.row_count:
        console.print(table)


def number(value: float) -> str:
    """Return a figure as people read it.

    Example:
        >>> [number(value) for value in (0.4567, 12.34, 12345.6)]
        ['0.457', '12.3', '12,346']
    """
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _table(title: str, *more: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in ("", "median", "unit", "spread", "change", *more):
        justify: JustifyMethod = "left" if name in ("", "unit") else "right"
        table.add_column(name, justify=justify, no_wrap=name not in ("", "change"))
    return table


def _beside(figure: Figure, earlier: float | None) -> tuple[str, str]:
    spread = f"{figure.spread:.0%}" if len(figure.values) > 1 else ""
    if not earlier:
        return spread, ""
    return spread, f"{figure.median / earlier - 1:+.0%} (was {number(earlier)})"
