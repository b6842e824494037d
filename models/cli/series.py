"""``surgeline evaluate --dataset SMAP,MSL``: all models over all streams, a table and a report."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from common.errors import DatasetError, UserError
from common.files.atomic import write_report
from common.settings import load_settings
from common.telemetry.files import spacecraft_of
from common.terminal.cli import error_console, output_console
from models.cli.showing.series_progress import Cost, progress, study_progress

if TYPE_CHECKING:
    from models.evaluation.ranges.figures import SeriesFigures
    from models.evaluation.series import SeriesResult
    from models.report.series.content import SeriesReport
    from models.training.series.study import Series
    from models.training.series.threshold import FlagRule

MOST_JOBS: Final = 64
SCORES: Final = "scores"
"""Folder, below that of the report, of scores that were computed: they are not computed again."""

TITLES: Final = {
    "vus_pr_final": "VUS-PR",
    "vus_pr_provisional": "at once",
    "event_f1": "ev. F1",
    "flagged_share": "flagged",
    "affiliation_f1": "aff. F1",
    "auc_final_median": "AUC",
    "row_f1_median": "row F1",
}
"""Figures that are printed, of those in the report; the last two are medians."""

CLEAN_NOTE: Final = (
    "clean: without streams whose labels are disputed (one anomaly over more than a third of the "
    "readings, or the same readings labelled twice): {names}"
)
CHOICE_NOTE: Final = (
    "Models, thresholds and the clean-up are fitted to training readings alone; labels are read to "
    "measure, and to draw."
)


@dataclass(frozen=True, slots=True)
class SeriesRequest:
    """What was asked for.

    Attributes:
        datasets: Such as ``SMAP,MSL``.
        models: Names of models; empty for all.
        threshold: The rule as typed; none for the default.
        out: Folder of the report; none for the default.
        jobs: Processes at a time; none for one per core.
        json_path: Where the numbers go too.
        data_dir: Where the data are; none for the settings'.
    """

    datasets: str
    models: Sequence[str]
    threshold: str | None
    out: Path | None
    jobs: int | None
    json_path: Path | None
    data_dir: Path | None


def evaluate_series(request: SeriesRequest) -> None:
    """Run the models, print the table, write the report.

    Raises:
        UserError: If something asked for is not there, or cannot be written.
        DatasetError: If the data are not there, or damaged.
    """
    from models.training.series.catalogue import DEFAULT, SERIES_MODELS
    from models.training.series.study import run_study

    cost = Cost()
    names = tuple(dict.fromkeys(request.models)) or tuple(SERIES_MODELS)
    for name in names:
        if name not in SERIES_MODELS:
            raise UserError(
                f"--model {name} came; one of {', '.join(SERIES_MODELS)} was expected of telemetry."
            )
    rule = _rule(request.threshold)
    settings = load_settings()
    spacecraft = spacecraft_of(request.datasets)
    series = read_series(request.data_dir or settings.data_dir, spacecraft)
    folder = request.out or settings.var_dir / "series" / "-".join(spacecraft)
    jobs = min(request.jobs or os.cpu_count() or 1, MOST_JOBS)
    with study_progress(len(series)) as told:
        results = run_study(
            series, names, rule, folder / SCORES, jobs, told.on_series, told.on_network
        )
    chosen = DEFAULT if DEFAULT in names else names[0]
    report = _report(request, results, chosen, jobs)
    _show(report)
    with progress("report", len(series)) as on_done:
        from models.report.series.folder import write_folder

        written = write_folder(folder, report, on_done)
    if request.json_path is not None:
        write_report(request.json_path, report_json(report))
    output_console(soft_wrap=True).print(f"report: {written[0]}, {len(written) - 1} CSVs beside it")
    output_console(soft_wrap=True).print(cost.line(), style="dim")


def read_series(data_dir: Path, spacecraft: Sequence[str]) -> list[Series]:
    """Return the labelled streams of some spacecraft, with their training readings.

    Raises:
        DatasetError: If they are not there, damaged, or one of a pair is missing.
    """
    from common.readers.telemetry import as_recording
    from common.telemetry.streams import load_streams, machine_of
    from models.training.series.study import Series, trimmed

    found = []
    for name in spacecraft:
        machine = machine_of(name)
        train, test = (load_streams(data_dir, name, split) for split in ("train", "test"))
        earlier = {stream.name: stream for stream in train}
        for stream in test:
            if stream.anomalies is None:  # nothing to measure by
                continue
            if stream.name not in earlier:
                raise DatasetError(f"Stream {stream.name} has no training readings in {data_dir}.")
            before = earlier[stream.name]
            fitted, used = trimmed(as_recording([before]).assets[0], machine)
            later, _ = trimmed(as_recording([stream]).assets[0], machine)
            found.append(
                Series(
                    stream.name,
                    name,
                    stream.clean,
                    used,
                    fitted,
                    later,
                    stream.anomalies,
                    before.sha256 + stream.sha256,
                )
            )
    return found


def report_json(report: SeriesReport) -> dict[str, object]:
    """Return the numbers of a report: per model, trivial and published rows, per series."""
    from models.evaluation.ranges.summary import summary_json
    from models.report.series.published import published_json

    return {
        "datasets": list(report.datasets),
        "chosen": report.chosen,
        "models": summary_json(report.figures),
        "published": published_json(report.datasets),
        "series": {
            name: {
                one.label: {
                    "vus_pr_final": one.final and one.final.vus_pr,
                    "vus_pr_provisional": one.provisional and one.provisional.vus_pr,
                    "auc_final": one.final and one.final.auc,
                    "f1": one.f1,
                    "flagged_share": one.flagged_share,
                    "clean": one.clean,
                }
                for one in own
            }
            for name, own in report.figures.items()
        },
        "notes": list(report.notes),
    }


def _rule(text: str | None) -> FlagRule:
    from dataclasses import replace

    from models.thresholding.series_rule import parse_threshold
    from models.training.series.threshold import DEFAULT_RULE

    if text is None:
        return DEFAULT_RULE
    try:
        return replace(DEFAULT_RULE, threshold=parse_threshold(text))
    except ValueError as exc:
        raise UserError(
            f"--threshold {text}: {exc}. Examples: trailing:k=5, maximum:margin=1.2, zscore:k=4."
        ) from exc


def _report(
    request: SeriesRequest, results: Sequence[SeriesResult], chosen: str, jobs: int
) -> SeriesReport:
    from models.evaluation.ranges.trivial import trivial_results
    from models.report.series.content import SeriesReport
    from models.training.series.catalogue import SERIES_MODELS

    by_model: dict[str, list[SeriesResult]] = {}
    for result in results:
        by_model.setdefault(result.model, []).append(result)
    beside = [row for result in by_model[chosen] for row in trivial_results(result)]
    with error_console().status("figures"):
        figures = _measured([*results, *beside], jobs)
    grouped: dict[str, list[SeriesFigures]] = {}
    for one in figures:
        grouped.setdefault(one.model, []).append(one)
    disputed = [one.series for one in by_model[chosen] if not one.clean]
    return SeriesReport(
        by_model,
        grouped,
        chosen,
        _command(request),
        {name: SERIES_MODELS[name].summary for name in by_model},
        (CHOICE_NOTE, *([CLEAN_NOTE.format(names=", ".join(disputed))] if disputed else [])),
    )


def _measured(results: Sequence[SeriesResult], jobs: int) -> list[SeriesFigures]:
    from models.evaluation.ranges.figures import measure_series

    if jobs <= 1:
        return [measure_series(result) for result in results]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        return list(pool.map(measure_series, results, chunksize=8))


def _command(request: SeriesRequest) -> str:
    words = ["surgeline", "evaluate", "--dataset", request.datasets]
    words += [word for name in request.models for word in ("--model", name)]
    words += ["--threshold", request.threshold] if request.threshold else []
    return " ".join(words)


def _show(report: SeriesReport) -> None:
    from rich import box
    from rich.table import Table

    from models.report.series.table import COLUMNS, clean_table, everything_table

    places = {
        index: TITLES[column.figure]
        for index, column in enumerate(COLUMNS)
        if column.figure in TITLES
    }
    console = output_console()
    for title, rows in (("all", everything_table(report)), ("clean", clean_table(report))):
        if not rows:
            continue
        series = len(report.own) if title == "all" else sum(one.clean for one in report.own)
        told = f"{', '.join(report.datasets)}: {title}, {series} series"
        table = Table(title=told, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
        table.add_column("model", min_width=28)
        for heading in places.values():
            table.add_column(heading, justify="right", no_wrap=True)
        for row in rows:
            name = f"{row.name} ({row.kind})" if row.kind != "model" else row.name
            table.add_row(
                name,
                *(row.cells[index].text for index in places),
                style="bold" if row.chosen else "dim" if row.kind != "model" else None,
            )
        console.print(table)
    for note in report.notes:
        console.print(note, style="dim", markup=False)
