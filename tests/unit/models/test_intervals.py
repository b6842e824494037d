from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.intervals import Interval, proportion_interval


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        pytest.param(20, 20, 0.839, 1.0, id="all"),
        pytest.param(0, 20, 0.0, 0.161, id="none"),
        pytest.param(5, 10, 0.237, 0.763, id="half"),
    ],
)
def test_wilson_s_interval(hits: int, n: int, low: float, high: float) -> None:
    found = proportion_interval(hits, n)

    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-4)


def test_a_proportion_of_nothing_has_no_interval() -> None:
    assert proportion_interval(0, 0) is None


@given(n=st.integers(1, 10_000), part=st.floats(0.0, 1.0))
def test_it_holds_the_part_itself_and_has_a_width(n: int, part: float) -> None:
    found = proportion_interval(part * n, n)

    assert found is not None
    assert 0.0 <= found.low <= part + 1e-12
    assert part - 1e-12 <= found.high <= 1.0
    assert found.high - found.low > 1e-4


@given(low=st.floats(0.0, 1.0), width=st.floats(1e-5, 1.0), digits=st.integers(0, 4))
def test_bounds_never_read_alike(low: float, width: float, digits: int) -> None:
    first, second = Interval(low, low + width).written(digits)

    assert first != second
