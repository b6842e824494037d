"""When readings are due."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.pacing import Pace, due_until

OFFSETS = st.lists(st.floats(0, 1e6), min_size=1, max_size=50).map(sorted)
FACTORS = st.floats(0.01, 1e6)


@pytest.mark.parametrize(
    ("elapsed_s", "end"), [(0.0, 2), (0.99, 2), (1.0, 3), (1.5, 3), (100.0, 4)]
)
def test_a_reading_is_due_at_its_time_and_not_before(elapsed_s: float, end: int) -> None:
    offsets = [0.0, 0.0, 60.0, 120.0]

    assert due_until(offsets, 0, elapsed_s, Pace(60.0), at_most=10) == end


@given(OFFSETS, st.floats(0, 1e6), FACTORS, st.data())
def test_exactly_the_readings_whose_time_has_come_are_due(
    offsets: list[float], elapsed_s: float, factor: float, data: st.DataObject
) -> None:
    pace = Pace(factor)
    position = data.draw(st.integers(0, len(offsets)))
    at_most = data.draw(st.integers(1, 60))

    end = due_until(offsets, position, elapsed_s, pace, at_most)

    assert position <= end <= min(len(offsets), position + at_most)
    assert all(pace.due_s(offset) <= elapsed_s for offset in offsets[position:end])
    if end < len(offsets) and end - position < at_most:
        assert pace.due_s(offsets[end]) > elapsed_s


@given(OFFSETS, st.integers(1, 60))
def test_at_full_speed_everything_is_due_at_once(offsets: list[float], at_most: int) -> None:
    assert due_until(offsets, 0, 0.0, Pace(None), at_most) == min(at_most, len(offsets))


@given(st.floats(0, 1e6), FACTORS)
def test_twice_the_factor_is_half_the_wait(offset_s: float, factor: float) -> None:
    assert Pace(2 * factor).due_s(offset_s) == pytest.approx(Pace(factor).due_s(offset_s) / 2)
