"""The LSTM that forecasts: each row from those before it, exported as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.artifact.onnx_scorer import OnnxReconstructor
from models.training.networks.forecaster import LstmForecaster
from models.training.networks.lstm import count_parameters
from models.training.networks.onnx_export import PARITY_TOLERANCE, export_onnx, max_difference
from models.training.networks.patchtst import PatchTst

WINDOWS = np.random.default_rng(0).normal(size=(70, 30, 3)).astype(np.float32) * 5


@pytest.fixture(scope="module")
def network() -> LstmForecaster:
    torch.manual_seed(0)
    network = LstmForecaster(3, 30, 16)
    network.eval()
    return network


def forecast(network: LstmForecaster, windows: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        return np.asarray(network(torch.from_numpy(windows)).numpy())


def test_the_first_row_is_handed_through_and_all_others_are_forecast(
    network: LstmForecaster,
) -> None:
    expected = forecast(network, WINDOWS)

    assert expected.shape == WINDOWS.shape
    assert np.array_equal(expected[:, 0], WINDOWS[:, 0])
    assert not np.isclose(expected[:, 1:], WINDOWS[:, 1:]).any(axis=(1, 2)).all()


@pytest.mark.parametrize("row", [1, 15, 29])
def test_a_forecast_sees_nothing_but_the_rows_before_it(network: LstmForecaster, row: int) -> None:
    changed = WINDOWS.copy()
    changed[:, row:] = 7.0

    first, second = forecast(network, WINDOWS), forecast(network, changed)

    assert np.array_equal(first[:, : row + 1][:, 1:], second[:, : row + 1][:, 1:])
    if row < 29:
        assert not np.array_equal(first[:, row + 1], second[:, row + 1])


def test_the_export_agrees_with_torch_and_a_window_with_its_batch(network: LstmForecaster) -> None:
    exported = export_onnx(network, WINDOWS)
    opened = OnnxReconstructor(exported, window_length=30, n_channels=3)

    alone = np.concatenate([opened.reconstruct(window[None]) for window in WINDOWS])

    assert max_difference(network, exported, WINDOWS) < PARITY_TOLERANCE
    assert exported == export_onnx(network, WINDOWS)
    np.testing.assert_allclose(alone[:64], opened.reconstruct(WINDOWS[:64]), atol=1e-6)


def test_it_is_the_size_it_says() -> None:
    assert count_parameters(LstmForecaster(1, 100, 32)) == 4_513


def test_sizes_that_forecast_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        LstmForecaster(window_length=1)
    with pytest.raises(ValueError, match="a multiple of 4 heads"):
        PatchTst(width=10)
