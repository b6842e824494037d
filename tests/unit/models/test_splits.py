from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluation.splits import MIN_ENGINES, split_engines


@given(n=st.integers(MIN_ENGINES, 1000))
def test_every_engine_has_exactly_one_side(n: int) -> None:
    split = split_engines(n)
    units = np.arange(1, n + 1)

    sides = sum(
        part.holds(units).astype(int) for part in (split.fit, split.validate, split.heldout)
    )

    assert np.array_equal(sides, np.ones(n))
    assert min(len(split.fit), len(split.validate), len(split.heldout)) >= 1


def test_too_few_engines_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 5"):
        split_engines(4)
