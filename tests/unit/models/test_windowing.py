from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scoring.windows import WindowSet, complete_window_ends, sliding_windows


@given(n=st.integers(0, 40), length=st.integers(1, 12), channels=st.integers(1, 4))
def test_windows_are_every_run_of_consecutive_rows(n: int, length: int, channels: int) -> None:
    rows = np.arange(n * channels, dtype=np.float32).reshape(n, channels)

    windows = sliding_windows(rows, length)

    expected = [rows[start : start + length] for start in range(n - length + 1)]
    assert windows.shape == (max(0, n - length + 1), length, channels)
    assert all(np.array_equal(a, b) for a, b in zip(windows, expected, strict=True))


def test_windows_share_memory_with_the_rows_and_leave_them_alone() -> None:
    rows = np.zeros((50, 3), np.float32)

    windows = sliding_windows(rows, 30)

    assert np.shares_memory(windows, rows)
    assert not windows.flags.writeable


def test_windows_of_a_view_are_those_of_its_copy() -> None:
    rows = np.arange(240, dtype=np.float32).reshape(40, 6)

    for view in (rows[::-1], rows[::3, ::2], rows[:, ::-1], np.asfortranarray(rows), rows[5:-5]):
        assert np.array_equal(sliding_windows(view, 4), sliding_windows(view.copy(), 4))


@pytest.mark.parametrize(
    ("shape", "length"),
    [pytest.param((5,), 2, id="one axis"), pytest.param((5, 1), 0, id="no length")],
)
def test_impossible_windows_are_refused(shape: tuple[int, ...], length: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        sliding_windows(np.zeros(shape, np.float32), length)


@given(known=st.lists(st.booleans(), max_size=40), length=st.integers(1, 8))
def test_a_window_ends_only_where_all_its_rows_are_known(known: list[bool], length: int) -> None:
    ends = complete_window_ends(np.array(known, bool), length)

    expected = [
        end for end in range(length - 1, len(known)) if all(known[end - length + 1 : end + 1])
    ]
    assert ends.tolist() == expected


def test_a_window_set_keeps_its_columns_together() -> None:
    numbers = np.arange(4)
    windows = WindowSet(
        np.zeros((4, 2, 1), np.float32),
        numbers,
        numbers + 10,
        numbers + 20,
        numbers > 1,
        numbers < 1,
    )

    chosen = windows.where(numbers % 2 == 1)

    assert len(chosen) == 2
    assert chosen.units.tolist() == [1, 3]
    assert chosen.cycles.tolist() == [11, 13]
    assert chosen.life_left.tolist() == [21, 23]
    assert chosen.healthy.tolist() == [False, True]
    assert chosen.faulty.tolist() == [False, False]
