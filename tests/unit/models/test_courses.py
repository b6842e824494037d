"""Sums over time add one reading after another, however the windows came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scoring.channel import CHANNEL_PARAMS, channel_score
from models.scoring.history import alone
from models.scoring.life import life_features
from models.scoring.measures.courses import Courses, by_time, slope_weights, weighed
from models.scoring.scores import SCORES, score_windows

LENGTHS, SEEDS = st.integers(1, 40), st.integers(0, 99)


@given(n=st.integers(1, 5), length=LENGTHS, channels=st.integers(2, 20), seed=SEEDS)
def test_one_reading_is_added_after_another(n: int, length: int, channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    windows, weights = rng.normal(size=(n, length, channels)) * 1e3, rng.normal(size=length)
    by_hand, plain = windows[:, 0] * weights[0], windows[:, 0].copy()
    for at in range(1, length):
        by_hand = by_hand + windows[:, at] * weights[at]
        plain += windows[:, at]

    np.testing.assert_array_equal(weighed(by_time(windows), weights), by_hand)
    np.testing.assert_array_equal(weighed(by_time(windows[-1:]), weights), by_hand[-1:])
    np.testing.assert_array_equal(np.add.reduce(by_time(windows), axis=0), plain)


@given(n=st.integers(1, 5), length=LENGTHS, seed=SEEDS)
def test_a_single_channel_is_added_as_if_its_window_stood_alone(
    n: int, length: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    windows, weights = rng.normal(size=(n, length, 1)), rng.normal(size=length)

    rows = by_time(windows)

    for index, window in enumerate(windows[:, :, 0]):
        assert weighed(rows, weights)[index, 0] == (window * weights).sum()
        assert np.add.reduce(rows, axis=0)[index, 0] == window.sum()


@given(n=st.integers(0, 4), length=LENGTHS, channels=st.integers(1, 5), seed=SEEDS)
def test_courses_are_the_windows_time_first(n: int, length: int, channels: int, seed: int) -> None:
    windows = np.random.default_rng(seed).normal(size=(n, length, channels)).astype(np.float32)

    rows = by_time(np.asfortranarray(windows))

    np.testing.assert_array_equal(rows, windows.transpose(1, 0, 2))
    assert rows.dtype == np.float64


@pytest.mark.parametrize("channels", [1, 3])
def test_evidence_of_measured_windows_is_the_same_to_the_bit(channels: int) -> None:
    rng = np.random.default_rng(channels)
    windows = rng.normal(size=(9, 12, channels)).astype(np.float32)
    expected = windows * np.float32(0.4)
    courses = Courses.of(windows)

    for score in (score for score in SCORES.values() if score.of_courses):
        params = {name: np.full(channels, 0.7) for name in score.param_names}
        came = score_windows(score, windows, expected, params, courses)
        alone_came = score_windows(score, windows, expected, params)
        assert came.scores.tobytes() == alone_came.scores.tobytes()
        assert came.shares.tobytes() == alone_came.shares.tobytes()
    params = {name: np.full(channels, 0.7) for name in CHANNEL_PARAMS}
    found = [channel_score(windows, params, known) for known in (courses, None)]
    assert found[0].channels.tobytes() == found[1].channels.tobytes()
    wear, trail = np.ones(channels), alone(windows)
    features = [life_features(windows, trail, wear, known) for known in (courses, None)]
    assert features[0].tobytes() == features[1].tobytes()


def test_courses_less_what_was_expected_are_those_of_the_residual() -> None:
    windows = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    expected = np.ones_like(windows)

    found = Courses.of(windows).less(expected)

    np.testing.assert_array_equal(found.rows, by_time(windows - expected))
    np.testing.assert_array_equal(found.levels, (windows - expected).mean(axis=1))
    np.testing.assert_allclose(found.slopes, 3.0)


def test_a_slope_s_weights_are_shared_and_so_cannot_be_changed() -> None:
    assert slope_weights(1).tolist() == [0.0]
    with pytest.raises(ValueError, match="read-only"):
        slope_weights(5)[0] = 1.0
