"""A training file in, a whole artifact out: prepare, fit, export, calibrate, measure, describe.

Thresholds and metrics are computed with the exported network through onnxruntime, the way the
detector will run it, not with torch.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from importlib.metadata import version as library_version
from typing import Final

from models.artifact import Artifact
from models.calibration import ChosenThreshold, calibrate
from models.evaluation import measure
from models.export import export_onnx
from models.manifest import Manifest, NormalisationSection
from models.network import KIND, LstmAutoencoder, count_parameters
from models.onnx_scorer import OnnxReconstructor
from models.preparation import Prepared, healthy
from models.scoring import SCORES
from models.splits import FAULT_RUL, HEALTHY_RUL, EngineRange
from models.training import FittedNetwork, OnEpoch, TrainingConfig, fit_network

NETWORK_FILE: Final = "model.onnx"
PARITY_WINDOWS: Final = 512
"""Validation windows, the last ones, on which the export is compared with torch."""

LIBRARIES: Final = ("numpy", "onnx", "onnxruntime", "torch")
VERSION_DIGITS: Final = 12
"""Of the content's digest: enough to never meet again, short enough to read out."""


def build_artifact(
    prepared: Prepared,
    name: str,
    config: TrainingConfig,
    score_name: str = "mse",
    on_epoch: OnEpoch = lambda report: None,
) -> Artifact:
    """Train the reference network and return it with all that serving needs.

    The version is a digest of everything else in the artifact, so two artifacts that differ in
    anything never share a version.

    Args:
        prepared: The training file.
        name: Of the artifact, such as ``fd001``.
        config: How the network is fitted.
        score_name: One of ``SCORES`` that uses a network.
        on_epoch: Told after each pass.
    """
    fitted = fit_network(
        healthy(prepared.fit).windows, healthy(prepared.validate).windows, config, on_epoch
    )
    network = export_onnx(fitted.network, prepared.validate.windows[-PARITY_WINDOWS:])
    reconstructor = OnnxReconstructor(
        network,
        window_length=fitted.network.window_length,
        n_channels=fitted.network.n_channels,
    )
    calibrated = calibrate(SCORES[score_name], reconstructor, prepared)
    metrics = measure(prepared.heldout, calibrated.scores(prepared.heldout), calibrated.thresholds)
    fields: dict[str, object] = {
        "schema_version": 1,
        "name": name,
        "channels": prepared.channels,
        "window_length": fitted.network.window_length,
        "normalisation": NormalisationSection.of(prepared.normaliser),
        "network": _network_fields(network, fitted.network),
        "score": {
            "name": score_name,
            "params": {key: tuple(value.tolist()) for key, value in calibrated.params.items()},
        },
        "thresholds": {
            "warning": _threshold_fields(calibrated.warning),
            "critical": _threshold_fields(calibrated.critical),
        },
        "training": _training_fields(prepared, config, fitted),
        "heldout_metrics": metrics,
    }
    return Artifact(_with_version(fields), network)


def _with_version(fields: dict[str, object]) -> Manifest:
    draft = Manifest.model_validate({**fields, "version": "draft"})
    digest = hashlib.sha256(draft.to_json()).hexdigest()
    return draft.model_copy(update={"version": digest[:VERSION_DIGITS]})


def _network_fields(network: bytes, fitted: LstmAutoencoder) -> dict[str, object]:
    return {
        "kind": KIND,
        "file": NETWORK_FILE,
        "sha256": hashlib.sha256(network).hexdigest(),
        "parameters": count_parameters(fitted),
    }


def _threshold_fields(chosen: ChosenThreshold) -> dict[str, object]:
    return {
        "value": chosen.value,
        "strategy": chosen.rule.strategy,
        "options": dict(chosen.rule.options),
        "engines": _range_fields(chosen.engines),
        "windows": chosen.windows,
        "reason": chosen.reason,
    }


def _training_fields(
    prepared: Prepared, config: TrainingConfig, fitted: FittedNetwork
) -> dict[str, object]:
    return {
        "dataset": prepared.name,
        "split": "train",
        "data_sha256": prepared.sha256,
        "fit": _range_fields(prepared.split.fit),
        "validate": _range_fields(prepared.split.validate),
        "heldout": _range_fields(prepared.split.heldout),
        "healthy_rul": HEALTHY_RUL,
        "fault_rul": FAULT_RUL,
        "seed": config.seed,
        "config": {key: value for key, value in asdict(config).items() if key != "seed"},
        "train_loss": fitted.train_loss,
        "validation_loss": fitted.validation_loss,
        "libraries": {name: library_version(name) for name in LIBRARIES},
    }


def _range_fields(engines: EngineRange) -> dict[str, object]:
    return {"first": engines.first, "last": engines.last}
