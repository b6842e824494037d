from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from common.errors import ArtifactError
from models.artifact.store import Artifact
from models.training.build import build_artifact
from models.training.catalogue import LSTM_AUTOENCODER, LSTM_FORECASTER, PATCHTST
from models.training.config import EpochReport, TrainingConfig
from models.training.networks.loop import fit_network
from models.training.networks.lstm import LstmAutoencoder, count_parameters
from models.training.networks.onnx_export import export_onnx, max_difference
from models.training.preparation.windows import Prepared, healthy
from tests.unit.models.conftest import SMALL


def test_the_reference_network_has_44_510_parameters() -> None:
    assert count_parameters(LstmAutoencoder()) == 44_510


def test_same_seed_and_data_give_the_same_artifact(prepared: Prepared, artifact: Artifact) -> None:
    again = build_artifact(prepared, "toy", SMALL, "mse")

    assert again.sha256 == artifact.sha256
    assert again.network == artifact.network


def test_another_seed_gives_another_artifact(prepared: Prepared, artifact: Artifact) -> None:
    other = build_artifact(prepared, "toy", replace(SMALL, seed=SMALL.seed + 1), "mse")

    assert other.network != artifact.network
    assert other.manifest.version != artifact.manifest.version


@pytest.mark.parametrize("kind", [LSTM_AUTOENCODER, LSTM_FORECASTER, PATCHTST])
def test_training_lowers_the_loss_and_reports_each_epoch(prepared: Prepared, kind: str) -> None:
    reports: list[EpochReport] = []
    config = TrainingConfig(epochs=12, hidden=16, latent=8, batch_size=32)

    fitted = fit_network(
        healthy(prepared.fit).windows,
        healthy(prepared.validate).windows,
        kind,
        config,
        reports.append,
    )

    assert [report.epoch for report in reports] == list(range(1, 13))
    assert reports[-1].train_loss < reports[0].train_loss
    assert fitted.train_loss == reports[-1].train_loss
    assert fitted.validation_loss is not None


def test_training_leaves_the_process_as_it_was(prepared: Prepared) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    threads = torch.get_num_threads()

    fit_network(
        healthy(prepared.fit).windows, prepared.validate.windows[:0], LSTM_AUTOENCODER, SMALL
    )

    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_training_needs_a_window(prepared: Prepared) -> None:
    with pytest.raises(ValueError, match="no healthy window"):
        fit_network(prepared.fit.windows[:0], prepared.fit.windows[:0], LSTM_AUTOENCODER, SMALL)


def test_the_export_agrees_with_torch_on_worn_engines(prepared: Prepared) -> None:
    torch.manual_seed(0)
    network = LstmAutoencoder()
    worn = prepared.heldout.windows[prepared.heldout.life_left < 10]

    exported = export_onnx(network, worn)

    assert max_difference(network, exported, worn) < 1e-5
    assert export_onnx(network, worn) == exported


@pytest.mark.parametrize("layer", ["encoder.weight_ih_l0", "decoder.bias_hh_l0", "to_row.weight"])
def test_an_export_of_other_weights_is_noticed(prepared: Prepared, layer: str) -> None:
    torch.manual_seed(0)
    network = LstmAutoencoder()
    exported = export_onnx(network, prepared.validate.windows[:8])
    with torch.no_grad():
        network.get_parameter(layer).add_(0.05)

    assert max_difference(network, exported, prepared.validate.windows[:8]) > 1e-3


def test_a_wrong_export_is_refused(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.training.networks.onnx_export._onnx_gates", lambda stacked: stacked)

    with pytest.raises(ArtifactError, match="differs from the trained one"):
        export_onnx(LstmAutoencoder(), prepared.validate.windows[:8])


def test_the_export_takes_any_number_of_windows(artifact: Artifact) -> None:
    session = onnxruntime.InferenceSession(artifact.network)

    for n in (1, 2, 37):
        windows = np.zeros((n, 30, 14), np.float32)
        assert session.run(None, {"windows": windows})[0].shape == windows.shape
