"""The one table of all models: every number, its interval, and the best of each column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from models.artifact.metrics import Metrics
from models.evaluation.intervals import Interval
from models.report.comparison import Comparison
from models.report.uncertainty import Uncertainty, flat, short

COLUMNS: Final = (
    # metric, digits, +1 if more is better
    ("auc", 3, 1),
    ("pr_auc", 3, 1),
    ("critical.f1", 3, 1),
    ("critical.precision", 3, 1),
    ("critical.recall", 3, 1),
    ("critical.engines_caught", 0, 1),
    ("critical.lead_mean", 1, 1),
    ("critical.false_alarms_per_1000", 1, -1),
    ("warning.engines_caught", 0, 1),
    ("warning.lead_mean", 1, 1),
    ("warning.lead_min", 0, 1),
    ("warning.false_alarms_per_1000", 1, -1),
)


@dataclass(frozen=True, slots=True)
class LeagueCell:
    """One number.

    Attributes:
        text: As shown.
        interval: 95 %; none if there is none.
        digits: Of the interval.
        best: Whether no model is better in this column, as shown.
    """

    text: str
    interval: Interval | None
    digits: int
    best: bool


@dataclass(frozen=True, slots=True)
class RankingRow:
    """One model.

    Attributes:
        name: Of the model.
        is_default: Whether it is the one the report is about.
        cells: In the order of :data:`COLUMNS`.
        verdict: Against the default one; empty for itself or without intervals.
    """

    name: str
    is_default: bool
    cells: tuple[LeagueCell, ...]
    verdict: str


def ranking(comparison: Comparison, uncertainty: Uncertainty | None) -> list[RankingRow]:
    """Return one row per model: the default first, then by PR-AUC."""
    values = {name: _values(metrics) for name, metrics in comparison.models.items()}
    names = sorted(
        values, key=lambda name: (name != comparison.default, -(values[name]["pr_auc"] or 0.0))
    )
    return [
        RankingRow(
            name,
            name == comparison.default,
            tuple(
                LeagueCell(
                    _text(name, metric, digits, comparison, values),
                    uncertainty.interval(name, metric) if uncertainty else None,
                    digits,
                    _is_best(values, name, metric, digits, sign),
                )
                for metric, digits, sign in COLUMNS
            ),
            short(uncertainty, name) if uncertainty and name != comparison.default else "",
        )
        for name in names
    ]


def _values(metrics: Metrics) -> dict[str, float | None]:
    return flat(metrics) | {
        "warning.engines_caught": metrics.warning.engines_caught,
        "critical.engines_caught": metrics.critical.engines_caught,
        "warning.lead_min": metrics.warning.lead_min,
    }


def _text(
    name: str,
    metric: str,
    digits: int,
    comparison: Comparison,
    values: Mapping[str, Mapping[str, float | None]],
) -> str:
    value = values[name][metric]
    if value is None:
        return "-"
    if metric.endswith("engines_caught"):
        return f"{value:.0f}/{comparison.models[name].critical.engines}"
    return f"{value:.{digits}f}"


def _is_best(
    values: Mapping[str, Mapping[str, float | None]],
    name: str,
    metric: str,
    digits: int,
    sign: int,
) -> bool:
    """Compare what is shown: two equal numbers in a table must not differ in weight."""
    known = [round(found, digits) for row in values.values() if (found := row[metric]) is not None]
    value = values[name][metric]
    return value is not None and sign * round(value, digits) == max(sign * found for found in known)
