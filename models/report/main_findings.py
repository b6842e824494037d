"""The few numbers at the top of the page, each with its interval and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.evaluation.intervals import Interval, proportion_interval
from models.report.comparison import Comparison
from models.report.uncertainty import Uncertainty, flat


@dataclass(frozen=True, slots=True)
class Finding:
    """One card.

    Attributes:
        title: What is measured.
        value: The number as shown.
        range: Its 95 % interval as shown; empty if there is none.
        note: What it means.
    """

    title: str
    value: str
    range: str
    note: str


def main_findings(comparison: Comparison, uncertainty: Uncertainty | None) -> list[Finding]:
    """Return the cards of the default model."""
    name = comparison.default
    metrics = comparison.models[name]
    values = flat(metrics)
    warning, critical = metrics.warning, metrics.critical

    def card(title: str, metric: str, note: str, write: Callable[[float], str]) -> Finding:
        value = values[metric]
        found = uncertainty.interval(name, metric) if uncertainty else None
        return Finding(title, "-" if value is None else write(value), _range(found, write), note)

    return [
        card("ROC AUC", "auc", "near-failure windows ranked above the others", _fraction),
        card("PR-AUC", "pr_auc", "precision averaged over recall", _fraction),
        card(
            "F1 at critical",
            "critical.f1",
            f"precision {critical.precision:.3f}, recall {critical.recall:.3f}"
            if metrics.faulty_windows
            else "no window near failure",
            _fraction,
        ),
        Finding(
            "Engines caught",
            f"{critical.engines_caught} of {critical.engines}",
            _range(proportion_interval(critical.engines_caught, critical.engines), _percent)
            if uncertainty
            else "",
            f"at critical; at warning {warning.engines_caught} of {warning.engines}",
        ),
        card(
            "Mean lead",
            "warning.lead_mean",
            "life left when the warning begins"
            + ("" if warning.lead_min is None else f"; the shortest {warning.lead_min} cycles"),
            lambda value: f"{value:.0f} cycles",
        ),
        card(
            "False alarms",
            "warning.false_alarms_per_1000",
            "per 1000 healthy windows at warning; at critical "
            + ("unknown" if (x := critical.false_alarms_per_1000) is None else f"{x:.1f}"),
            lambda value: f"{value:.1f}",
        ),
    ]


def _range(found: Interval | None, write: Callable[[float], str]) -> str:
    if found is None:
        return ""
    low, high = write(found.low), write(found.high)
    number, _, unit = low.partition(" ")
    return f"{number} to {high}" if unit and high.endswith(unit) else f"{low} to {high}"


def _fraction(value: float) -> str:
    return f"{value:.3f}"


def _percent(value: float) -> str:
    return f"{value:.0%}".replace("%", " %")
