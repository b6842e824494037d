"""The CSVs of figures: every series, the ten best and worst, every anomaly and alarm."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np

from models.evaluation.ranges.events import overlapping
from models.evaluation.ranges.figures import SeriesFigures
from models.evaluation.series import SeriesResult, Span
from models.report.series.content import SeriesReport, natural

TOP: Final = 10

FIGURES: Final = (
    "model", "spacecraft", "series", "clean_labels", "rows", "anomalies", "found", "alarms",
    "false_alarms", "flagged_share", "f1", "precision", "recall", "event_f1", "event_precision",
    "event_recall", "affiliation_f1", "affiliation_precision", "affiliation_recall",
    "delay_median_rows", "vus_pr_final", "vus_pr_provisional", "vus_roc_final",
    "range_auc_pr_final", "range_auc_roc_final", "auc_final", "auc_provisional",
)  # fmt: skip
"""Columns of ``batch_summary.csv``; ``f1``, ``precision`` and ``recall`` are row by row."""

EVENTS: Final = (
    "model", "spacecraft", "series", "clean_labels", "kind", "start_row", "stop_row", "rows",
    "outcome", "overlap_rows", "delay_rows", "peak_row", "peak_score", "threshold_at_peak",
)  # fmt: skip
"""Columns of ``ALL_EVENTS.csv``; an interval ends before its ``stop_row``."""


def written(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a CSV; numbers with six digits, nothing for none and NaN."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def batch_summary(report: SeriesReport) -> str:
    """Return the figures of every model on every series, trivial rows last."""
    names = (*report.models, *report.trivial)
    return written(FIGURES, (_figures(one) for name in names for one in _sorted(report, name)))


def top_and_bottom(report: SeriesReport) -> tuple[str, str]:
    """Return the chosen model's ten best series by F1, best first, and the ten worst, worst first.

    A series without any anomaly has no F1 and is in neither.
    """
    columns, ranked = ("rank", *FIGURES), list(enumerate(report.ranked, 1))
    best = [(place, *_figures(one)) for place, one in ranked[:TOP]]
    worst = [(place, *_figures(one)) for place, one in reversed(ranked[-TOP:])]
    return written(columns, best), written(columns, worst)


def all_events(report: SeriesReport) -> str:
    """Return every anomaly, found or missed, and every alarm, true or false, of every model."""
    return written(
        EVENTS,
        (
            row
            for name in report.models
            for one in _sorted(report, name)
            for row in _events(report.result(name, one.label))
        ),
    )


def _sorted(report: SeriesReport, name: str) -> list[SeriesFigures]:
    return sorted(report.figures[name], key=lambda one: (one.spacecraft, natural(one.series)))


def _figures(one: SeriesFigures) -> tuple[object, ...]:
    final, provisional, near, counts = one.final, one.provisional, one.affiliation, one.events
    delay = float(np.median(counts.delays)) if counts.delays else None
    return (
        one.model, one.spacecraft, one.series, one.clean, one.rows, counts.true, counts.found,
        counts.alarms, counts.false, one.flagged_share,
        one.f1,
        one.by_row.precision if one.by_row else None,
        one.by_row.recall if one.by_row else None,
        counts.f1, counts.precision, counts.recall,
        near.f1 if near else None,
        near.precision if near else None,
        near.recall if near else None,
        delay,
        final.vus_pr if final else None,
        provisional.vus_pr if provisional else None,
        final.vus_roc if final else None,
        final.range_auc_pr if final else None,
        final.range_auc_roc if final else None,
        final.auc if final else None,
        provisional.auc if provisional else None,
    )  # fmt: skip


def _events(result: SeriesResult) -> Iterator[tuple[object, ...]]:
    for anomaly in result.true:
        alarms = overlapping(anomaly, result.found)
        outcome = "found" if alarms else "missed"
        delay = max(0, alarms[0][0] - anomaly[0]) + result.wait_rows if alarms else None
        yield _event(result, "anomaly", anomaly, outcome, alarms, delay)
    for alarm in result.found:
        anomalies = overlapping(alarm, result.true)
        yield _event(result, "alarm", alarm, "true" if anomalies else "false", anomalies, None)


def _event(
    result: SeriesResult,
    kind: str,
    span: Span,
    outcome: str,
    others: Sequence[Span],
    delay: int | None,
) -> tuple[object, ...]:
    start, stop = span
    overlap = sum(min(stop, end) - max(start, begin) for begin, end in others)
    score = np.where(np.isnan(result.final[start:stop]), -np.inf, result.final[start:stop])
    peak = start + int(np.argmax(score))
    threshold = np.broadcast_to(np.asarray(result.threshold, np.float64), result.rows)[peak]
    return (
        result.model, result.spacecraft, result.series, result.clean, kind, start, stop,
        stop - start, outcome, overlap, delay, peak, float(result.final[peak]), float(threshold),
    )  # fmt: skip


def _cell(value: object) -> object:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return "" if np.isnan(value) else f"{value:.6g}"
        case None:
            return ""
        case _:
            return value
