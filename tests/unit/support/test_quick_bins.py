"""Bins that are found quickly are the same bins, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble._hist_gradient_boosting import binning
from sklearn.utils.stats import _weighted_percentile

from models.training.life.boosting import Growth, boosted_arrays, grow_boosted
from tests.support.quick_bins import quick_bins

GROWTH = Growth(trees=3, depth=3, seeds=1)


def grown() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(600, 4)).astype(np.float32)
    rows[:, 1] = rows[:, 1].round(1)  # values that come again
    rows[:, 2] = rows[:, 2].round()  # fewer values than bins
    target = (rows[:, 0] * 3.0 + rows[:, 1]).astype(np.float64)
    weights = rng.uniform(0.1, 9.0, 600)
    return dict(boosted_arrays([grow_boosted(rows, target, weights, GROWTH, 0)], GROWTH.depth))


def test_trees_are_the_same_to_the_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[int]()

    def counted(*args: Any, **kwargs: Any) -> Any:
        asked.append(np.size(args[2]))
        return _weighted_percentile(*args, **kwargs)

    monkeypatch.setattr(binning, "_weighted_percentile", counted)
    expected = grown()
    one_by_one = len(asked)
    asked.clear()

    with quick_bins():
        found = grown()

    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    assert len(asked) * 60 < one_by_one
    assert binning._weighted_percentile is counted
