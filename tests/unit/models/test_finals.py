"""Scores at once and for good, smoothing, rolling features and thresholds that follow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.scoring.finals import covering_means, final_after, provisional
from models.scoring.head import Head, tuned_head
from models.scoring.measures.change import changes
from models.scoring.rolling import rolling_mean_and_deviation
from models.scoring.smoothing import smoothed
from models.scoring.windows import sliding_windows
from models.thresholding.trailing import TrailingRule, trailing_thresholds

Floats = NDArray[np.float64]
SCORES = st.lists(st.floats(0, 1e6), min_size=1, max_size=60).map(np.array)


def windows_of(rows: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    ends = np.arange(length - 1, rows)
    return ends - (length - 1), ends


@given(st.integers(2, 12), st.integers(0, 30), st.integers(0, 1000))
def test_a_final_score_is_the_mean_of_all_windows_over_the_reading(
    length: int, more: int, seed: int
) -> None:
    rows = length + more
    begins, ends = windows_of(rows, length)
    scores = np.random.default_rng(seed).random(len(ends))

    found = covering_means(scores, begins, ends, rows)

    for row in range(rows):
        over = scores[(begins <= row) & (row <= ends)]
        assert found[row] == pytest.approx(over.mean(), rel=1e-12)


@given(st.integers(2, 12), st.integers(5, 30))
def test_a_final_score_is_not_changed_by_what_comes_later(length: int, more: int) -> None:
    rows = length + more
    begins, ends = windows_of(rows, length)
    scores = np.random.default_rng(1).random(len(ends))
    known = len(ends) - 3

    early = covering_means(scores[:known], begins[:known], ends[:known], rows)
    late = covering_means(scores, begins, ends, rows)

    done = ends[known - 1] - final_after(length) + 1
    assert np.array_equal(early[:done], late[:done])


def test_a_gap_leaves_no_score_where_no_window_is() -> None:
    begins, ends = np.array([0, 5]), np.array([2, 7])

    found = covering_means(np.array([1.0, 2.0]), begins, ends, 9)

    np.testing.assert_array_equal(found, [1, 1, 1, np.nan, np.nan, 2, 2, 2, np.nan])
    np.testing.assert_array_equal(
        provisional(np.array([1.0, 2.0]), ends, 9), [*[np.nan] * 2, 1, *[np.nan] * 4, 2, np.nan]
    )


@given(SCORES, st.floats(0.1, 50), st.data())
def test_smoothing_is_the_same_wherever_a_stream_is_cut(
    scores: Floats, half_life: float, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(scores)))

    whole = smoothed(scores, half_life)
    first = smoothed(scores[:cut], half_life)
    second = smoothed(scores[cut:], half_life, first[-1] if cut else None)

    assert np.array_equal(whole, np.concatenate([first, second]))


def test_a_score_counts_half_after_its_half_life() -> None:
    scores = np.concatenate([np.ones(1), np.zeros(8)])

    np.testing.assert_allclose(smoothed(scores, 4.0)[[0, 4, 8]], [1.0, 0.5, 0.25])


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=50).map(np.array), st.integers(1, 20),
    st.floats(-1e6, 1e6),
)  # fmt: skip
def test_rolling_features_are_those_of_the_latest_values(
    values: Floats, length: int, level: float
) -> None:
    means, deviations = rolling_mean_and_deviation(values + level, length)

    for row in range(len(values)):
        latest = values[max(0, row - length + 1) : row + 1]
        assert means[row] - level == pytest.approx(latest.mean(), abs=1e-6)
        assert deviations[row] == pytest.approx(latest.std(), abs=2e-3)


def test_a_change_is_what_a_reading_differs_from_the_one_before() -> None:
    windows = sliding_windows(np.array([[1.0], [4.0], [2.0]], np.float32), 3)

    assert changes(windows.astype(np.float64))[0, :, 0].tolist() == [3.0, -2.0]


@given(SCORES, st.integers(0, 1000))
def test_a_threshold_knows_only_what_came_before(scores: Floats, seed: int) -> None:
    rule = TrailingRule(length=20, every=3, fewest=5)
    past = np.random.default_rng(seed).random(30)
    changed = scores.copy()
    cut = len(scores) // 2
    changed[cut:] = 1e9

    before, after = (trailing_thresholds(each, past, rule) for each in (scores, changed))

    assert np.array_equal(before[: cut + 1], after[: cut + 1])


def test_a_threshold_gets_used_to_a_new_level_and_not_to_a_short_one() -> None:
    rule = TrailingRule(length=100, every=1, fewest=10)
    level = np.full(100, 1.0)
    burst, new = np.full(40, 10.0), np.full(160, 10.0)

    during_burst = trailing_thresholds(np.concatenate([burst, level]), level, rule)
    during_new = trailing_thresholds(new, level, rule)

    assert (burst >= during_burst[:40]).all()
    assert new[0] >= during_new[0]
    assert (new[120:] < during_new[120:]).all()


def test_a_threshold_that_knows_too_little_reports_nothing() -> None:
    rule = TrailingRule(fewest=10)

    found = trailing_thresholds(np.full(30, 5.0), np.full(3, np.nan), rule)

    assert np.isinf(found[:10]).all()
    assert np.isfinite(found[10:]).all()


@pytest.mark.parametrize("wrong", [{"length": 1}, {"k": -1.0}, {"every": 0}, {"least": 0.0}])
def test_a_rule_that_means_nothing_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="was expected"):
        TrailingRule(**wrong)  # type: ignore[arg-type] # what is out of bounds


def test_a_tuned_head_rebuilds_its_own_stream_better_and_starts_from_the_shared_one() -> None:
    rng = np.random.default_rng(3)
    states = rng.normal(size=(50, 10, 4)).astype(np.float32)
    shared = Head(rng.normal(size=(4, 1)), np.zeros(1))
    own = Head(shared.weights + 0.5, np.array([2.0]))
    target = own.expect(states).astype(np.float64)

    tuned = tuned_head(states, target - shared.expect(states), shared)
    same = tuned_head(states, np.zeros((50, 10, 1)), shared)

    assert np.abs(target - tuned.expect(states)).mean() < 0.05
    np.testing.assert_allclose(same.weights, shared.weights)
