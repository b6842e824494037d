"""The report over many series: one page that loads nothing, and CSVs that say the same."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import UserError
from models.evaluation.ranges.figures import SeriesFigures, measure_series
from models.evaluation.ranges.summary import summarise
from models.evaluation.ranges.trivial import TRIVIAL, trivial_results
from models.evaluation.series import SeriesResult
from models.report.series.content import SeriesReport
from models.report.series.distributions import told
from models.report.series.drawings import draw_series, thinned
from models.report.series.folder import write_folder
from models.report.series.published import PUBLISHED, published_json
from models.report.series.table import (
    COLUMNS,
    clean_table,
    dataset_tables,
    everything_table,
    single_tables,
)
from models.report.series.tables_csv import FIGURES, top_and_bottom
from tests.support.outline import Outline
from tests.support.series import series_result

NASTY = "<b>&m"
"""A model's name is somebody else's text."""


def results_of(model: str) -> list[SeriesResult]:
    found = ((42, 58),) if model == NASTY else ((0, 4), (50, 70))
    return [
        series_result("A-10", ((40, 60),), found, model=model),
        series_result("A-9", ((40, 60), (80, 90)), found, model=model, clean=False),
        series_result("A-1", ((100, 104),), (), model=model),
        series_result("T-1", ((40, 60),), found, rows=3000, spacecraft="MSL", model=model),
        series_result("T-10", (), found, spacecraft="MSL", model=model),
    ]


def report_of(*models: str, notes: tuple[str, ...] = ()) -> SeriesReport:
    results = {model: results_of(model) for model in models}
    figures: dict[str, list[SeriesFigures]] = {
        model: [measure_series(one) for one in own] for model, own in results.items()
    }
    for one in results[models[0]]:
        for trivial in trivial_results(one):
            figures.setdefault(trivial.model, []).append(measure_series(trivial))
    return SeriesReport(results, figures, models[0], "surgeline evaluate", notes=notes)


@pytest.fixture(scope="module")
def report() -> SeriesReport:
    return report_of(NASTY, "second", notes=("Thresholds: train split alone.",))


@pytest.fixture(scope="module")
def folder(report: SeriesReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("report")
    drawn: list[str] = []
    written = write_folder(found, report, drawn.append)
    assert drawn == [one.label for one in report.own]
    assert all(path.is_file() for path in written)
    return found


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_the_page_is_whole_and_loads_nothing(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    outline = Outline(page)

    assert not outline.open
    sections = {"headline", "models", "spread", "places", "series", "limits"}
    assert sections <= set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))
    assert all(link.startswith("#") and link[1:] in outline.ids for link in outline.links)
    assert "http" not in page
    assert NASTY not in page
    assert "$" not in page  # formulas that nobody typeset


def test_the_page_names_every_model_every_trivial_and_every_published_row(folder: Path) -> None:
    text = Outline((folder / "report.html").read_text(encoding="utf-8")).text

    for name in (NASTY, "second", *TRIVIAL, *(one.name for one in PUBLISHED)):
        assert name in text, name
    assert "Disputed: SMAP A-9" in text
    assert "Thresholds: train split alone." in text
    for label in ("SMAP A-1", "SMAP A-9", "SMAP A-10", "MSL T-1", "MSL T-10"):
        assert label in text
    assert "0.0 % flagged" in text
    assert "No anomaly is known; 1 false alarm" in text


def test_series_stand_in_the_order_people_count_in(report: SeriesReport) -> None:
    labels = [one.label for one in report.own]

    assert labels == ["SMAP A-1", "SMAP A-9", "SMAP A-10", "MSL T-1", "MSL T-10"]


def test_every_model_and_trivial_row_has_its_figures_of_every_series(
    folder: Path, report: SeriesReport
) -> None:
    found = rows_of(folder / "batch_summary.csv")

    assert tuple(found[0]) == FIGURES
    names = list(dict.fromkeys(row["model"] for row in found))
    assert names == [NASTY, "second", *TRIVIAL]
    assert len(found) == 5 * len(names)
    own = next(row for row in found if row["series"] == "A-9")
    figures = next(one for one in report.own if one.series == "A-9")
    assert figures.final is not None
    assert float(own["vus_pr_final"]) == pytest.approx(figures.final.vus_pr, rel=1e-5)
    assert (own["clean_labels"], own["anomalies"], own["found"]) == ("no", "2", "1")
    without = next(row for row in found if row["series"] == "T-10")
    assert (without["f1"], without["vus_pr_final"], without["false_alarms"]) == ("", "", "1")


def test_top_and_bottom_are_the_two_ends_of_one_order(folder: Path) -> None:
    top, bottom = rows_of(folder / "TOP10_by_F1.csv"), rows_of(folder / "BOTTOM10_by_F1.csv")

    assert [row["rank"] for row in top] == ["1", "2", "3", "4"]
    assert [row["series"] for row in top] == [row["series"] for row in reversed(bottom)]
    values = [float(row["f1"]) for row in top]
    assert values == sorted(values, reverse=True)
    assert bottom[0]["series"] == "A-1"


def test_more_than_ten_series_leave_the_middle_out() -> None:
    results = [series_result(f"A-{n}", found=((40, 40 + n),)) for n in range(1, 14)]
    figures = [measure_series(one) for one in results]
    many = SeriesReport({"model": results}, {"model": figures}, "model", "")

    top, bottom = (
        [row["series"] for row in csv.DictReader(io.StringIO(text))]
        for text in top_and_bottom(many)
    )

    assert top == [f"A-{n}" for n in range(13, 3, -1)]
    assert bottom == [f"A-{n}" for n in range(1, 11)]


def test_every_anomaly_and_every_alarm_is_an_event(folder: Path) -> None:
    found = rows_of(folder / "ALL_EVENTS.csv")

    def outcomes(model: str, series: str) -> list[tuple[str, str, str, str]]:
        return [
            (row["kind"], row["start_row"], row["stop_row"], row["outcome"])
            for row in found
            if row["model"] == model and row["series"] == series
        ]

    assert outcomes("second", "A-9") == [
        ("anomaly", "40", "60", "found"),
        ("anomaly", "80", "90", "missed"),
        ("alarm", "0", "4", "false"),
        ("alarm", "50", "70", "true"),
    ]
    first = next(row for row in found if row["model"] == "second" and row["series"] == "A-9")
    assert (first["overlap_rows"], first["delay_rows"], first["rows"]) == ("10", "10", "20")
    assert 40 <= int(first["peak_row"]) < 60
    assert float(first["threshold_at_peak"]) == 1.0


def test_each_series_has_all_its_rows(folder: Path, report: SeriesReport) -> None:
    found = rows_of(folder / "series" / "SMAP_A-9.csv")
    result = report.result(NASTY, "SMAP A-9")

    assert len(found) == result.rows
    assert found[0]["provisional"] == ""
    assert [int(row["true"]) for row in found] == result.truth.astype(int).tolist()
    assert [int(row["flag"]) for row in found] == result.flags.astype(int).tolist()
    final = np.array([float(row["final"]) for row in found])
    assert np.allclose(final, result.final, rtol=1e-6)


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path, report: SeriesReport) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.touch()

    with pytest.raises(UserError, match="cannot be written"):
        write_folder(in_the_way, report)


def test_two_series_of_one_file_name_are_refused(tmp_path: Path) -> None:
    results = [series_result("A/1"), series_result("A 1")]
    figures = [measure_series(one) for one in results]

    with pytest.raises(ValueError, match="both be written"):
        write_folder(tmp_path, SeriesReport({"model": results}, {"model": figures}, "model", ""))


def test_the_best_of_models_is_bold_and_trivial_rows_never_are(report: SeriesReport) -> None:
    table = everything_table(report)
    column = [c.figure for c in COLUMNS].index("event_f1")

    assert [row.kind for row in table[:6]] == ["model"] * 2 + ["trivial"] * 3 + ["published"]
    assert table[0].chosen
    for row in table[2:]:
        assert not any(cell.best for cell in row.cells), row.name
    best = max(row.cells[column].text for row in table[:2])
    assert [row.cells[column].best for row in table[:2]] == [
        row.cells[column].text == best for row in table[:2]
    ]


def test_the_chosen_model_is_first_and_the_others_go_by_their_score() -> None:
    own = report_of("chosen", "b", "c", "d")

    table = everything_table(own)[:4]

    vus = [c.figure for c in COLUMNS].index("vus_pr_final")
    values = [float(row.cells[vus].text) for row in table]
    assert table[0].name == "chosen"
    assert values[1:] == sorted(values[1:], reverse=True)
    assert values[1] > values[-1]


def test_one_model_alone_is_not_the_best_of_anything() -> None:
    table = everything_table(report_of("only"))

    assert not any(cell.best for cell in table[0].cells)


def test_tables_of_parts_hold_those_series_alone(report: SeriesReport) -> None:
    clean, (smap, msl), (alone,) = (
        clean_table(report), dataset_tables(report), single_tables(report)
    )  # fmt: skip
    vus = [c.figure for c in COLUMNS].index("vus_pr_final")

    def expected(series: set[str]) -> str:
        own = [one for one in report.own if one.series in series]
        return f"{summarise(own).vus_pr_final:.3f}"

    assert clean[0].cells[vus].text == expected({"A-1", "A-10", "T-1", "T-10"})
    assert (smap[0], smap[1][0].cells[vus].text) == ("SMAP", expected({"A-1", "A-9", "A-10"}))
    assert (msl[0], msl[1][0].cells[vus].text) == ("MSL", expected({"T-1", "T-10"}))
    assert (alone[0], alone[1][0].cells[vus].text) == ("A-1", expected({"A-1"}))
    assert any("> 0.900" in cell.text for cell in alone[1][-1].cells)
    assert "best of TSB-AD, all columns: MSL" in [row.name for row in msl[1]]
    assert "best of TSB-AD, all columns: SMAP" not in [row.name for row in msl[1]]


def test_published_figures_are_known_ones_and_of_data_sets_that_are_there() -> None:
    shown = {column.figure for column in COLUMNS} | {"auc_final"}

    assert all(set(one.figures) <= shown for one in PUBLISHED)
    assert {one["name"] for one in published_json(["MSL"])} < {one.name for one in PUBLISHED}
    assert published_json(["pumps"]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda r, f: (r, f, "third"), "third is not among the models", id="chosen"),
        pytest.param(lambda r, f: ({**r, "b": r["a"][:1]}, f, "a"), "b: 1 series", id="fewer"),
        pytest.param(lambda r, f: ({**r, "b": r["a"]}, f, "a"), "no figures of b", id="unmeasured"),
        pytest.param(
            lambda r, f: ({"a": [*r["a"][:-1], r["a"][0]]}, f, "a"), "series", id="one twice"
        ),
    ],
)
def test_models_that_cannot_be_compared_are_refused(change, said: str) -> None:  # type: ignore[no-untyped-def] # one line each
    results = {"a": results_of("a")}
    figures = {"a": [measure_series(one) for one in results["a"]]}
    new_results, new_figures, chosen = change(results, figures)

    with pytest.raises(ValueError, match=said):
        SeriesReport(new_results, new_figures, chosen, "")


@given(
    values=st.lists(st.floats(-9, 9) | st.just(float("nan")), min_size=1, max_size=80),
    bins=st.integers(1, 12),
)
def test_a_thinned_line_keeps_its_ends_upwards_and_downwards(
    values: list[float], bins: int
) -> None:
    line = np.array(values)

    rows, kept = thinned(line, bins)

    assert len(rows) <= max(2 * bins, 1)
    assert np.all(np.diff(rows) > 0)
    assert np.array_equal(line[rows], kept, equal_nan=True)
    if not np.isnan(line).all():
        assert np.nanmin(kept) == np.nanmin(line)
        assert np.nanmax(kept) == np.nanmax(line)


@pytest.mark.parametrize(
    ("final", "logarithmic"),
    [
        pytest.param(np.full(120, np.nan), False, id="no score at all"),
        pytest.param(np.zeros(120), False, id="all zero"),
        pytest.param(np.geomspace(1e-9, 1e9, 120), True, id="far above its threshold"),
    ],
)
def test_any_score_is_drawn(final: np.ndarray, logarithmic: bool) -> None:
    result = replace(series_result("A-1"), final=final, threshold=np.full(120, 0.5))
    figures = measure_series(result)
    own = SeriesReport({"model": [result]}, {"model": [figures]}, "model", "")

    drawing = draw_series(own, "SMAP A-1", "d")

    assert ("score (log)" in drawing) is logarithmic
    assert "mathdefault" not in drawing


def test_sentences_are_grammatical() -> None:
    one = measure_series(series_result("A-1", ((40, 60),), ((41, 50),)))
    missed = measure_series(series_result("A-1", ((40, 60),), ((1, 2), (5, 7))))

    assert told(one).startswith("Its anomaly was found, after 1 row; no false alarm; 7.5 % flagged")
    assert told(missed).startswith("Its anomaly was missed; 2 false alarms; 2.5 % flagged; F1 0.00")
    assert re.search(r"VUS-PR \d\.\d\d \(\d\.\d\d provisional\)\.$", told(one))
