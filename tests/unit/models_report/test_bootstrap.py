from __future__ import annotations

import numpy as np
import pytest

from models.artifact.metrics import Metrics
from models.evaluation.intervals import proportion_interval
from models.evaluation.measure import Scored, measure
from models.report.bootstrap import (
    LEVEL_METRICS,
    LEVELS,
    Resamples,
    difference,
    draw_engines,
    draws,
    interval,
    intervals,
)
from models.scoring.scorer import Thresholds
from tests.support.scored import resampled, scored, windows_of


def plain_metrics(source: Scored) -> Metrics:
    windows = windows_of(source.units, source.cycles, source.rul)
    return measure(windows, source.scores, source.thresholds)


def test_every_engine_drawn_once_gives_the_metrics_themselves() -> None:
    source = scored([150, 180, 200], noise=20.0)
    once = Resamples(np.array([1, 2, 3]), np.ones((1, 3)))

    found = draws(source, once)

    metrics = plain_metrics(source)
    assert found["auc"][0] == pytest.approx(metrics.auc, abs=1e-12)
    assert found["pr_auc"][0] == pytest.approx(metrics.pr_auc, abs=1e-12)
    for level in LEVELS:
        for name in LEVEL_METRICS:
            expected = getattr(getattr(metrics, level), name)
            assert found[f"{level}.{name}"][0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "rounded", [pytest.param(False, id="distinct"), pytest.param(True, id="ties")]
)
def test_a_resample_gives_what_the_engines_really_repeated_give(rounded: bool) -> None:
    source = scored([140, 150, 180, 200, 160], noise=25.0)
    if rounded:
        coarse = np.round(source.scores / 20) * 20
        source = Scored(source.units, source.cycles, source.rul, coarse, source.thresholds)
    resamples = draw_engines(source.units, 15, seed=1)

    found = draws(source, resamples)

    for i, weights in enumerate(resamples.weights):
        metrics = plain_metrics(resampled(source, weights))
        assert found["auc"][i] == pytest.approx(metrics.auc, abs=1e-9)
        assert found["pr_auc"][i] == pytest.approx(metrics.pr_auc, abs=1e-9)
        for level in LEVELS:
            for name in LEVEL_METRICS:
                expected = getattr(getattr(metrics, level), name)
                assert found[f"{level}.{name}"][i] == pytest.approx(expected, abs=1e-9), name


def test_whole_engines_are_drawn_not_windows() -> None:
    # one engine of two is all wrong: drawing windows would hardly ever miss it, engines do
    lives = [160, 160]
    source = scored(lives)
    scores = np.where(source.units == 1, -source.rul, -1000.0)
    source = scored(lives, scores.astype(float))

    recall = draws(source, draw_engines(source.units, 400))["critical.recall"]

    assert set(np.unique(recall)) == {0.0, 0.5, 1.0}
    assert np.mean(recall == 0.0) == pytest.approx(0.25, abs=0.08)


def test_more_windows_of_the_same_engines_do_not_narrow_the_interval() -> None:
    few = scored([150, 170, 190, 210, 160, 180], noise=30.0)
    many = Scored(
        np.repeat(few.units, 4),
        np.repeat(few.cycles, 4),
        np.repeat(few.rul, 4),
        np.repeat(few.scores, 4),
        few.thresholds,
    )
    resamples = draw_engines(few.units, 300)

    first, second = (intervals(draws(source, resamples), source)["auc"] for source in (few, many))

    assert first is not None
    assert second is not None
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=1e-12)
    assert first.low < first.high


def test_same_seed_same_draws() -> None:
    units = np.repeat(np.arange(5, 25), 3)

    first, again, other = (draw_engines(units, 50, seed=seed) for seed in (4, 4, 5))

    assert (first.weights == again.weights).all()
    assert (first.weights != other.weights).any()
    assert first.units.tolist() == list(range(5, 25))
    assert (first.weights.sum(axis=1) == 20).all()


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    rng = np.random.default_rng(0)
    n = 60
    lead_of = rng.integers(5, 26, n)
    lives = [130] * n
    # scores reach the threshold from a life left of `lead_of + 2`: the third in a row is the lead
    source = scored(lives)
    scores = np.where(source.rul <= lead_of[source.units - 1] + 2, 1.0, 0.0)
    source = scored(lives, scores, thresholds=Thresholds(1.0, 1.0))

    found = intervals(draws(source, draw_engines(source.units, 4000)), source)["critical.lead_mean"]

    half = 1.96 * lead_of.std() / np.sqrt(n)
    assert found is not None
    assert found.low == pytest.approx(lead_of.mean() - half, abs=0.15)
    assert found.high == pytest.approx(lead_of.mean() + half, abs=0.15)


def test_a_difference_is_paired() -> None:
    """Two models that fail on the same engines differ reliably, though each one varies a lot."""
    model = scored([180] * 12, noise=40.0)
    worse = Scored(
        model.units,
        model.cycles,
        model.rul,
        model.scores - 2.0 * (model.rul < 31),
        model.thresholds,
    )
    resamples = draw_engines(model.units, 500)
    first, second = draws(model, resamples), draws(worse, resamples)
    values = plain_metrics(model), plain_metrics(worse)

    found = difference("auc", {"auc": values[0].auc}, {"auc": values[1].auc}, first, second)

    own, other = interval(first["auc"]), interval(second["auc"])
    assert found is not None
    assert own is not None
    assert other is not None
    assert own.low < other.high  # unpaired, the two overlap
    assert found.significant
    assert found.value > 0


def test_a_model_is_not_significantly_better_than_itself() -> None:
    model = scored([180] * 8, noise=40.0)
    found = draws(model, draw_engines(model.units, 100))

    same = difference("auc", {"auc": 0.9}, {"auc": 0.9}, found, found)

    assert same is not None
    assert same.value == 0.0
    assert not same.significant


def test_without_faulty_windows_there_is_no_ranking_but_false_alarms() -> None:
    source = scored([100, 120], left=100)

    found = intervals(draws(source, draw_engines(source.units, 200)), source)

    assert found["auc"] is None
    assert found["pr_auc"] is None
    assert found["critical.f1"] is None
    assert found["critical.lead_mean"] is None
    assert found["warning.false_alarms_per_1000"] is not None


def test_a_metric_defined_in_few_resamples_has_no_interval() -> None:
    assert interval(np.array([np.nan, np.nan, np.nan, 1.0])) is None
    assert interval(np.array([np.nan, 1.0, 2.0, 1.0])) is not None


def test_no_interval_has_width_zero_however_good_a_model_is() -> None:
    lives = [200] * 10
    source = scored(lives)
    perfect = scored(lives, np.where(source.rul <= 30, 9.0, 0.0), thresholds=Thresholds(1.0, 1.0))

    found = intervals(draws(perfect, draw_engines(perfect.units, 200)), perfect)

    widths = {name: each.high - each.low for name, each in found.items() if each is not None}
    assert min(widths.values()) > 0.1
    assert found["critical.recall"] == proportion_interval(10, 10)
    assert found["warning.lead_mean"] is None  # all alike: nothing to say of the spread
    false = found["warning.false_alarms_per_1000"]
    assert false is not None
    assert (false.low, false.high) == pytest.approx((0.0, 277.5), abs=0.1)


def test_engines_that_were_not_drawn_are_refused() -> None:
    with pytest.raises(ValueError, match="not among the resampled"):
        draws(scored([40, 40]), Resamples(np.array([1]), np.ones((1, 1))))


@pytest.mark.parametrize(("units", "n"), [([], 10), ([1, 2], 0)])
def test_nothing_to_draw_is_refused(units: list[int], n: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        draw_engines(np.array(units, np.int64), n)
