from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.evaluation.life import (
    coverage_by_asset,
    coverage_interval,
    errors_of,
    first_warnings,
    held,
    held_by_life,
    holds,
    ranking,
)

CAP = 125.0


def test_late_predictions_cost_more_than_early_ones() -> None:
    life = np.array([50])

    late = errors_of(np.array([60.0]), life, CAP)
    early = errors_of(np.array([40.0]), life, CAP)

    assert late.rmse == early.rmse == 10.0
    assert late.score == pytest.approx(np.e - 1)
    assert early.score == pytest.approx(np.exp(10 / 13) - 1)


def test_truth_and_prediction_are_capped() -> None:
    assert errors_of(np.array([130.0]), np.array([300]), CAP).rmse == 0.0


def test_an_interval_that_ends_at_the_cap_holds_all_longer_lives() -> None:
    low, high = np.array([90.0, 90, 90]), np.array([125.0, 110, 125])

    assert holds(low, high, np.array([300, 300, 89]), CAP).tolist() == [True, False, False]
    units = np.array([1, 1, 2])
    assert held(low, high, np.array([300, 300, 89]), units, CAP).coverage == pytest.approx(1 / 3)


def test_every_life_is_in_one_bin() -> None:
    life = np.array([0, 1, 30, 31, 60, 61, 100, 101, 500])
    low, high = np.zeros(9), np.full(9, 125.0)

    found = held_by_life(low, high, life, np.arange(9), CAP)

    assert {name: part.n for name, part in found.items()} == {
        "0-30": 3, "30-60": 2, "60-100": 2, "100+": 2,
    }  # fmt: skip


def test_an_engine_without_a_warning_has_none_and_others_one() -> None:
    units = np.repeat([3, 5, 9], 5)
    scores = np.array([1, 1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1], float)

    marks = first_warnings(scores, units, 1.0, on_delay=3)

    assert np.flatnonzero(marks).tolist() == [2, 14]


def test_coverage_by_asset_counts_windows_of_each() -> None:
    units = np.array([7, 7, 7, 7, 2])

    found = coverage_by_asset(np.array([True, True, True, False, False]), units)

    assert found.tolist() == [0.0, 0.75]


def test_a_perfect_order_ranks_perfectly_and_equality_counts() -> None:
    life = np.array([100, 60, 30, 10])

    found = ranking(-life.astype(float), life, -30.0)

    assert found.f1 == found.precision == found.recall == found.average_precision == 1.0
    assert ranking(-life.astype(float), life, 0.0).f1 == 0.0


@given(
    inside=arrays(np.bool_, st.integers(1, 60)), owners=st.integers(1, 12), seed=st.integers(0, 99)
)
@example(np.ones(40, np.bool_), 4, 0)  # of four engines, Wilson's bound ends a bit below 1
def test_a_coverage_lies_within_its_interval_which_has_a_width(
    inside: NDArray[np.bool_], owners: int, seed: int
) -> None:
    units = np.random.default_rng(seed).integers(0, owners, len(inside))

    found = coverage_interval(inside, units)

    assert 0.0 <= found.low <= inside.mean() <= found.high <= 1.0
    assert found.high - found.low > 0.01


def test_windows_of_one_engine_count_as_few() -> None:
    engines = np.repeat([True, False], [9, 1])
    once = coverage_interval(engines, np.arange(10))

    copied = coverage_interval(np.repeat(engines, 200), np.repeat(np.arange(10), 200))
    independent = coverage_interval(np.repeat(engines, 200), np.arange(2000))

    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert independent.high - independent.low < 0.1 * (once.high - once.low)


def test_engines_that_are_all_held_alike_still_are_few() -> None:
    found = coverage_interval(np.ones(400, np.bool_), np.repeat(np.arange(20), 20))

    assert found.written(3) == ("0.839", "1.000")


def test_a_coverage_interval_holds_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    held_truth = 0
    for _ in range(400):
        parts = rng.beta(9.0, 1.0, 60)  # engines differ; on average .9 of their windows are held
        units = np.repeat(np.arange(60), 50)
        found = coverage_interval(rng.random(3000) < parts[units], units)
        held_truth += found.low <= 0.9 <= found.high

    assert 0.91 <= held_truth / 400 <= 0.98
