from __future__ import annotations

import numpy as np
import pytest
import torch

from models.training.networks.lstm import count_parameters
from models.training.networks.onnx_export import PARITY_TOLERANCE, export_onnx, max_difference
from models.training.networks.patchtst import PatchTst

WINDOWS = np.random.default_rng(0).normal(size=(70, 30, 14)).astype(np.float32) * 5


def network() -> PatchTst:
    torch.manual_seed(0)
    return PatchTst().eval()


def test_known_rows_are_handed_through_and_the_horizon_is_forecast() -> None:
    with torch.no_grad():
        expected = network()(torch.from_numpy(WINDOWS)).numpy()

    assert np.array_equal(expected[:, :20], WINDOWS[:, :20])
    assert not np.isclose(expected[:, 20:], WINDOWS[:, 20:]).any(axis=(1, 2)).all()


def test_the_forecast_does_not_see_what_it_forecasts() -> None:
    changed = WINDOWS.copy()
    changed[:, 20:] = 7.0

    with torch.no_grad():
        first, second = (network()(torch.from_numpy(each)).numpy() for each in (WINDOWS, changed))

    assert np.array_equal(first, second)


def test_each_channel_is_forecast_alone() -> None:
    changed = WINDOWS.copy()
    changed[:, :, 3] += 9.0

    with torch.no_grad():
        first, second = (network()(torch.from_numpy(each)).numpy() for each in (WINDOWS, changed))

    others = np.arange(14) != 3
    np.testing.assert_allclose(first[:, :, others], second[:, :, others], atol=1e-5)


def test_it_is_the_size_it_was_asked_to_be() -> None:
    model = network()

    assert list(model.starts) == [0, 4, 8, 12]
    assert len(model.layers) == 3
    assert model.embed.out_features == 64
    assert 90_000 < count_parameters(model) < 130_000


def test_the_export_agrees_with_torch() -> None:
    model = network()

    assert max_difference(model, export_onnx(model, WINDOWS), WINDOWS) < PARITY_TOLERANCE


def test_too_short_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one patch"):
        PatchTst(window_length=15)
