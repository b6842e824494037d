"""The promises every score keeps. A new entry of ``SCORES`` is tested here without a new line."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.scoring.measures.contributions import ScoreParams
from models.scoring.scorer import WindowScores
from models.scoring.scores import SCORES, Score, directions, score_windows, shares
from models.scoring.windows import sliding_windows
from models.training.score_fits import fit_params

LENGTH, CHANNELS = 30, 14
Windows = NDArray[np.float32]
EVERY_SCORE = pytest.mark.parametrize("score", SCORES.values(), ids=SCORES.keys())
FORESTS = ("iforest", "iforest_flat", "iforest_rolling")
"""What random splits isolate, they isolate in steps: further out is not always a shorter path."""

SEVERAL_STATES = ("nearest_healthy", "nearest_window", "three_views")
"""Knows many places that are healthy: further from one may be nearer to another."""

UNREST = "difference"
"""Looks at changes alone: a level that is shifted throughout the window is none."""

EVERY_SMOOTH_SCORE = pytest.mark.parametrize(
    "score",
    [score for name, score in SCORES.items() if name not in FORESTS + SEVERAL_STATES],
    ids=[name for name in SCORES if name not in FORESTS + SEVERAL_STATES],
)


def random_windows(seed: int, n: int = 16) -> Windows:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, LENGTH, CHANNELS)).astype(np.float32)


def what_is_expected(score: Score, windows: Windows) -> Windows:
    """A stand-in for a network, which rebuilds half of what it sees; else the healthy mean."""
    return windows * np.float32(0.5) if score.uses_network else np.zeros_like(windows)


@cache
def fitted(name: str) -> ScoreParams:
    score = SCORES[name]
    healthy = random_windows(99, 200)
    return fit_params(score, healthy, what_is_expected(score, healthy))


@pytest.fixture(scope="module", autouse=True)
def everything_fitted() -> None:
    """Fit before any test, lest the first example of a property be blamed for taking long."""
    for name in SCORES:
        fitted(name)


def scored(score: Score, windows: Windows, expected: Windows | None = None) -> WindowScores:
    rebuilt = what_is_expected(score, windows) if expected is None else expected
    return score_windows(score, windows, rebuilt, fitted(score.name))


FINITE = hnp.arrays(
    np.float32,
    (3, LENGTH, CHANNELS),
    elements=st.floats(-1e6, 1e6, width=32),
    fill=st.floats(-1e6, 1e6, width=32),
)


@EVERY_SCORE
@given(windows=FINITE)
def test_scores_are_finite_and_shares_sum_to_one(score: Score, windows: Windows) -> None:
    result = scored(score, windows)

    assert result.scores.dtype == np.float64
    assert result.scores.shape == (3,)
    assert np.isfinite(result.scores).all()
    assert result.shares.shape == (3, CHANNELS)
    assert ((result.shares >= 0) & (result.shares <= 1)).all()
    np.testing.assert_allclose(result.shares.sum(axis=1), 1.0, atol=1e-9)
    assert set(np.unique(result.directions)) <= {-1, 1}


@EVERY_SCORE
def test_inputs_are_left_alone(score: Score) -> None:
    windows = random_windows(1)
    expected = what_is_expected(score, windows)
    before = windows.copy(), expected.copy()

    scored(score, windows, expected)

    assert np.array_equal(windows, before[0])
    assert np.array_equal(expected, before[1])


@EVERY_SCORE
@given(n=st.integers(1, 70), seed=st.integers(0, 5))
def test_a_batch_equals_its_windows_one_by_one(score: Score, n: int, seed: int) -> None:
    windows = random_windows(seed, n)

    whole = scored(score, windows)
    single = [scored(score, windows[i : i + 1]) for i in range(n)]

    scores = np.concatenate([part.scores for part in single])
    np.testing.assert_allclose(whole.scores, scores, rtol=1e-13)
    parts = np.concatenate([part.shares for part in single])
    np.testing.assert_allclose(whole.shares, parts, rtol=1e-13)
    assert np.array_equal(whole.directions, np.concatenate([part.directions for part in single]))


@EVERY_SMOOTH_SCORE
@given(seed=st.integers(0, 50), factor=st.floats(1.01, 100.0))
def test_a_worse_window_never_scores_lower(score: Score, seed: int, factor: float) -> None:
    windows = random_windows(seed)
    expected = what_is_expected(score, windows)
    worse = (expected + (windows - expected) * np.float32(factor)).astype(np.float32)

    assert (scored(score, worse, expected).scores >= scored(score, windows, expected).scores).all()


@pytest.mark.parametrize("name", FORESTS + SEVERAL_STATES)
@given(seed=st.integers(0, 50))
def test_far_out_windows_score_above_healthy_ones(name: str, seed: int) -> None:
    windows = random_windows(seed)

    near, far = (scored(SCORES[name], (windows * f).astype(np.float32)) for f in (1, 20))

    assert far.scores.mean() > near.scores.max()


@EVERY_SMOOTH_SCORE
def test_a_perfect_window_has_the_lowest_score_and_equal_shares(score: Score) -> None:
    windows = np.zeros((1, LENGTH, CHANNELS), np.float32)

    result = scored(score, windows, windows)

    assert result.scores[0] <= scored(score, random_windows(3)).scores.min()
    np.testing.assert_allclose(result.shares, 1 / CHANNELS)


@pytest.mark.parametrize("name", FORESTS + SEVERAL_STATES)
def test_the_disturbed_channel_is_credited_most(name: str) -> None:
    windows = random_windows(4, 200)
    windows[:, :, 3] -= 20.0

    assert scored(SCORES[name], windows).shares.mean(axis=0).argmax() == 3


@EVERY_SMOOTH_SCORE
def test_the_disturbed_channel_gets_the_largest_share_and_its_direction(score: Score) -> None:
    windows = random_windows(4, 1)
    expected = np.zeros_like(windows)
    for channel, by in ((3, -20.0), (5, 10.0)):  # a level and unrest: some look at one of them
        windows[:, :, channel] += by
        windows[:, ::2, channel] += by / 4

    result = scored(score, windows, expected)

    assert np.argsort(result.shares[0])[-2:].tolist() == [5, 3]
    assert result.directions[0, 3] == -1
    assert result.directions[0, 5] == 1


def test_unrest_is_credited_to_the_channel_that_moves_most() -> None:
    windows = random_windows(4, 1)
    windows[:, ::2, 3] -= 20.0

    assert scored(SCORES[UNREST], windows).shares[0].argmax() == 3


@EVERY_SCORE
def test_no_windows_give_no_scores(score: Score) -> None:
    result = scored(score, random_windows(0, 0))

    assert result.scores.shape == (0,)
    assert result.shares.shape == (0, CHANNELS)


@EVERY_SCORE
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_refused(score: Score, value: float) -> None:
    windows = random_windows(0)
    windows[2, 7, 1] = value

    with pytest.raises(ValueError, match="not finite"):
        scored(score, windows, np.zeros_like(windows))


@EVERY_SCORE
def test_axes_in_another_order_are_refused(score: Score) -> None:
    windows = random_windows(0)

    with pytest.raises(ValueError, match="must be"):
        scored(score, windows, np.zeros_like(windows).transpose(0, 2, 1))


@EVERY_SCORE
def test_a_fit_gives_what_the_artifact_will_hold(score: Score) -> None:
    params = fitted(score.name)

    assert set(params) == score.param_names | score.array_names
    assert all(params[name].shape == (CHANNELS,) for name in score.param_names)
    score.check(params, LENGTH, CHANNELS)


@EVERY_SCORE
def test_the_same_seed_fits_the_same(score: Score) -> None:
    healthy = random_windows(99, 200)

    again = fit_params(score, healthy, what_is_expected(score, healthy))

    for name, values in fitted(score.name).items():
        assert np.array_equal(values, again[name])


@EVERY_SCORE
def test_a_view_scores_like_its_copy_to_the_bit(score: Score) -> None:
    rows = np.random.default_rng(5).normal(size=(60, CHANNELS)).astype(np.float32)
    view = sliding_windows(rows, LENGTH)

    result, copied = (scored(score, each, np.zeros(view.shape, np.float32))
                      for each in (view, view.copy()))  # fmt: skip

    assert np.array_equal(result.scores, copied.scores)
    assert np.array_equal(result.shares, copied.shares)


@EVERY_SCORE
def test_channels_in_another_order_give_other_shares(score: Score) -> None:
    """A score cannot know the order it is given; the manifest fixes it (test_artifact)."""
    windows = random_windows(7)
    windows[:, 1::2, 2] += 15.0  # a level and unrest: some scores look at one of them alone

    moved = scored(score, windows[:, :, ::-1].copy())

    assert moved.shares.mean(axis=0).argmax() == CHANNELS - 3


def test_mse_is_the_mean_square_over_cycles_and_channels() -> None:
    windows, expected = random_windows(1), random_windows(2)

    result = scored(SCORES["mse"], windows, expected)

    residuals = windows.astype(float) - expected
    np.testing.assert_allclose(result.scores, np.square(residuals).mean(axis=(1, 2)), rtol=1e-12)
    per_channel = np.square(residuals).mean(axis=1)
    np.testing.assert_allclose(
        result.shares, per_channel / per_channel.sum(axis=1, keepdims=True), rtol=1e-12
    )


def test_last_row_looks_at_the_last_row_alone() -> None:
    windows = random_windows(1)
    changed = windows.copy()
    changed[:, :-1] = 7.0

    first, second = (scored(SCORES["last_row"], each) for each in (windows, changed))

    assert np.array_equal(first.scores, second.scores)
    np.testing.assert_allclose(
        first.scores, np.square(windows[:, -1].astype(float)).mean(axis=1), rtol=1e-12
    )


@given(hnp.arrays(np.float64, (4, 5), elements=st.floats(0, 1e300)))
def test_shares_sum_to_one_for_any_contributions(contributions: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(shares(contributions).sum(axis=1), 1.0, atol=1e-9)


def test_a_direction_is_of_the_recent_rows_and_equality_reads_high() -> None:
    windows = np.zeros((1, 10, 3), np.float32)
    windows[0, :5] = 9.0
    windows[0, 5:, 1] = -0.1
    windows[0, 5:, 2] = 0.1

    assert directions(windows, np.zeros_like(windows)).tolist() == [[1, -1, 1]]
