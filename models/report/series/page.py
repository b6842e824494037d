"""The page: one HTML file, no other file, no other host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from markupsafe import Markup

from models.evaluation.ranges.figures import SeriesFigures
from models.evaluation.ranges.summary import ModelFigures, summarise
from models.evaluation.ranges.trivial import CHANCE_ROWS, CHANCE_SHARE
from models.evaluation.ranges.volume import LONGEST
from models.report.series.content import SeriesReport
from models.report.series.distributions import f1_figure, precision_recall_figure, told
from models.report.series.drawings import LANES, draw_series
from models.report.series.published import protocols
from models.report.series.table import (
    clean_table,
    dataset_tables,
    everything_table,
    single_tables,
)
from models.report.series.tables_csv import TOP
from models.report.templates import environment, shown, style

FOLDER: Final = Path(__file__).parent
TEMPLATE: Final = "series.html.j2"


@dataclass(frozen=True, slots=True)
class Card:
    """One of the figures on top: its title, its value, and what it means."""

    title: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """One series: its figures, its sentence, where it stands in the page, its drawing."""

    figures: SeriesFigures
    text: str
    anchor: str
    svg: Markup


def render_page(report: SeriesReport, on_series: Callable[[str], None] = lambda _: None) -> str:
    """Return the whole page.

    Args:
        report: What it says.
        on_series: Told each series that is drawn, for a progress bar.
    """
    summary = summarise(report.own)
    anchors = {one.label: f"s{place}" for place, one in enumerate(report.own)}
    drawings = []
    for one in report.own:
        anchor = anchors[one.label]
        svg = draw_series(report, one.label, f"d{anchor}")
        drawings.append(Drawing(one, told(one), anchor, svg))
        on_series(one.label)
    disputed = [one.label for one in report.own if not one.clean]
    return environment(FOLDER).get_template(TEMPLATE).render(
        report=report,
        summary=summary,
        cards=_cards(summary),
        table=everything_table(report),
        clean=clean_table(report),
        disputed=disputed,
        by_dataset=dataset_tables(report),
        single=single_tables(report),
        protocols=protocols(report.datasets),
        f1=f1_figure(report),
        precision=precision_recall_figure(report),
        best=report.ranked[:TOP],
        worst=report.ranked[: -TOP - 1 : -1],
        anchors=anchors,
        drawings=drawings,
        lanes=LANES,
        longest=LONGEST,
        chance_rows=CHANCE_ROWS,
        chance_share=CHANCE_SHARE,
        css=style(),
    )  # fmt: skip


def _cards(summary: ModelFigures) -> list[Card]:
    events = f"{summary.events_found} of {summary.events} anomalies found"
    delay = shown(summary.delay_median, 0)
    return [
        Card("VUS-PR, final", shown(summary.vus_pr_final), "mean over series; no threshold"),
        Card("VUS-PR, at once", shown(summary.vus_pr_provisional), "of the provisional score"),
        Card(
            "Event F1",
            shown(summary.event_f1),
            f"{events}, {summary.false_alarms} false alarms",
        ),
        Card(
            "Flagged",
            f"{100 * summary.flagged_share:.1f} %",
            "of all rows; read event F1 beside it",
        ),
        Card("Delay", f"{delay} rows", "median, of anomalies found"),
        Card(
            "Affiliation F1", shown(summary.affiliation_f1), "mean over series; chance is near .5"
        ),
    ]
