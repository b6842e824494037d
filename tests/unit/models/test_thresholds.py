from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from models.thresholding.peaks_over_threshold import MIN_EXCEEDANCES
from models.thresholding.rule import STRATEGIES, WARNING_RULE, Rule, parse_rule
from models.thresholding.strategies import CalibrationScores

QUANTILE = Rule("quantile")


def data(scores: list[float], faulty: list[bool]) -> CalibrationScores:
    labels = np.array(faulty)
    return CalibrationScores(
        np.array(scores, np.float64), np.zeros(len(scores), np.int64), ~labels, labels
    )


def f1_at(threshold: float, scores: NDArray[np.float64], faulty: NDArray[np.bool_]) -> float:
    return float(f1_score(faulty, scores >= threshold))


@example(rows=[(0, False), (0, False), (0, True), (1, False), (1, False), *[(1, True)] * 3])
@given(
    rows=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40).filter(
        lambda rows: any(faulty for _, faulty in rows)
    )
)
def test_best_f1_is_the_best_of_all_observed_scores(rows: list[tuple[int, bool]]) -> None:
    calibration = data([float(score) for score, _ in rows], [faulty for _, faulty in rows])

    chosen = Rule("best_f1").choose(calibration).value

    scores, faulty = calibration.scores, calibration.faulty
    f1s = {candidate: f1_at(candidate, scores, faulty) for candidate in np.unique(scores)}
    best = max(f1s.values())
    assert f1s[chosen] == pytest.approx(best)
    assert not any(f1 > best - 1e-12 for candidate, f1 in f1s.items() if candidate > chosen)


def test_a_score_at_the_threshold_counts_as_anomalous() -> None:
    chosen = Rule("best_f1").choose(data([1.0, 2.0, 3.0, 3.0], [False, False, True, True])).value

    assert chosen == 3.0


def test_the_quantile_looks_at_healthy_windows_alone() -> None:
    healthy = np.linspace(0, 1, 101).tolist()

    chosen = QUANTILE.choose(data([*healthy, *[50.0] * 200], [False] * 101 + [True] * 200)).value

    assert chosen == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("rule", "faulty", "message"),
    [
        pytest.param(QUANTILE, [True], "no healthy window", id="nothing healthy"),
        pytest.param(Rule("best_f1"), [False], "no faulty window", id="nothing faulty"),
        pytest.param(Rule("guess"), [True], "'guess' came; one of", id="unknown strategy"),
    ],
)
def test_what_a_rule_cannot_use_is_refused(rule: Rule, faulty: list[bool], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule.choose(data([1.0], faulty))


def fleet_scores(seed: int = 0, engines: int = 20, odd: int = 0) -> CalibrationScores:
    """Engines of 100 healthy and 20 faulty windows; the first ``odd`` look faulty when healthy."""
    rng = np.random.default_rng(seed)
    scores, units, faulty = [], [], []
    for unit in range(1, engines + 1):
        healthy = rng.normal(size=100) + (50.0 if unit <= odd else 0.0)
        scores.append(np.concatenate([healthy, rng.normal(size=20) + 6]))
        units.append(np.full(120, unit))
        faulty.append(np.arange(120) >= 100)
    labels = np.concatenate(faulty)
    return CalibrationScores(np.concatenate(scores), np.concatenate(units), ~labels, labels)


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_gives_a_finite_threshold_with_a_reason(name: str) -> None:
    choice = Rule(name).choose(fleet_scores())

    assert np.isfinite(choice.value)
    assert 0 < choice.windows <= 20 * 120
    assert choice.reason
    assert not choice.reason.endswith(".")


def test_robust_quantile_is_hardly_moved_by_an_odd_engine_and_quantile_is() -> None:
    calm, odd = fleet_scores(), fleet_scores(odd=1)

    moved = {
        name: Rule(name).choose(odd).value - Rule(name).choose(calm).value
        for name in ("quantile", "robust_quantile")
    }

    assert moved["quantile"] > 40
    assert abs(moved["robust_quantile"]) < 0.5


def test_robust_quantile_is_the_median_of_engines_plus_their_spread() -> None:
    scores = np.concatenate([np.full(10, level) for level in (1.0, 2.0, 4.0)])
    units = np.repeat([1, 2, 3], 10)
    healthy = np.ones(30, np.bool_)

    rule = Rule("robust_quantile", {"q": 0.5, "spread": 2.0})
    chosen = rule.choose(CalibrationScores(scores, units, healthy, ~healthy))

    assert chosen.value == pytest.approx(2.0 + 2 * 1.4826 * 1.0)


def test_capped_quantile_is_the_pooled_one_unless_few_engines_decide_that() -> None:
    calm, odd = fleet_scores(), fleet_scores(odd=1)

    assert WARNING_RULE.choose(calm).value == QUANTILE.choose(calm).value
    capped = WARNING_RULE.choose(odd)
    assert capped.value == Rule("robust_quantile", {"spread": 3.0}).choose(odd).value
    assert "due to few assets" in capped.reason


def test_zscore_is_mean_plus_k_deviations_of_healthy_windows() -> None:
    calibration = fleet_scores()
    healthy = calibration.scores[calibration.healthy]

    chosen = Rule("zscore", {"k": 2.5}).choose(calibration).value

    assert chosen == pytest.approx(healthy.mean() + 2.5 * healthy.std())


def test_precision_floor_has_the_precision_and_no_lower_threshold_has_too() -> None:
    calibration = fleet_scores()
    scores, faulty = calibration.scores, calibration.faulty

    chosen = Rule("precision_floor", {"precision": 0.95}).choose(calibration).value

    assert faulty[scores >= chosen].mean() >= 0.95
    assert not any(
        faulty[scores >= lower].mean() >= 0.95 for lower in np.unique(scores[scores < chosen])
        if (faulty & (scores >= lower)).sum() > (faulty & (scores >= chosen)).sum()
    )  # fmt: skip


def test_precision_floor_out_of_reach_says_so() -> None:
    choice = Rule("precision_floor", {"precision": 1.0}).choose(
        data([1.0, 2.0, 3.0], [False, True, False])
    )

    assert choice.reason.startswith("no threshold is 1 precise")


@given(per_1000=st.floats(0, 50))
def test_alarm_budget_keeps_to_its_budget_and_no_lower_threshold_does(per_1000: float) -> None:
    calibration = fleet_scores()
    healthy = calibration.scores[calibration.healthy]

    rule = Rule("alarm_budget", {"per_1000": per_1000, "coverage": 0.0})
    chosen = rule.choose(calibration).value

    assert (healthy >= chosen).mean() * 1000 <= per_1000
    next_lower = healthy[healthy < chosen].max()
    assert (healthy >= next_lower).mean() * 1000 > per_1000


def test_alarm_budget_is_overspent_to_cover_enough_engines_and_says_so() -> None:
    calibration = fleet_scores(odd=10)

    choice = Rule("alarm_budget", {"per_1000": 0.0, "coverage": 1.0}).choose(calibration)

    peaks = [
        calibration.scores[calibration.faulty & (calibration.units == unit)].max()
        for unit in range(1, 21)
    ]
    assert choice.value == pytest.approx(min(peaks))
    assert "too few assets" in choice.reason


def test_pot_finds_the_quantile_of_a_known_tail_beyond_most_of_the_data() -> None:
    healthy = np.random.default_rng(1).exponential(size=5000)
    calibration = data(healthy.tolist(), [False] * 5000)

    choice = Rule("pot", {"risk": 1e-4}).choose(calibration)

    assert choice.value == pytest.approx(-np.log(1e-4), rel=0.25)
    assert "generalised Pareto" in choice.reason


def test_pot_says_when_there_is_too_little_to_model() -> None:
    n = MIN_EXCEEDANCES * 20 - 40  # 5 % of which are too few
    calibration = data(np.linspace(0, 1, n).tolist(), [False] * n)

    choice = Rule("pot", {"risk": 0.01}).choose(calibration)

    assert choice.value == pytest.approx(0.99)
    assert "too few to model the tail" in choice.reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("guess", "one of quantile", id="strategy"),
        pytest.param("quantile:k=1", "option 'k' came", id="option"),
        pytest.param("quantile:q=2", "0 to 1 was expected", id="limits"),
        pytest.param("quantile:q=much", "option=number", id="number"),
        pytest.param("quantile:q=nan", "0 to 1 was expected", id="nan"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_rule(text)


def test_a_rule_is_read_with_its_options() -> None:
    rule = parse_rule("alarm_budget:per_1000=2,coverage=0.9")

    assert rule == Rule("alarm_budget", {"per_1000": 2.0, "coverage": 0.9})


def test_pieces_give_one_asset_a_deviation_of_its_own() -> None:
    scores = np.random.default_rng(3).normal(size=500)
    everywhere = np.ones(500, np.bool_)
    one = CalibrationScores(scores, np.ones(500, np.int64), everywhere, ~everywhere)

    whole, pieces = (
        Rule("robust_quantile", {"spread": 3.0, "pieces": n}).choose(one) for n in (1.0, 5.0)
    )

    assert whole.value == pytest.approx(np.quantile(scores, 0.99))
    own = np.array([np.quantile(part, 0.99) for part in np.split(scores, 5)])
    median = np.median(own)
    expected = median + 3 * 1.4826 * np.median(np.abs(own - median))
    assert pieces.value == pytest.approx(expected)
    assert "5 pieces of the assets" in pieces.reason


def test_more_pieces_than_windows_are_left_empty() -> None:
    few = CalibrationScores(
        np.array([1.0, 2.0]), np.array([1, 1]), np.array([True, True]), np.array([False, False])
    )

    assert Rule("robust_quantile", {"pieces": 50.0, "spread": 0.0}).choose(few).value == 1.5
