"""The intervals on screen."""

from __future__ import annotations

from typing import Final

from rich import box
from rich.table import Table

from models.comparison import Comparison
from models.report.verdicts import Uncertainty, flat, short

SHOWN: Final = (
    ("auc", "AUC", 3),
    ("pr_auc", "PR-AUC", 3),
    ("critical.f1", "F1", 3),
    ("warning.lead_mean", "warning lead", 0),
    ("warning.false_alarms_per_1000", "false", 1),
)


def intervals_table(comparison: Comparison, uncertainty: Uncertainty) -> Table:
    """Return one row per model: 95 % intervals, and how it stands against the default."""
    table = Table(
        title=f"95 % intervals ({uncertainty.resamples:,} draws of {uncertainty.engines} engines; "
        f"F1 at critical, lead and false alarms at warning)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("model")
    for _, heading, _ in SHOWN:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(f"against {comparison.default}")
    for name in comparison.models:
        cells = [
            _cell(comparison, uncertainty, name, metric, digits) for metric, _, digits in SHOWN
        ]
        standing = "" if name == comparison.default else short(uncertainty, name)
        table.add_row(name, *cells, standing)
    return table


def _cell(
    comparison: Comparison, uncertainty: Uncertainty, name: str, metric: str, digits: int
) -> str:
    found = uncertainty.interval(name, metric)
    if found is None or flat(comparison.models[name])[metric] is None:
        return "-"
    return f"{found.low:.{digits}f}-{found.high:.{digits}f}"
