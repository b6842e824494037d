"""Writes the report: ``report.html``, and the CSVs beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from common.files.atomic import write_text
from models.report.series.content import SeriesReport
from models.report.series.page import render_page
from models.report.series.rows_csv import file_name, series_csv
from models.report.series.tables_csv import all_events, batch_summary, top_and_bottom

PAGE: Final = "report.html"
SERIES: Final = "series"
"""Folder of the CSVs of single series."""


def write_folder(
    folder: Path, report: SeriesReport, on_series: Callable[[str], None] = lambda _: None
) -> list[Path]:
    """Write all files; each is there whole or not at all, and older ones are replaced.

    Args:
        folder: Made if it is not there.
        report: What they say.
        on_series: Told each series that is drawn and written, for a progress bar.

    Returns:
        What was written, the page first.

    Raises:
        UserError: If a file cannot be written.
        ValueError: If two series would have one file.
    """
    best, worst = top_and_bottom(report)
    texts = {
        "batch_summary.csv": batch_summary(report),
        "TOP10_by_F1.csv": best,
        "BOTTOM10_by_F1.csv": worst,
        "ALL_EVENTS.csv": all_events(report),
    }
    written = [folder / name for name in texts]
    for path in written:
        write_text(path, texts[path.name])
    for one in report.own:
        result = report.result(report.chosen, one.label)
        path = folder / SERIES / file_name(result)
        if path in written:
            raise ValueError(f"{one.label} and another series would both be written to {path}")
        write_text(path, series_csv(result))
        written.append(path)
    page = folder / PAGE
    write_text(page, render_page(report, on_series))
    return [page, *written]
