"""One series drawn: its signal, the score with its threshold, and who reported what."""

from __future__ import annotations

from typing import Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from models.evaluation.series import FloatArray, SeriesResult, Span
from models.report.series.content import SeriesReport
from models.report.svg import (
    ACCENT,
    CRITICAL,
    INK,
    MUTED,
    SERIES,
    WARNING,
    canvas,
    house_style,
    to_svg,
)

BINS: Final = 600
"""Of a longer line only the lowest and highest point of each bin are drawn: more than a screen
shows, and a page of 55 series stays small."""

WIDTH: Final = 10.4
LANE: Final = 0.16
GAPS: Final = 0.75
MARGIN: Final = 1.7
"""Inches: the drawing, one model's alarms, all between and below panels, names on the left."""

LABEL_AT: Final = -0.075
"""Left of the panels, in widths of one: names of axes stand in one column."""

NAME: Final = 22
"""Letters of a model's name that have room in the margin."""

LANES: Final = 12
"""More models than these are not drawn under a series."""

WIDE_RANGE: Final = 20.0
"""A score that rises so many times above its threshold is drawn on a logarithmic axis."""

DECADES_BELOW: Final = 100.0
"""How far below its threshold a score is drawn there."""


def draw_series(report: SeriesReport, label: str, key: str) -> Markup:
    """Return the drawing of one series by the chosen model, the other models' alarms beneath.

    Args:
        report: Every model's results.
        label: Of the series.
        key: Unique in the page.
    """
    result = report.result(report.chosen, label)
    models = report.models[:LANES]
    lanes = [("true", result.true, CRITICAL)]
    lanes += [
        (name, report.result(name, label).found, WARNING if name == report.chosen else MUTED)
        for name in models
    ]
    with house_style():
        heights = (1.0, 1.15, LANE * len(lanes))
        figure = canvas(WIDTH, sum(heights) + GAPS)
        # the same margins under every series: the eye compares them, and nothing is measured twice
        figure.set_layout_engine(None)
        whole = sum(heights) + GAPS
        figure.subplots_adjust(
            left=MARGIN / WIDTH, right=1 - 0.1 / WIDTH, bottom=0.45 / whole, top=1 - 0.06 / whole,
            hspace=0.12,
        )  # fmt: skip
        signal, score, below = figure.subplots(3, 1, sharex=True, height_ratios=heights)
        _draw_signal(signal, result)
        _draw_score(score, result)
        _draw_lanes(below, lanes, result.rows)
        return to_svg(figure, key, f"Signal, score and reported intervals of {label}")


def thinned(values: FloatArray, bins: int = BINS) -> tuple[NDArray[np.intp], FloatArray]:
    """Return the rows, and their values, that a line needs: of each bin the lowest and highest.

    Args:
        values: Shape ``(rows,)``; NaN breaks the line.
        bins: How many there are at most.

    Example:
        >>> rows, values = thinned(np.array([0.0, 9.0, 1.0, 1.0, -5.0, 1.0]), bins=2)
        >>> rows.tolist(), values.tolist()
        ([0, 1, 3, 4], [0.0, 9.0, 1.0, -5.0])
    """
    rows = len(values)
    if rows <= 2 * bins:
        return np.arange(rows), values
    size = -(-rows // bins)
    padded = np.full(size * -(-rows // size), np.nan)
    padded[:rows] = values
    table = padded.reshape(-1, size)  # (bins, size)
    lowest = np.argmin(np.where(np.isnan(table), np.inf, table), axis=1)
    highest = np.argmax(np.where(np.isnan(table), -np.inf, table), axis=1)
    inside = np.sort(np.stack((lowest, highest), axis=1), axis=1)
    kept = np.unique((inside + np.arange(len(table))[:, None] * size).ravel())
    return kept, padded[kept]


def _draw_signal(axes: Axes, result: SeriesResult) -> None:
    _shade(axes, result.true, CRITICAL, 0.16)
    rows, values = thinned(result.signal)
    axes.plot(rows, values, color=INK, lw=0.8)
    axes.set_ylabel("signal")
    axes.yaxis.set_label_coords(LABEL_AT, 0.5)
    axes.set_xlim(0, result.rows)
    axes.grid(visible=False, axis="x")


def _draw_score(axes: Axes, result: SeriesResult) -> None:
    threshold = np.broadcast_to(np.asarray(result.threshold, np.float64), result.rows)
    _shade(axes, result.true, CRITICAL, 0.16)
    _shade(axes, result.found, WARNING, 0.30)
    floor = _log_floor(result, threshold)
    lines = [(threshold, WARNING, 1.1, "--", 1.0), (result.final, ACCENT, 1.2, "-", 1.0)]
    if not np.array_equal(result.provisional, result.final, equal_nan=True):
        lines.insert(0, (result.provisional, SERIES[0], 0.6, "-", 0.5))
    for values, colour, width, dashes, alpha in lines:
        drawn = values if floor is None else np.maximum(values, floor)
        rows, thin = thinned(drawn)
        axes.plot(rows, thin, color=colour, lw=width, ls=dashes, alpha=alpha)
    if floor is not None:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(numticks=4))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.set_ylabel("score" if floor is None else "score (log)")
    axes.yaxis.set_label_coords(LABEL_AT, 0.5)
    axes.grid(visible=False, axis="x")


def _log_floor(result: SeriesResult, threshold: FloatArray) -> float | None:
    """Return the lowest score to draw on a logarithmic axis; none for a plain axis."""
    scores = np.concatenate((result.final, result.provisional))
    known, limits = scores[np.isfinite(scores)], threshold[np.isfinite(threshold)]
    if not len(known) or not len(limits):
        return None
    limit = float(np.median(limits))
    if limit <= 0 or known.max() < WIDE_RANGE * limit:
        return None
    return limit / DECADES_BELOW


def _draw_lanes(axes: Axes, lanes: list[tuple[str, tuple[Span, ...], str]], rows: int) -> None:
    for place, (_, spans, colour) in enumerate(lanes):
        bars = [(start, stop - start) for start, stop in spans]
        # an outline of the same colour: a short alarm in a long record is still seen
        axes.broken_barh(bars, (place - 0.36, 0.72), facecolor=colour, edgecolor=colour, lw=0.8)
    names = [shorten(name, NAME) for name, _, _ in lanes]
    axes.set_yticks(range(len(lanes)), names, fontsize=7.5)
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.set_xlim(0, rows)
    axes.set_xlabel("row")
    axes.grid(visible=False, axis="y")


def shorten(name: str, most: int) -> str:
    """Return the name, cut where it is longer than ``most`` letters.

    Example:
        >>> shorten("window_pca", 8)
        'window_…'
    """
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def _shade(axes: Axes, spans: tuple[Span, ...], colour: str, alpha: float) -> None:
    for start, stop in spans:
        axes.axvspan(start, stop, color=colour, alpha=alpha, lw=0)
