"""How long each channel has stood still, against a loop; and when that counts as frozen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from models.scoring.unmoved import MIN_FROZEN, frozen_after, unmoved_runs

FEW_VALUES = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 40), st.integers(1, 4)),
    elements=st.sampled_from([0.0, 1.0, np.nan]),
)


def by_hand(rows: NDArray[np.float32], end: int, channel: int, window_length: int) -> int:
    run = 1
    while run < window_length and end - run >= 0 and rows[end - run, channel] == rows[end, channel]:
        run += 1
    return run


@given(rows=FEW_VALUES, window_length=st.integers(1, 35), data=st.data())
def test_runs_are_those_of_a_loop(
    rows: NDArray[np.float32], window_length: int, data: st.DataObject
) -> None:
    ends = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=10)), np.int64)

    found = unmoved_runs(rows, ends, window_length)

    assert found.dtype == np.int64
    assert found.shape == (len(ends), rows.shape[1])
    expected = [
        [by_hand(rows, end, channel, window_length) for channel in range(rows.shape[1])]
        for end in ends.tolist()
    ]
    assert found.tolist() == expected


def test_a_frozen_channel_is_counted_across_regimes() -> None:
    rng = np.random.default_rng(0)
    regime = rng.integers(2, size=50)
    rows = (1000.0 * regime[:, None] + rng.normal(size=(50, 2))).astype(np.float32)
    rows[20:, 1] = rows[20, 1]

    assert unmoved_runs(rows, np.array([19, 20, 21, 49]), 30).tolist() == [
        [1, 1], [1, 1], [1, 2], [1, 30],
    ]  # fmt: skip


def test_the_difference_of_a_last_bit_is_a_movement() -> None:
    rows = np.array([[1.0], [1.0], [np.nextafter(np.float32(1), np.float32(2))]], np.float32)

    assert unmoved_runs(rows, np.arange(3), 30).ravel().tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("longest", "expected"),
    [
        pytest.param(1, MIN_FROZEN, id="lively"),
        pytest.param(10, 20, id="twice its longest run"),
        pytest.param(12, 24, id="longer than the least"),
        pytest.param(15, 30, id="a whole window"),
        pytest.param(16, 0, id="cannot be told"),
    ],
)
def test_a_channel_is_frozen_after_twice_its_longest_healthy_run(
    longest: int, expected: int
) -> None:
    rows = np.arange(100, dtype=np.float32)
    rows[40 : 40 + longest] = 7.5
    lively = np.arange(60, dtype=np.float32)

    found = frozen_after([lively[:, None], rows[:, None]], 30)

    assert found.tolist() == [expected]


def test_a_window_shorter_than_the_least_tells_nothing() -> None:
    assert frozen_after([np.arange(60, dtype=np.float32)[:, None]], 19).tolist() == [0]


def test_an_asset_without_readings_says_nothing() -> None:
    assert frozen_after([np.empty((0, 2), np.float32)], 30).tolist() == [20, 20]


def test_no_asset_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sound machine"):
        frozen_after([], 30)
