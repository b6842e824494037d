"""The threshold that healthy readings reach once in so many."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.thresholding.return_level import BLOCK, MIN_BLOCKS
from models.thresholding.rule import Rule
from models.thresholding.strategies import CalibrationScores


def healthy(
    scores: NDArray[np.float64], units: NDArray[np.int64] | None = None
) -> CalibrationScores:
    everywhere = np.ones(len(scores), np.bool_)
    return CalibrationScores(
        scores, np.zeros(len(scores), np.int64) if units is None else units, everywhere, ~everywhere
    )


def exponential(seed: int, blocks: int) -> NDArray[np.float64]:
    """Independent scores whose true level is known: reached once in n, it is log(n)."""
    return np.random.default_rng(seed).exponential(size=blocks * BLOCK)


@pytest.mark.parametrize("readings", [1e4, 1e5, 1e7])
def test_it_finds_a_level_beyond_the_data(readings: float) -> None:
    rule = Rule("return_level", {"readings": readings})

    found = [rule.choose(healthy(exponential(seed, 100))).value for seed in range(20)]

    assert np.median(found) == pytest.approx(np.log(readings), rel=0.1)


def test_a_rarer_level_is_a_higher_one() -> None:
    data = healthy(exponential(1, MIN_BLOCKS))

    levels = [
        Rule("return_level", {"readings": n}).choose(data).value for n in (1e3, 1e4, 1e5, 1e6)
    ]

    assert levels == sorted(set(levels))


def test_one_odd_block_moves_it_little() -> None:
    scores = exponential(2, 50)
    odd = scores.copy()
    odd[:BLOCK] += 1000.0
    rule = Rule("return_level")

    assert rule.choose(healthy(odd)).value < 1.1 * rule.choose(healthy(scores)).value


def test_few_windows_are_judged_by_the_robust_quantile_and_this_is_said() -> None:
    data = healthy(exponential(3, MIN_BLOCKS)[: MIN_BLOCKS * BLOCK - 1])

    choice = Rule("return_level", {"spread": 2.0}).choose(data)

    stand_in = Rule("robust_quantile", {"spread": 2.0, "pieces": 5.0}).choose(data)
    assert choice.value == stand_in.value
    assert choice.reason.startswith("5999 healthy windows are too few")
    assert choice.reason.endswith(stand_in.reason)


def test_many_short_assets_are_no_tail() -> None:
    scores = exponential(4, 40)
    units = np.arange(len(scores)) // (BLOCK - 1)

    assert "too few" in Rule("return_level").choose(healthy(scores, units)).reason


def test_equal_scores_have_themselves_as_level() -> None:
    assert Rule("return_level").choose(healthy(np.full(BLOCK * MIN_BLOCKS, 0.5))).value == 0.5


def test_no_healthy_window_is_refused() -> None:
    nothing = np.zeros(0)
    with pytest.raises(ValueError, match="no healthy window"):
        Rule("return_level").choose(healthy(nothing))
