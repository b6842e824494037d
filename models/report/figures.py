"""The report's plots of whole models: ranking, threshold sweep, leads, false alarms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from models.evaluation.measure import Scored
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL
from models.report import curves
from models.report.events import EngineStory, leads_of
from models.report.svg import (
    ACCENT,
    CRITICAL,
    GRID,
    INK,
    MUTED,
    PAPER,
    SERIES,
    WARNING,
    canvas,
    house_style,
    label,
    panel,
    to_svg,
)

WIDE: Final = (10.4, 3.5)
HALF: Final = (5.1, 4.3)
NAMED_LINES: Final = 4
"""More lines than these, and nobody can tell them apart; the rest are grey."""

MANY_ENGINES: Final = 40
"""More engines than these get a histogram, not a line each."""

LEVEL_COLOURS: Final = {"warning": WARNING, "critical": CRITICAL}


def ranking_figures(
    scored: Mapping[str, Scored], default: str, order: Sequence[str]
) -> tuple[Markup, Markup]:
    """Return the ROC and the precision-recall plot; all models must be ``curves.rankable``.

    Args:
        scored: By model.
        default: The model drawn boldest.
        order: The other models, the ones to be named first.
    """
    with house_style():
        roc_figure, pr_figure = canvas(*HALF), canvas(*HALF)
        roc = panel(roc_figure, "ROC", "false positive rate", "true positive rate (recall)")
        pr = panel(pr_figure, "Precision and recall", "recall", "precision")
        corner = roc.inset_axes((0.42, 0.12, 0.55, 0.55))
        corner.set_title("upper left corner", fontsize=8, fontweight="normal")
        for line in (curves.roc, curves.precision_recall):
            targets = (roc, corner) if line is curves.roc else (pr,)
            _model_lines(targets, {name: line(scored[name]) for name in (*order, default)}, default)
        _mark_levels(roc, corner, pr, scored[default])
        _unit_square(roc)
        _unit_square(pr)
        corner.set(xlim=(0, 0.12), ylim=(0.7, 1.01))
        pr.axhline(float(scored[default].faulty.mean()), color=MUTED, lw=0.9, ls=":")
        pr.text(0.01, float(scored[default].faulty.mean()) + 0.012, "chance", color=MUTED, size=8)
        pr.legend(loc="lower left", bbox_to_anchor=(0.0, 0.2))
        return (
            to_svg(roc_figure, "roc", f"ROC curves of {len(scored)} models"),
            to_svg(pr_figure, "pr", f"Precision-recall curves of {len(scored)} models"),
        )


def _model_lines(targets: Sequence[Axes], lines: Mapping[str, curves.Curve], default: str) -> None:
    others = [name for name in lines if name != default]
    for i, name in reversed(list(enumerate(others))):
        named = i < NAMED_LINES
        for axes in targets:
            axes.plot(
                lines[name].x,
                lines[name].y,
                color=SERIES[i] if named else GRID,
                lw=1.1 if named else 0.9,
                label=name if named else ("other models" if i == NAMED_LINES else None),
            )
    for axes in targets:
        axes.plot(lines[default].x, lines[default].y, color=ACCENT, lw=2.2, label=default)


def _mark_levels(roc: Axes, corner: Axes, pr: Axes, scored: Scored) -> None:
    for level, colour in LEVEL_COLOURS.items():
        false, recall, precision = curves.operating_point(scored, level)
        for axes, x, y in ((roc, false, recall), (corner, false, recall), (pr, recall, precision)):
            axes.plot([x], [y], "o", color=colour, ms=6, label=f"{level} threshold", zorder=5)


def _unit_square(axes: Axes) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1.01))


def sweep_figure(scored: Scored) -> Markup:
    """Return precision, recall and F1, and false alarms, against the threshold."""
    found = curves.sweep(scored)
    with house_style():
        figure = canvas(*WIDE)
        left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
        label(left, "Near-failure windows found", "threshold (score)", "fraction")
        for name, values, colour, width in (
            ("precision", found.precision, SERIES[0], 1.4),
            ("recall", found.recall, SERIES[1], 1.4),
            ("F1", found.f1, ACCENT, 2.2),
        ):
            left.plot(found.thresholds, values, color=colour, lw=width, label=name)
        left.set_ylim(0, 1.02)
        label(right, "False alarms", "threshold (score)", "per 1000 healthy windows")
        right.plot(found.thresholds, found.false_alarms_per_1000, color=INK, lw=1.6)
        right.set_yscale("symlog", linthresh=1.0)
        right.set_ylim(0, 1300)
        right.set_yticks([0, 1, 10, 100, 1000], ["0", "1", "10", "100", "1000"])
        for axes in (left, right):
            axes.set_xlim(found.thresholds[0], found.thresholds[-1])
            _threshold_lines(axes, scored)
        left.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)
        return to_svg(figure, "sweep", "Precision, recall, F1, false alarms by threshold")


def _threshold_lines(axes: Axes, scored: Scored) -> None:
    for level in scored.levels_of_score:
        colour, value = LEVEL_COLOURS[level], float(getattr(scored.thresholds, level))
        left, right = axes.get_xlim()
        if (
            not left <= value <= right
        ):  # a model far out of its depth; a far label breaks the layout
            continue
        axes.axvline(value, color=colour, lw=1.3, ls="--")
        axes.annotate(
            f"{level} {value:.3g}",
            (value, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -9 if level == "warning" else -20),
            textcoords="offset points",
            color=colour,
            size=8,
            bbox={"facecolor": PAPER, "alpha": 0.8, "edgecolor": "none", "pad": 0.6},
        )


def lead_figure(stories: Sequence[EngineStory]) -> Markup:
    """Return when each failing engine's alarms began, in cycles before its end."""
    failing = [story for story in stories if story.failing]
    with house_style():
        if len(failing) > MANY_ENGINES:
            return _lead_histogram(failing)
        failing.sort(key=leads_of)
        figure = canvas(5.1, 1.0 + 0.2 * max(8, len(failing)))
        axes = panel(figure, "Lead time, one line per engine", "cycles before failure", "engine")
        for row, story in enumerate(failing):
            ends = [lead for lead in (story.warning_lead, story.critical_lead) if lead is not None]
            if len(ends) == 2:
                axes.plot(ends, [row, row], color=GRID, lw=3, solid_capstyle="round", zorder=1)
        for level, colour in LEVEL_COLOURS.items():
            points = [
                (lead, row)
                for row, story in enumerate(failing)
                if (lead := story.lead(level)) is not None
            ]
            axes.plot(
                [lead for lead, _ in points], [row for _, row in points], "o", color=colour, ms=5,
                label=level,
            )  # fmt: skip
        _lead_axis(axes)
        axes.set_yticks(range(len(failing)), [str(story.unit) for story in failing], fontsize=7)
        axes.set_ylim(-0.8, len(failing) - 0.2)
        axes.grid(visible=False, axis="y")
        axes.legend(loc="lower left")
        return to_svg(figure, "lead", "Lead time of each engine at both levels")


def _lead_histogram(failing: Sequence[EngineStory]) -> Markup:
    figure = canvas(5.1, 4.3)
    axes = panel(figure, "Lead time", "cycles before failure", "engines")
    bins = list(range(0, HEALTHY_RUL + 6, 5))
    for level, colour in LEVEL_COLOURS.items():
        leads = [lead for story in failing if (lead := story.lead(level)) is not None]
        axes.hist(leads, bins=bins, color=colour, alpha=0.55, label=level)
    _lead_axis(axes)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left")
    return to_svg(figure, "lead", "Lead times of all engines at both levels")


def _lead_axis(axes: Axes) -> None:
    axes.set_xlim(HEALTHY_RUL + 2, -2)
    axes.axvspan(FAULT_RUL, -2, color=CRITICAL, alpha=0.07, lw=0)
    axes.text(
        FAULT_RUL / 2, 1.01, "labelled faulty", transform=axes.get_xaxis_transform(), size=7.5,
        color=MUTED, ha="center", va="bottom",
    )  # fmt: skip


def false_alarm_figure(scored: Scored, stories: Sequence[EngineStory]) -> Markup:
    """Return the scores of healthy, ageing and failing windows, and healthy windows reported."""
    with house_style():
        figure = canvas(5.1, 5.0)
        upper, lower = figure.subplots(2, 1, height_ratios=(1.25, 1))
        label(upper, "Scores by life left", "score", "part of windows")
        _phase_histograms(upper, scored)
        label(lower, "Healthy windows reported, by engine", "engine", "windows")
        shown = false_alarm_engines(stories)
        places = np.arange(len(shown))
        lower.bar(places, [s.false_warnings for s in shown], color=WARNING, label="warning")
        lower.bar(places, [s.false_criticals for s in shown], color=CRITICAL, label="critical")
        lower.set_xticks(places, [str(story.unit) for story in shown], fontsize=7, rotation=90)
        lower.set_ylim(0, max([4.0, *(story.false_warnings * 1.25 for story in shown)]))
        lower.yaxis.set_major_locator(MaxNLocator(integer=True))
        lower.grid(visible=False, axis="x")
        if any(story.false_warnings for story in stories):
            lower.legend(loc="upper right", ncols=2)
        else:
            lower.text(0.5, 0.5, "none", transform=lower.transAxes, color=MUTED, ha="center")
        return to_svg(figure, "false", "Score distributions and false alarms per engine")


def false_alarm_engines(stories: Sequence[EngineStory]) -> list[EngineStory]:
    """Return all engines; of many, the ones with most false windows, and none without."""
    if len(stories) <= MANY_ENGINES:
        return list(stories)
    found = [story for story in stories if story.false_warnings]
    found.sort(key=lambda story: -story.false_warnings)
    return sorted(found[:MANY_ENGINES], key=lambda story: story.unit)


def _phase_histograms(axes: Axes, scored: Scored) -> None:
    low, high = curves.score_span(scored, 2 * curves.CRITICAL_SPAN)
    bins = np.linspace(low, high, 60).tolist()
    clipped = np.minimum(scored.scores, high)
    between = ~scored.faulty & ~scored.healthy
    for name, mask, colour in (
        (f"healthy (> {HEALTHY_RUL} left)", scored.healthy, SERIES[0]),
        ("between", between, MUTED),
        (f"near failure (≤ {FAULT_RUL})", scored.faulty, CRITICAL),
    ):
        if mask.any():
            part = np.full(int(mask.sum()), 1.0 / mask.sum())
            axes.hist(
                clipped[mask], bins=bins, weights=part, color=colour, histtype="stepfilled",
                alpha=0.25,
            )  # fmt: skip
            axes.hist(
                clipped[mask], bins=bins, weights=part, color=colour, histtype="step", lw=1.3,
                label=name,
            )  # fmt: skip
    axes.set_xlim(bins[0], high)
    _threshold_lines(axes, scored)
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.9))
