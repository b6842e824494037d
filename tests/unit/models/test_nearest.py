from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.scoring.measures import nearest
from models.scoring.measures.contributions import ScoreParams
from models.scoring.scores import SCORES, score_windows
from models.training.score_fits import fit_params

SCORE = SCORES["nearest_healthy"]
LENGTH = 10
Windows = NDArray[np.float32]


def around(level: tuple[float, ...], n: int = 50, seed: int = 0) -> Windows:
    """Windows whose levels deviate by 0.1 round one state."""
    rng = np.random.default_rng(seed)
    levels = np.array(level) + 0.1 * rng.normal(size=(n, len(level)))
    return np.repeat(levels[:, None, :], LENGTH, axis=1).astype(np.float32)


def fitted(*states: tuple[float, ...]) -> ScoreParams:
    windows = np.concatenate([around(state, seed=i) for i, state in enumerate(states)])
    units = np.repeat(np.arange(len(states)), 50)
    return fit_params(SCORE, windows, np.zeros_like(windows), units=units)


def score(params: ScoreParams, level: tuple[float, ...]) -> tuple[float, list[float], list[int]]:
    windows = np.broadcast_to(np.array(level, np.float32), (1, LENGTH, len(level)))
    result = score_windows(SCORE, windows, np.zeros_like(windows), params)
    return float(result.scores[0]), result.shares[0].tolist(), result.directions[0].tolist()


def test_each_asset_s_own_state_is_healthy_and_what_lies_between_is_not() -> None:
    params = fitted((0.0, 0.0), (10.0, 4.0))

    own, other, between = (score(params, at)[0] for at in ((0.0, 0.0), (10.0, 4.0), (5.0, 2.0)))

    assert max(own, other) < 1.0
    assert between > 20.0


def test_the_distance_is_in_deviations_of_an_asset_that_stays_the_same() -> None:
    params = fitted((0.0, 0.0), (10.0, 4.0))

    assert params[nearest.SCALE] == pytest.approx([0.1, 0.1], rel=0.3)
    # 2 above in one of two channels: 20 deviations, in root mean square 20 / sqrt(2), a little less
    assert score(params, (2.0, 0.0))[0] == pytest.approx(20 / np.sqrt(2), rel=0.3)


def test_shares_and_directions_are_those_from_the_nearest_state() -> None:
    params = fitted((0.0, 0.0), (10.0, 4.0))

    _, shares, directions = score(params, (8.0, 4.0))  # below the second, though far above the mean

    assert shares[0] > 0.95
    assert directions[0] == -1


def test_one_asset_that_wanders_does_not_widen_the_scale() -> None:
    steady = [around((0.0,), seed=i) for i in range(3)]
    wanders = np.repeat(np.linspace(0, 50, 50)[:, None, None], LENGTH, 1).astype(np.float32)
    windows = np.concatenate([*steady, wanders])

    params = fit_params(SCORE, windows, np.zeros_like(windows), units=np.repeat(np.arange(4), 50))

    assert params[nearest.SCALE][0] < 0.2


def test_states_are_few_and_the_same_number_of_each_asset() -> None:
    windows = np.concatenate([around((0.0,), n=5000), around((9.0,), n=600)])

    states = nearest.fit_nearest(windows, np.zeros_like(windows), np.repeat([1, 2], [5000, 600]))[
        nearest.STATES
    ]

    assert len(states) == nearest.MAX_STATES
    assert int((states > 4).sum()) == nearest.MAX_STATES // 2


def test_more_assets_than_states_keep_to_the_limit() -> None:
    windows = around((0.0,), n=1500)

    params = nearest.fit_nearest(windows, np.zeros_like(windows), np.arange(1500))

    assert len(params[nearest.STATES]) == nearest.MAX_STATES
    assert params[nearest.SCALE].tolist() == [1.0]  # one window each: nothing deviates


@pytest.mark.parametrize(
    "states",
    [
        np.zeros((0, 2), np.float32),
        np.zeros((4, 3), np.float32),
        np.zeros(4, np.float32),
        np.full((4, 2), np.nan, np.float32),
        np.zeros((4, 2), np.int64),
    ],
)
def test_states_that_do_not_fit_are_refused(states: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="state"):
        SCORE.check({nearest.STATES: states}, LENGTH, 2)
