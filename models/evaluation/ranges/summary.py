"""One model over many series: means of what one series has, counts of events together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from models.evaluation.ranges.events import together
from models.evaluation.ranges.figures import SeriesFigures


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """How well one model did.

    Figures of scores, rows and affiliation are means, or medians, over the series that have
    anomalies: every series counts the same. Events are counted over all series together: every
    anomaly counts the same. A figure is none if no series has it.

    Attributes:
        series: How many there are.
        events: Anomalies in them.
        vus_pr_final: Mean VUS-PR of the final score.
        vus_pr_provisional: Likewise of the provisional one.
        vus_roc_final: Mean VUS-ROC of the final score.
        range_auc_pr_final: Mean range-AUC-PR of the final score.
        range_auc_roc_final: Mean range-AUC-ROC of the final score.
        auc_final: Mean ROC AUC of the final score, row by row.
        auc_final_median: Its median.
        event_precision: Anomalies found, of these and false alarms.
        event_recall: Anomalies found, of all.
        event_f1: Harmonic mean of both.
        events_found: Anomalies found.
        false_alarms: Alarms without an anomaly in them.
        affiliation_precision: Mean over the series that have an alarm.
        affiliation_recall: Mean.
        affiliation_f1: Mean of each series' own; 0 for one without an alarm.
        row_f1: Mean F1, row by row.
        row_f1_median: Its median.
        flagged_share: Part of all rows that was reported.
        delay_median: Rows from an anomaly's first one until it was known; of those found.
    """

    series: int
    events: int
    vus_pr_final: float | None
    vus_pr_provisional: float | None
    vus_roc_final: float | None
    range_auc_pr_final: float | None
    range_auc_roc_final: float | None
    auc_final: float | None
    auc_final_median: float | None
    event_precision: float | None
    event_recall: float | None
    event_f1: float | None
    events_found: int
    false_alarms: int
    affiliation_precision: float | None
    affiliation_recall: float | None
    affiliation_f1: float | None
    row_f1: float | None
    row_f1_median: float | None
    flagged_share: float
    delay_median: float | None


def summarise(figures: Iterable[SeriesFigures]) -> ModelFigures:
    """Return one model's figures over the series that came.

    Raises:
        ValueError: If none came, one came twice, or they are of several models.
    """
    kept = list(figures)
    _refuse_mixed(kept)
    counts = together(one.events for one in kept)
    finals = [one.final for one in kept if one.final is not None]
    provisionals = [one.provisional for one in kept if one.provisional is not None]
    near = [one.affiliation for one in kept if one.affiliation is not None]
    by_row = [one.by_row.f1 for one in kept if one.by_row is not None]
    rows = sum(one.rows for one in kept)
    return ModelFigures(
        series=len(kept),
        events=counts.true,
        vus_pr_final=_mean(one.vus_pr for one in finals),
        vus_pr_provisional=_mean(one.vus_pr for one in provisionals),
        vus_roc_final=_mean(one.vus_roc for one in finals),
        range_auc_pr_final=_mean(one.range_auc_pr for one in finals),
        range_auc_roc_final=_mean(one.range_auc_roc for one in finals),
        auc_final=_mean(one.auc for one in finals),
        auc_final_median=_median(one.auc for one in finals),
        event_precision=counts.precision,
        event_recall=counts.recall,
        event_f1=counts.f1,
        events_found=counts.found,
        false_alarms=counts.false,
        affiliation_precision=_mean(one.precision for one in near if one.precision is not None),
        affiliation_recall=_mean(one.recall for one in near),
        affiliation_f1=_mean(one.f1 for one in near),
        row_f1=_mean(by_row),
        row_f1_median=_median(by_row),
        flagged_share=sum(one.flagged for one in kept) / rows if rows else 0.0,
        delay_median=_median(counts.delays),
    )


def by_model(figures: Iterable[SeriesFigures]) -> dict[str, list[SeriesFigures]]:
    """Return the figures of each model, models and series in the order they came."""
    found: dict[str, list[SeriesFigures]] = {}
    for one in figures:
        found.setdefault(one.model, []).append(one)
    return found


def summary_json(
    figures: Mapping[str, Sequence[SeriesFigures]],
) -> dict[str, dict[str, object]]:
    """Return per model its figures over all series, and under ``clean`` over undisputed ones.

    Args:
        figures: By model, as :func:`by_model` returns them; of one order and the same series.
    """
    found: dict[str, dict[str, object]] = {}
    for model, own in figures.items():
        undisputed = [one for one in own if one.clean]
        found[model] = {
            **asdict(summarise(own)),
            "clean": asdict(summarise(undisputed)) if undisputed else None,
        }
    return found


def _refuse_mixed(figures: Sequence[SeriesFigures]) -> None:
    if not figures:
        raise ValueError("no series came; expected at least one")
    models = sorted({one.model for one in figures})
    if len(models) > 1:
        raise ValueError(f"figures of {', '.join(models)} came; expected one model's")
    labels = [one.label for one in figures]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} came more than once; expected each series once")


def _mean(values: Iterable[float]) -> float | None:
    return _over(np.mean, values)


def _median(values: Iterable[float]) -> float | None:
    return _over(np.median, values)


def _over(middle: Callable[[list[float]], object], values: Iterable[float]) -> float | None:
    known = list(values)
    return float(middle(known)) if known else None  # type: ignore[arg-type] # numpy's scalar
