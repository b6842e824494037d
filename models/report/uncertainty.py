"""Who is better, with 95 % intervals, and in sentences a reader cannot take for more than they are.

Every model is compared with the default one on the same resamples of engines. A difference is
significant when its 95 % interval leaves out zero; nothing is corrected for many comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from pydantic import JsonValue

from models.artifact.metrics import LevelMetrics, Metrics
from models.evaluation.intervals import Interval
from models.report.bootstrap import (
    LEVEL_METRICS,
    LEVELS,
    Difference,
    difference,
    draw_engines,
    draws,
    intervals,
)
from models.report.comparison import Comparison

COMPARED: Final = {"auc": "AUC", "pr_auc": "PR-AUC", "critical.f1": "F1"}
"""Metrics a verdict looks at, F1 at the critical level; all of them the higher the better."""

FEW_ENGINES: Final = 10
"""Below this many engines an interval is called rough: it is drawn from few different engines."""

Outcome = Literal["worse", "not significantly different", "better"]


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Intervals of every model, and differences from the default one.

    Attributes:
        resamples: How many.
        seed: Of the draws.
        engines: How many engines were drawn each time.
        intervals: Model to metric (``auc``, ``critical.f1``, ...) to its interval.
        differences: Every model but the default to compared metric to ``default - model``.
    """

    resamples: int
    seed: int
    engines: int
    intervals: Mapping[str, Mapping[str, Interval | None]]
    differences: Mapping[str, Mapping[str, Difference | None]]

    def interval(self, model: str, metric: str) -> Interval | None:
        """Return an interval; none if undefined."""
        return self.intervals.get(model, {}).get(metric)

    def outcomes(self, model: str) -> dict[str, Outcome]:
        """Return how ``model`` stands against the default one in each metric that both have."""
        return {
            metric: _outcome(found)
            for metric, found in self.differences[model].items()
            if found is not None
        }


def bootstrap(comparison: Comparison, resamples: int, seed: int = 0) -> Uncertainty:
    """Return the intervals of a comparison; the same seed gives the same.

    Args:
        comparison: With its scores.
        resamples: At least 1.
        seed: Of the draws.
    """
    units = np.concatenate([scored.units for scored in comparison.scored.values()])
    drawn = draw_engines(units, resamples, seed)
    found = {name: draws(scored, drawn) for name, scored in comparison.scored.items()}
    default = comparison.default
    values = {name: flat(metrics) for name, metrics in comparison.models.items()}
    return Uncertainty(
        resamples,
        seed,
        len(drawn.units),
        {name: intervals(drawn, comparison.scored[name]) for name, drawn in found.items()},
        {
            name: {
                metric: difference(
                    metric, values[default], values[name], found[default], found[name]
                )
                for metric in COMPARED
            }
            for name in found
            if name != default
        },
    )


def flat(metrics: Metrics) -> dict[str, float | None]:
    """Return the metrics under the names of ``bootstrap.draws``.

    F1, precision and recall are none where no window is faulty: they would be 0 by convention.
    """
    levels: dict[str, LevelMetrics] = {"warning": metrics.warning, "critical": metrics.critical}
    values: dict[str, float | None] = {"auc": metrics.auc, "pr_auc": metrics.pr_auc}
    for level in LEVELS:
        for name in LEVEL_METRICS:
            values[f"{level}.{name}"] = getattr(levels[level], name)
        if not metrics.faulty_windows:
            values |= {f"{level}.{name}": None for name in ("f1", "precision", "recall")}
    return values


def summary(comparison: Comparison, uncertainty: Uncertainty) -> list[str]:
    """Return in a few sentences how the default model stands among all the others.

    The first is about the best of the simple ones, those without a network.
    """
    outcomes = {name: set(uncertainty.outcomes(name).values()) for name in uncertainty.differences}
    if not outcomes:
        return [f"{comparison.default} stands alone: there is nothing to compare it with."]
    if not any(outcomes.values()):
        return ["No window is near failure here, so no model can be called better than another."]
    worse = [name for name, found in outcomes.items() if found == {"worse"}]
    better = [name for name, found in outcomes.items() if "better" in found]
    level = [name for name, found in outcomes.items() if not found & {"worse", "better"}]
    mixed = [name for name in outcomes if name not in (*worse, *better, *level)]
    default, metrics = comparison.default, _listed(list(COMPARED.values()))
    said = [
        (better, f"{{}} significantly better than {default} in at least one of {metrics}."),
        (level, f"{{}} not significantly worse than {default} in any of {metrics}."),
        (mixed, f"{{}} significantly worse than {default} in some of {metrics}, not in all."),
        (worse, f"{{}} significantly worse than {default} in all of {metrics}."),
    ]
    simple = comparison.best_baseline()
    return [
        *([_simple_sentence(simple, uncertainty, default)] if simple else []),
        *(
            text.format(f"{_listed(names)} {'is' if len(names) == 1 else 'are'}")
            for names, text in said
            if names
        ),
    ]


def _simple_sentence(name: str, uncertainty: Uncertainty, default: str) -> str:
    outcomes = uncertainty.outcomes(name)
    better, worse = (
        [COMPARED[metric] for metric, found in outcomes.items() if found == outcome]
        for outcome in ("better", "worse")
    )
    if better:
        standing = f"significantly better than {default} in {_listed(better)}"
    elif worse:
        standing = f"significantly worse than {default} in {_listed(worse)}"
    else:
        standing = (
            f"not significantly worse than {default} in {_listed(list(COMPARED.values()))}: these "
            f"{uncertainty.engines} engines do not show that {default} is better"
        )
    return f"The best model without a network, {name}, is {standing}."


def sentence(comparison: Comparison, uncertainty: Uncertainty, model: str) -> str:
    """Return how one model stands against the default one, metric by metric, with the numbers."""
    outcomes = uncertainty.outcomes(model)
    if not outcomes:
        return f"{model} cannot be compared with {comparison.default}: no window is near failure."
    parts = []
    for outcome in ("better", "not significantly different", "worse"):
        told = [
            _told(comparison, uncertainty, model, metric)
            for metric, found in outcomes.items()
            if found == outcome
        ]
        if told:
            word = outcome if outcome.startswith("not") else f"significantly {outcome}"
            parts.append(f"{word} in {_listed(told)}")
    return f"{model} is, against {comparison.default}, {'; '.join(parts)}."


def short(uncertainty: Uncertainty, model: str) -> str:
    """Return the same for a table's cell: ``worse: AUC, PR-AUC``."""
    outcomes = uncertainty.outcomes(model)
    if not outcomes:
        return "not comparable"
    parts = [
        f"{outcome}: {', '.join(named)}"
        for outcome in ("better", "worse")
        if (named := [COMPARED[metric] for metric, found in outcomes.items() if found == outcome])
    ]
    return "; ".join(parts) or "not significantly different"


def uncertainty_json(uncertainty: Uncertainty) -> dict[str, JsonValue]:
    """Return intervals and differences as JSON, keyed like ``models`` of the report."""
    return {
        "method": "percentile bootstrap over engines; Wilson's over engines where no draw differs",
        "resamples": uncertainty.resamples,
        "seed": uncertainty.seed,
        "engines": uncertainty.engines,
        "models": {name: _nested(found) for name, found in uncertainty.intervals.items()},
        "default_minus": {
            name: {
                metric: {
                    "difference": found.value,
                    "ci95": _pair(found.interval),
                    "significant": found.significant,
                }
                for metric, found in differences.items()
                if found is not None
            }
            for name, differences in uncertainty.differences.items()
        },
    }


def _outcome(found: Difference) -> Outcome:
    if not found.significant:
        return "not significantly different"
    return "worse" if found.value > 0 else "better"


def _told(comparison: Comparison, uncertainty: Uncertainty, model: str, metric: str) -> str:
    own, default = (flat(comparison.models[name])[metric] for name in (model, comparison.default))
    found = uncertainty.differences[model][metric]
    if own is None or default is None or found is None or found.interval is None:
        return COMPARED[metric]
    # told from the model's side, so the sign is turned round
    return (
        f"{COMPARED[metric]} ({own:.3f} against {default:.3f}; difference {-found.value:+.4f}, "
        f"95 % {-found.interval.high:+.4f} to {-found.interval.low:+.4f})"
    )


def _nested(found: Mapping[str, Interval | None]) -> dict[str, JsonValue]:
    tree: dict[str, JsonValue] = {}
    for metric, value in found.items():
        level, _, name = metric.rpartition(".")
        if not level:
            tree[name] = _pair(value)
            continue
        branch = tree.setdefault(level, {})
        if isinstance(branch, dict):
            branch[name] = _pair(value)
    return tree


def _pair(value: Interval | None) -> JsonValue:
    return None if value is None else [value.low, value.high]


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
