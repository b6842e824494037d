"""Figures of one series and of one model, and what anybody gets for nothing."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.ranges.affiliation import affiliation
from models.evaluation.ranges.events import events, together
from models.evaluation.ranges.figures import measure_series
from models.evaluation.ranges.rows import roc_auc, rows
from models.evaluation.ranges.summary import by_model, summarise, summary_json
from models.evaluation.ranges.trivial import (
    CHANCE_SHARE,
    TRIVIAL,
    chance,
    everything,
    nothing,
    trivial_results,
)
from models.evaluation.ranges.volume import volume
from models.evaluation.series import SeriesResult, Span, mask_of, spans_of
from tests.support.series import series_result

MASKS = st.lists(st.booleans(), min_size=4, max_size=60).filter(lambda m: any(m) and not all(m))


@given(mask=MASKS, data=st.data())
def test_areas_are_shares_and_the_truth_itself_has_all_of_it(
    mask: list[bool], data: st.DataObject
) -> None:
    truth = np.array(mask)
    score = np.array(data.draw(st.lists(st.floats(-9, 9), min_size=len(mask), max_size=len(mask))))
    true = spans_of(truth)

    areas = volume(score, true, longest=7)
    best = volume(truth.astype(float), true, longest=0)

    assert np.all((areas.pr >= 0) & (areas.pr <= 1 + 1e-12))
    assert np.all((areas.roc >= 0) & (areas.roc <= 1 + 1e-12))
    assert best.vus_pr == pytest.approx(1.0)
    assert best.vus_roc == pytest.approx(1.0)


@given(mask=MASKS, seed=st.integers(0, 99))
def test_only_the_order_of_scores_counts(mask: list[bool], seed: int) -> None:
    score = np.random.default_rng(seed).normal(size=len(mask))
    before, true = score.copy(), spans_of(np.array(mask))

    plain, stretched = volume(score, true, 9), volume(np.exp(3 * score) - 7, true, 9)

    assert np.array_equal(score, before)
    assert np.array_equal(plain.pr, stretched.pr)
    assert np.array_equal(plain.roc, stretched.roc)
    assert volume(score[::-1].copy(), spans_of(np.array(mask)[::-1]), 9).vus_pr == pytest.approx(
        plain.vus_pr
    )


def test_where_nothing_was_said_counts_as_the_lowest_score() -> None:
    score, true = np.array([np.nan, 0.1, 0.9, 0.2, np.nan]), ((2, 3),)

    assert volume(score, true, 2).vus_pr == volume(np.nan_to_num(score, nan=-5.0), true, 2).vus_pr
    assert roc_auc(score, mask_of(true, 5)) == 1.0
    silent = np.full(5, np.nan)
    assert volume(silent, true, 2).vus_pr == volume(np.zeros(5), true, 2).vus_pr


@pytest.mark.parametrize("true", [(), ((0, 5),)])
def test_a_volume_needs_anomalies_and_something_else(true: tuple[Span, ...]) -> None:
    with pytest.raises(ValueError, match="of 5 rows are anomalous"):
        volume(np.zeros(5), true)


@given(found=MASKS, seed=st.integers(0, 99))
def test_affiliation_is_a_share_and_reporting_the_truth_has_all_of_it(
    found: list[bool], seed: int
) -> None:
    truth = np.random.default_rng(seed).random(len(found)) < 0.3
    truth[0] = True
    true = spans_of(truth)

    near = affiliation(spans_of(np.array(found)), true, len(found))

    assert near.precision is not None
    assert 0 <= near.precision <= 1 + 1e-12
    assert 0 <= near.recall <= 1 + 1e-12
    assert affiliation(true, true, len(found)).f1 == pytest.approx(1.0)


def test_affiliation_needs_an_anomaly() -> None:
    with pytest.raises(ValueError, match="no anomaly"):
        affiliation(((0, 2),), (), 10)


def test_many_alarms_in_one_anomaly_count_once_and_one_over_two_counts_twice() -> None:
    pieces = events(((3, 4), (6, 7), (20, 22)), ((2, 9), (30, 40)))
    across = events(((0, 50),), ((2, 9), (30, 40)))

    assert (pieces.found, pieces.false, pieces.alarms, pieces.delays) == (1, 1, 3, (1,))
    assert (pieces.precision, pieces.recall, pieces.f1) == (0.5, 0.5, 0.5)
    assert (across.found, across.false, across.f1, across.delays) == (2, 0, 1.0, (0, 0))
    both = together([pieces, across])
    assert (both.true, both.found, both.false, both.delays) == (4, 3, 1, (1, 0, 0))


def test_an_alarm_that_ends_where_an_anomaly_begins_is_false() -> None:
    assert events(((0, 5), (9, 12)), ((5, 9),)).false == 2


def test_a_delay_includes_the_wait_for_the_final_score() -> None:
    assert events(((4, 6),), ((3, 9),), wait_rows=49).delays == (50,)


def test_rows_are_never_adjusted_to_ranges() -> None:
    truth, flags = mask_of([(10, 90)], 100), mask_of([(50, 51)], 100)

    assert rows(flags, truth).recall == 1 / 80
    assert rows(flags, truth).precision == 1.0


def test_a_series_without_anomalies_has_alarms_and_a_share_and_nothing_else() -> None:
    figures = measure_series(series_result("T-10", true=(), found=((3, 9),), rows=60))

    assert (figures.final, figures.provisional, figures.by_row, figures.affiliation) == (None,) * 4
    assert (figures.events.false, figures.flagged_share, figures.f1) == (1, 0.1, None)
    summary = summarise([figures])
    assert (summary.vus_pr_final, summary.event_f1, summary.row_f1_median) == (None, None, None)
    assert summary.false_alarms == 1


def test_provisional_and_final_scores_have_figures_of_their_own() -> None:
    result = series_result("A-1", true=((40, 60),))
    turned = replace(result, provisional=-result.final)

    figures = measure_series(turned)

    assert figures.final is not None
    assert figures.provisional is not None
    assert figures.final.vus_pr > figures.provisional.vus_pr
    assert figures.final.auc == pytest.approx(1 - figures.provisional.auc)


@pytest.fixture
def results() -> list[SeriesResult]:
    return [
        series_result("A-1", true=((40, 60),), found=((45, 50),)),
        series_result("A-2", true=((100, 150),), found=((0, 60),), rows=300, clean=False),
        series_result("A-3", true=((10, 20), (90, 95)), found=(), spacecraft="MSL"),
    ]


def test_a_summary_counts_every_series_the_same_and_every_anomaly_the_same(
    results: list[SeriesResult],
) -> None:
    figures = [measure_series(result) for result in results]

    summary = summarise(figures)

    assert (summary.series, summary.events, summary.events_found) == (3, 4, 1)
    assert summary.event_f1 == pytest.approx(2 * 1 / (1 + 1 + 4))
    assert summary.flagged_share == pytest.approx(65 / (120 + 300 + 120))
    vus = [one.final.vus_pr for one in figures if one.final is not None]
    assert summary.vus_pr_final == pytest.approx(np.mean(vus))
    own = [one.affiliation.f1 for one in figures if one.affiliation is not None]
    assert own[2] == 0.0
    assert summary.affiliation_f1 == pytest.approx(np.mean(own))
    assert summary.row_f1_median == 0.0
    assert summary.delay_median == 5


def test_json_has_what_a_reader_asks_for_over_all_and_over_undisputed_series(
    results: list[SeriesResult],
) -> None:
    found = summary_json(by_model(map(measure_series, results)))

    own = found["model"]
    assert {
        "vus_pr_final", "vus_pr_provisional", "event_f1", "affiliation_f1", "flagged_share"
    } <= set(own)  # fmt: skip
    assert own["clean"] == asdict(summarise(map(measure_series, (results[0], results[2]))))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param(lambda one: [], "no series", id="none"),
        pytest.param(lambda one: [one, one], "SMAP A-1 came more than once", id="twice"),
        pytest.param(lambda one: [one, replace(one, model="x")], "model, x", id="two models"),
    ],
)
def test_what_cannot_be_summed_up_is_refused(wrong, said: str) -> None:  # type: ignore[no-untyped-def] # one line each
    with pytest.raises(ValueError, match=said):
        summarise(wrong(measure_series(series_result("A-1", true=((40, 60),)))))


def test_one_alarm_over_everything_wins_by_overlap_and_loses_elsewhere() -> None:
    figures = measure_series(everything(series_result("A-1", true=((400, 440),), rows=4000)))

    assert figures.events.f1 == 1.0
    assert figures.flagged_share == 1.0
    assert figures.f1 is not None
    assert figures.f1 < 0.03
    assert figures.final is not None
    assert figures.final.vus_pr < 0.03
    assert figures.final.auc == 0.5


def test_no_alarm_finds_nothing() -> None:
    figures = measure_series(nothing(series_result("A-1", true=((400, 440),), rows=4000)))

    assert (figures.events.f1, figures.f1, figures.flagged_share) == (0.0, 0.0, 0.0)
    assert figures.affiliation is not None
    assert figures.affiliation.f1 == 0.0


def test_chance_is_the_same_each_time_and_another_for_another_series() -> None:
    one, other = series_result("A-1", rows=4000), series_result("A-2", rows=4000)

    assert np.array_equal(chance(one).final, chance(one).final)
    assert np.array_equal(chance(one).flags, chance(one).flags)
    assert not np.array_equal(chance(one).final, chance(other).final)
    share = np.mean([chance(series_result(f"R-{n}", rows=4000)).flags.mean() for n in range(50)])
    assert share == pytest.approx(CHANCE_SHARE, abs=0.02)


def test_trivial_rows_have_their_names_and_nothing_of_the_model() -> None:
    result = series_result("A-1", true=((40, 60),), found=((45, 50),))

    found = trivial_results(replace(result, wait_rows=99))

    assert tuple(one.model for one in found) == TRIVIAL
    assert all(one.true == result.true and one.wait_rows == 0 for one in found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"final": np.zeros(3)}, r"final has the shape \(3,\)", id="length"),
        pytest.param({"threshold": np.zeros(3)}, "threshold has the shape", id="thresholds"),
        pytest.param({"true": ((5, 5),)}, r"\[5, 5\) does not lie", id="empty"),
        pytest.param({"true": ((5, 500),)}, r"\[5, 500\) does not lie", id="outside"),
        pytest.param({"true": ((5, 9), (8, 12))}, "overlap", id="overlap"),
    ],
)
def test_a_result_that_nothing_could_be_computed_from_is_refused(
    change: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        replace(series_result("A-1"), **change)  # type: ignore[arg-type] # wrong on purpose

    assert "SMAP A-1" in str(refused.value)
