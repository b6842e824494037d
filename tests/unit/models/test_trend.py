from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.scoring.measures.trend import (
    RESIDUAL_WEIGHT,
    _at,
    fit_hybrid,
    fit_trend,
    hybrid,
    hybrid_upper,
    trend,
)

LENGTH, CHANNELS = 30, 14
RNG = np.random.default_rng(0)
HEALTHY = RNG.normal(size=(300, LENGTH, CHANNELS)).astype(np.float32)
WINDOWS = (
    RNG.normal(size=(20, LENGTH, CHANNELS)) + np.linspace(0, 2, LENGTH)[:, None]
).astype(np.float32)  # fmt: skip
ZEROS = np.zeros_like


def by_hand(
    windows: NDArray[np.float32], healthy: NDArray[np.float32], quantile: float
) -> NDArray[np.float64]:
    """The score by its definition, with a fit of a line per channel."""

    def parts(values: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        each = values.astype(float)
        lines = np.polyfit(np.arange(LENGTH), each.transpose(1, 0, 2).reshape(LENGTH, -1), 1)[0]
        return np.abs(each[:, -5:].mean(axis=1)), np.abs(lines).reshape(len(each), CHANNELS)

    total = np.zeros(len(windows))
    for found, usual in zip(parts(windows), parts(healthy), strict=True):
        z = (found - usual.mean(axis=0)) / usual.std(axis=0)
        total += np.quantile(z, quantile, axis=1)
    return total


def test_the_trend_is_the_median_level_and_slope_in_healthy_deviations() -> None:
    result = trend(WINDOWS, ZEROS(WINDOWS), fit_trend(HEALTHY, ZEROS(HEALTHY)))

    np.testing.assert_allclose(result.totals, by_hand(WINDOWS, HEALTHY, 0.5), rtol=1e-9)


def test_the_hybrid_is_the_inputs_plus_a_quarter_of_the_residual() -> None:
    params = fit_hybrid(HEALTHY, HEALTHY * np.float32(0.3))

    for score, quantile in ((hybrid, 0.5), (hybrid_upper, 0.7)):
        result = score(WINDOWS, WINDOWS * np.float32(0.3), params)

        residual = (WINDOWS - WINDOWS * np.float32(0.3), HEALTHY - HEALTHY * np.float32(0.3))
        expected = by_hand(WINDOWS, HEALTHY, quantile) + RESIDUAL_WEIGHT * by_hand(
            *residual, quantile
        )
        np.testing.assert_allclose(result.totals, expected, rtol=1e-5)


def test_one_window_scores_the_same_bits_as_in_a_batch() -> None:
    params = fit_hybrid(HEALTHY, ZEROS(HEALTHY))
    whole = hybrid(WINDOWS, ZEROS(WINDOWS), params)

    for i in range(len(WINDOWS)):
        one = hybrid(WINDOWS[i : i + 1], ZEROS(WINDOWS[:1]), params)
        assert one.totals[0] == whole.totals[i]
        assert np.array_equal(one.channels[0], whole.channels[i])


def test_one_wild_channel_names_itself_but_hardly_moves_the_score() -> None:
    params = fit_trend(HEALTHY, ZEROS(HEALTHY))
    calm = HEALTHY[:1].copy()
    wild = calm.copy()
    wild[:, :, 6] += 30.0

    before, after = (trend(each, ZEROS(each), params) for each in (calm, wild))

    assert after.channels[0, 6] > 50
    assert after.totals[0] - before.totals[0] < 2.0
    assert after.channels[0].argmax() == 6
    assert after.channels[0, 6] > 0.8 * after.channels[0].sum()


def test_a_channel_that_never_moved_when_healthy_counts_as_it_is() -> None:
    still = HEALTHY.copy()
    still[:, :, 2] = 0.0
    moved = still[:1].copy()
    moved[:, :, 2] = 3.0

    result = trend(moved, ZEROS(moved), fit_trend(still, ZEROS(still)))

    assert np.isfinite(result.totals).all()
    assert result.channels[0, 2] == 3.0


@pytest.mark.parametrize("quantile", [0.5, 0.7])
def test_the_channel_that_counts_is_numpy_s_quantile_to_the_bit(quantile: float) -> None:
    for n_channels in (1, 2, 7, 14, 21):
        values = RNG.normal(size=(500, n_channels))

        assert np.array_equal(_at(values, quantile), np.quantile(values, quantile, axis=1))
