"""The intervals on screen, in 80 columns."""

from __future__ import annotations

from typing import Final

from rich import box
from rich.table import Table

from models.report.comparison import Comparison
from models.report.uncertainty import COMPARED, Outcome, Uncertainty, flat

SHOWN: Final = tuple((metric, heading, 3) for metric, heading in COMPARED.items())
LEAD: Final = ("warning.lead_mean", "lead", 0)


def intervals_table(comparison: Comparison, uncertainty: Uncertainty) -> Table:
    """Return one row per model: 95 % intervals, and where it differs from the default."""
    table = Table(
        title=f"95 % intervals ({uncertainty.resamples:,} draws of {uncertainty.engines} engines); "
        f"significantly worse or better\nthan {comparison.default}; F1 at critical, lead at "
        "warning, cycles",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    table.add_column("model")
    for _, heading, _ in (*SHOWN, LEAD):
        table.add_column(heading, no_wrap=True)
    for name in comparison.models:
        outcomes = {} if name == comparison.default else uncertainty.outcomes(name)
        cells = [
            f"{_cell(comparison, uncertainty, name, metric, digits)}{_mark(outcomes.get(metric))}"
            for metric, _, digits in (*SHOWN, LEAD)
        ]
        table.add_row(name, *cells)
    return table


def _cell(
    comparison: Comparison, uncertainty: Uncertainty, name: str, metric: str, digits: int
) -> str:
    found = uncertainty.interval(name, metric)
    if found is None or flat(comparison.models[name])[metric] is None:
        return "-"
    return "-".join(found.written(digits))


def _mark(outcome: Outcome | None) -> str:
    return f" {outcome}" if outcome in ("worse", "better") else ""
