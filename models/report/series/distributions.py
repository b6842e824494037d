"""All series together: how F1, precision and recall are spread, and scores against F1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from models.evaluation.ranges.figures import SeriesFigures
from models.report.series.content import SeriesReport
from models.report.svg import (
    ACCENT,
    MUTED,
    SERIES,
    WARNING,
    canvas,
    house_style,
    label,
    to_svg,
)

BARS: Final = 20


def f1_figure(report: SeriesReport) -> Markup:
    """Return the F1 of all series, row by row, and how it goes with the score's VUS-PR."""
    own = report.ranked
    with house_style():
        figure = canvas(10.4, 3.2)
        left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
        label(left, "F1 of each series, row by row", "F1", "series")
        values = [one.f1 for one in own if one.f1 is not None]
        _histogram(left, values, ACCENT)
        _median_line(left, values)
        label(right, "A good score, and a good threshold?", "VUS-PR, final score", "F1")
        for name, colour in zip(report.datasets, (ACCENT, SERIES[1], *SERIES[2:]), strict=False):
            points = [
                (one.final.vus_pr, one.f1)
                for one in own
                if one.spacecraft == name and one.final is not None
            ]
            right.plot(*_axes_of(points), "o", color=colour, ms=4, alpha=0.75, label=name)
        right.set(xlim=(-0.02, 1.02), ylim=(-0.04, 1.04))
        if len(report.datasets) > 1:
            right.legend(loc="upper left")
        return to_svg(figure, "f1", "F1 of all series, and against the VUS-PR of the score")


def precision_recall_figure(report: SeriesReport) -> Markup:
    """Return precision and recall of all series, row by row and by distance."""
    own = report.ranked
    with house_style():
        figure = canvas(10.4, 3.2)
        left, right = figure.subplots(1, 2, sharey=True)
        label(left, "Precision and recall, row by row", "of one series", "series")
        _pair(
            left,
            [one.by_row.precision for one in own if one.by_row is not None],
            [one.by_row.recall for one in own if one.by_row is not None],
        )
        label(right, "Affiliation precision and recall (chance: .5)", "of one series", "")
        _pair(
            right,
            [one.affiliation.precision for one in own if one.affiliation is not None],
            [one.affiliation.recall for one in own if one.affiliation is not None],
        )
        right.axvline(0.5, color=MUTED, lw=0.9, ls=":")
        return to_svg(figure, "precision", "Precision and recall of all series")


def told(one: SeriesFigures) -> str:
    """Return what became of a series in a sentence."""
    counts = one.events
    if not counts.true:
        outcome = "No anomaly is known."
    elif counts.true == 1:
        outcome = "Its anomaly was found" if counts.found else "Its anomaly was missed"
    else:
        outcome = f"{counts.found} of {counts.true} anomalies found"
    if counts.delays:
        rows = float(np.median(counts.delays))
        outcome += f", after {rows:.0f} row{'' if rows == 1 else 's'}"
    false = {0: "no false alarm", 1: "1 false alarm"}.get(
        counts.false, f"{counts.false} false alarms"
    )
    parts = [f"{outcome.rstrip('.')}; {false}; {100 * one.flagged_share:.1f} % flagged"]
    if one.f1 is not None:
        parts.append(f"F1 {one.f1:.2f}")
    if one.final is not None and one.provisional is not None:
        parts.append(f"VUS-PR {one.final.vus_pr:.2f} ({one.provisional.vus_pr:.2f} provisional)")
    return "; ".join(parts) + "."


def _histogram(axes: Axes, values: Sequence[float], colour: str) -> None:
    axes.hist(values, bins=np.linspace(0, 1, BARS + 1).tolist(), color=colour, rwidth=0.88)
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")


def _median_line(axes: Axes, values: Sequence[float]) -> None:
    if not values:
        return
    median = float(np.median(values))
    axes.axvline(median, color=WARNING, lw=1.3, ls="--")
    axes.annotate(
        f"median {median:.2f}", (median, 1.0), xycoords=("data", "axes fraction"),
        xytext=(4, -10), textcoords="offset points", color=WARNING, size=8,
    )  # fmt: skip


def _pair(axes: Axes, precision: Sequence[float | None], recall: Sequence[float | None]) -> None:
    known = [value for value in precision if value is not None]
    silent = len(precision) - len(known)
    first = "precision" + (f" ({silent} without any alarm left out)" if silent else "")
    axes.hist(
        [known, [value for value in recall if value is not None]],
        bins=np.linspace(0, 1, BARS // 2 + 1).tolist(),
        color=[SERIES[0], SERIES[1]],
        label=[first, "recall"],
        rwidth=0.85,
    )
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper center")


def _axes_of(
    points: Sequence[tuple[float, float | None]],
) -> tuple[list[float], list[float | None]]:
    return [x for x, _ in points], [y for _, y in points]
