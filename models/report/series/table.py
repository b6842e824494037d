"""Rows of the tables: models, what is trivial, what others have published."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from models.evaluation.ranges.figures import SeriesFigures
from models.evaluation.ranges.summary import ModelFigures, summarise
from models.report.series.content import SeriesReport
from models.report.series.published import Published, published_on

MODEL: Final = "model"
TRIVIAL: Final = "trivial"
PUBLISHED: Final = "published"


@dataclass(frozen=True, slots=True)
class Column:
    """One figure.

    Attributes:
        figure: Its name in :class:`ModelFigures`.
        written: How it is shown.
        better: +1 if more is better, -1 if less is, 0 if neither is by itself.
        group: Whether a group of columns begins here.
    """

    figure: str
    written: Callable[[float], str]
    better: int
    group: bool = False


def _three(value: float) -> str:
    return f"{value:.3f}"


def _count(value: float) -> str:
    return f"{value:.0f}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"


COLUMNS: Final = (
    Column("vus_pr_final", _three, 1, group=True),
    Column("vus_pr_provisional", _three, 1),
    Column("range_auc_pr_final", _three, 1),
    Column("auc_final_median", _three, 1),
    Column("flagged_share", _share, 0, group=True),
    Column("event_f1", _three, 1),
    Column("event_precision", _three, 1),
    Column("event_recall", _three, 1),
    Column("false_alarms", _count, 0),
    Column("delay_median", _count, 0),
    Column("affiliation_f1", _three, 1, group=True),
    Column("affiliation_precision", _three, 1),
    Column("affiliation_recall", _three, 1),
    Column("row_f1_median", _three, 1, group=True),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One number, as shown, and whether no model has a better one."""

    text: str
    best: bool
    group: bool


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row.

    Attributes:
        name: Of the model, or whose figures they are.
        kind: ``model``, ``trivial`` or ``published``.
        chosen: Whether the report is about it.
        note: What it is.
        cells: In the order of :data:`COLUMNS`.
    """

    name: str
    kind: str
    chosen: bool
    note: str
    cells: tuple[Cell, ...]


def table_of(
    report: SeriesReport, keep: Callable[[SeriesFigures], bool], published: Sequence[Published]
) -> list[TableRow]:
    """Return the models by VUS-PR, the chosen one first; then what is trivial and published.

    Args:
        report: All figures.
        keep: Which series count.
        published: The rows below, whatever is kept.
    """
    kept = {
        name: summarise(own)
        for name in (*report.models, *report.trivial)
        if (own := [one for one in report.figures[name] if keep(one)])
    }
    if not kept:
        return []
    models = sorted(
        report.models, key=lambda name: (name != report.chosen, -(kept[name].vus_pr_final or 0.0))
    )
    best = [kept[name] for name in models]
    rows = [
        TableRow(
            name, MODEL, name == report.chosen, report.told.get(name, ""), _cells(kept[name], best)
        )
        for name in models
    ]
    rows += [TableRow(name, TRIVIAL, False, "", _cells(kept[name], [])) for name in report.trivial]
    return rows + [_published(one) for one in published]


def everything_table(report: SeriesReport) -> list[TableRow]:
    """Return the table over all series."""
    published = [one for one in published_on(report.datasets) if not one.series]
    return table_of(report, lambda _: True, published)


def clean_table(report: SeriesReport) -> list[TableRow]:
    """Return the table over the series nobody disputes; empty if that makes no difference."""
    if all(one.clean for one in report.own):
        return []
    return table_of(report, lambda one: one.clean, [])


def dataset_tables(report: SeriesReport) -> list[tuple[str, list[TableRow]]]:
    """Return a table of each data set, if there are several."""
    if len(report.datasets) == 1:
        return []
    return [
        (
            name,
            table_of(
                report,
                partial(_is_of, datasets={name}, series=""),
                [one for one in published_on({name}) if one.datasets == {name} and not one.series],
            ),
        )
        for name in report.datasets
    ]


def single_tables(report: SeriesReport) -> list[tuple[str, list[TableRow]]]:
    """Return a table of each series alone on which others have published."""
    found = []
    for one in published_on(report.datasets):
        keep = partial(_is_of, datasets=one.datasets, series=one.series)
        if one.series and any(keep(own) for own in report.own):
            found.append((one.series, table_of(report, keep, [one])))
    return found


def _is_of(one: SeriesFigures, datasets: Collection[str], series: str) -> bool:
    return one.spacecraft in datasets and series in ("", one.series)


def _cells(own: ModelFigures, models: Sequence[ModelFigures]) -> tuple[Cell, ...]:
    return tuple(_cell(column, own, models) for column in COLUMNS)


def _cell(column: Column, own: ModelFigures, models: Sequence[ModelFigures]) -> Cell:
    value: float | None = getattr(own, column.figure)
    if value is None:
        return Cell("-", False, column.group)
    text = column.written(value)
    known = [found for one in models if (found := getattr(one, column.figure)) is not None]
    # what is shown is compared: two equal numbers in a table must not differ in weight
    best = bool(column.better and len(known) > 1) and text == column.written(max(known))
    return Cell(text, best, column.group)


def _published(one: Published) -> TableRow:
    cells = tuple(
        Cell(
            ("> " if one.at_least else "") + column.written(one.figures[shown]), False, column.group
        )
        if (shown := _figure_of(column, one))
        else Cell("", False, column.group)
        for column in COLUMNS
    )
    return TableRow(one.name, PUBLISHED, False, "", cells)


def _figure_of(column: Column, one: Published) -> str:
    """Return the published figure a column shows: of a single series median and mean are one."""
    names = (column.figure, column.figure.removesuffix("_median") if one.series else "")
    return next((name for name in names if name in one.figures), "")
