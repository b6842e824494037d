"""A float32 network to dynamic int8, and what that changes: size, speed, scores."""

from __future__ import annotations

import hashlib
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from common.errors import ArtifactError
from models.artifact.manifest import NetworkSection
from models.artifact.metrics import Metrics
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact
from models.evaluation.measure import measure_scorer
from models.scoring.scorer import WindowScorer
from models.training.assembly import measured, revise
from models.training.confidence import with_confidence
from models.training.preparation.windows import Prepared

SPEED_WINDOWS: Final = 2048
REPEATS: Final = 3
"""The fastest of so many runs counts: the others were disturbed."""


@dataclass(frozen=True, slots=True)
class Side:
    """One precision, measured.

    Attributes:
        artifact: The model.
        network_bytes: Size of its network.
        windows_per_s: Scored in one call of :data:`SPEED_WINDOWS`, on one thread.
        metrics: On the held-out engines.
    """

    artifact: Artifact
    network_bytes: int
    windows_per_s: float
    metrics: Metrics


@dataclass(frozen=True, slots=True)
class Exported:
    """Both precisions side by side.

    Attributes:
        fp32: The model as it was.
        int8: The same, quantised.
        degraded_windows: Held-out windows near failure that both scored.
        largest_change: Largest relative change of a score on these.
        median_change: The median one.
    """

    fp32: Side
    int8: Side
    degraded_windows: int
    largest_change: float
    median_change: float


def quantise(artifact: Artifact, prepared: Prepared) -> Artifact:
    """Return the artifact with an int8 network, flagged so, measured anew on held-out engines.

    Thresholds are those of the float32 model. Named ``NAME-int8``.

    Raises:
        ArtifactError: If it has no network, or one that is int8 already.
    """
    network = artifact.manifest.network
    if network is None or artifact.network is None or network.precision != "fp32":
        has = "no network" if network is None else f"a network of {network.precision} already"
        raise ArtifactError(f"{artifact.manifest.name} has {has}; only float32 becomes int8.")
    content = _quantised(artifact.network)
    changes: dict[str, object] = {
        "name": f"{artifact.manifest.name}-int8",
        "network": NetworkSection(
            kind=network.kind,
            file=network.file,
            sha256=hashlib.sha256(content).hexdigest(),
            parameters=network.parameters,
            precision="int8",
        ),
    }
    return with_confidence(measured(revise(artifact, changes, content), prepared), prepared)


def compare_precisions(fp32: Artifact, int8: Artifact, prepared: Prepared) -> Exported:
    """Measure both on held-out engines; parity on their windows near failure."""
    degraded = prepared.heldout.windows[prepared.heldout.faulty]
    before, after = (open_scorer(artifact).score(degraded).scores for artifact in (fp32, int8))
    change = np.abs(after - before) / np.maximum(np.abs(before), np.finfo(float).tiny)
    return Exported(
        _side(fp32, prepared),
        _side(int8, prepared),
        len(degraded),
        float(change.max(initial=0.0)),
        float(np.median(change)) if len(change) else 0.0,
    )


def _quantised(network: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(network)
        # the library advises shape inference, which these small graphs do not need, on the root log
        logging.disable(logging.WARNING)
        try:
            quantize_dynamic(source, target, weight_type=QuantType.QInt8)
        finally:
            logging.disable(logging.NOTSET)
        return target.read_bytes()


def _side(artifact: Artifact, prepared: Prepared) -> Side:
    scorer = open_scorer(artifact)
    return Side(
        artifact,
        len(artifact.network or b""),
        _speed(scorer, np.resize(prepared.heldout.windows, _shape(prepared))),
        measure_scorer(scorer, prepared.heldout),
    )


def _shape(prepared: Prepared) -> tuple[int, int, int]:
    return SPEED_WINDOWS, prepared.window_length, len(prepared.channels)


def _speed(scorer: WindowScorer, windows: NDArray[np.float32]) -> float:
    scorer.score(windows[:64])
    fastest = np.inf
    for _ in range(REPEATS):
        start = time.perf_counter()
        scorer.score(windows)
        fastest = min(fastest, time.perf_counter() - start)
    return float(len(windows) / fastest)
