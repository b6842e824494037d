"""Sums of weighed rows add one row after another, however the rows came."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.scoring.contributions import weighed_rows


@given(
    n=st.integers(1, 5),
    length=st.integers(1, 40),
    channels=st.integers(2, 20),
    seed=st.integers(0, 99),
)
def test_one_row_is_added_after_another(n: int, length: int, channels: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, weights = rng.normal(size=(n, length, channels)) * 1e3, rng.normal(size=length)
    by_hand = rows[:, 0] * weights[0]
    for at in range(1, length):
        by_hand = by_hand + rows[:, at] * weights[at]

    np.testing.assert_array_equal(weighed_rows(rows, weights), by_hand)
    np.testing.assert_array_equal(weighed_rows(rows[-1:], weights), by_hand[-1:])


@given(n=st.integers(1, 5), length=st.integers(1, 40), seed=st.integers(0, 99))
def test_a_single_channel_alone_is_as_in_a_batch(n: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, weights = rng.normal(size=(n, length, 1)), rng.normal(size=length)

    found = weighed_rows(rows, weights)

    np.testing.assert_array_equal(weighed_rows(rows[-1:], weights), found[-1:])
