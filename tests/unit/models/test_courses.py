"""Sums over time add one reading after another, however the windows came."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.scoring.courses import by_time, weighed

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
