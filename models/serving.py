"""What the detector calls: an artifact, opened and ready to score. No torch.

The live detector and the batch path (evaluation, parity) both call exactly this, so that a live
score and a batch score of the same window are the same number.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from common.records import ModelRef

if TYPE_CHECKING:
    from models.artifact import Artifact


@dataclass(frozen=True, slots=True)
class NormalisedRows:
    """Readings on the model's scale.

    Attributes:
        rows: Shape ``(n, n_channels)``, float32, z-scored within the row's operating regime.
        known: Shape ``(n,)``, bool; false where no regime of the training data is near. Such a row
            holds zeros and must not enter a window.
    """

    rows: NDArray[np.float32]
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Scores of a batch of windows.

    Attributes:
        scores: Shape ``(n,)``, float64; higher is more anomalous; finite.
        shares: Shape ``(n, n_channels)``, float64; contribution of each channel, in [0, 1], rows
            sum to 1.
        directions: Shape ``(n, n_channels)``, int8; +1 where the channel reads above what the model
            expects, -1 below.
    """

    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    directions: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Anomalous when ``score >= threshold``; ``warning <= critical``."""

    warning: float
    critical: float


class WindowScorer(Protocol):
    """An artifact ready to score. Pure: same input, same output; inputs are never changed."""

    @property
    def ref(self) -> ModelRef:
        """Name, version and digest of the artifact."""

    @property
    def channels(self) -> tuple[str, ...]:
        """Sensor names, in the order of the last axis."""

    @property
    def window_length(self) -> int:
        """Cycles in a window."""

    @property
    def thresholds(self) -> Thresholds:
        """The two thresholds."""

    def normalise(
        self, settings: NDArray[np.float64], sensors: NDArray[np.float64]
    ) -> NormalisedRows:
        """Put readings on the model's scale.

        Args:
            settings: Shape ``(n, 3)``, in the order of ``common.channels.SETTINGS``.
            sensors: Shape ``(n, n_channels)``, in the order of :attr:`channels`, physical units.
        """

    def score(self, windows: NDArray[np.float32]) -> WindowScores:
        """Score windows of normalised rows, oldest cycle first.

        Args:
            windows: Shape ``(n, window_length, n_channels)``; ``n`` may be 0.

        Raises:
            ValueError: If the shape is another, or a value is not finite.
        """


def open_scorer(artifact: Artifact, threads: int = 1) -> WindowScorer:
    """Open an artifact for scoring.

    A score does not depend on which other windows are in the call, nor on how many. Not
    thread-safe by promise; open one per worker.

    Args:
        artifact: What ``models.artifact.load_artifact`` returned.
        threads: Threads of the network; scale by workers instead.

    Raises:
        ArtifactError: If the network is not what the manifest says.
    """
    # onnxruntime sends usage data to its maker unless told not to before it is imported
    os.putenv("ORT_DISABLE_TELEMETRY", "1")
    # here, so that whoever needs only the contracts above does not load onnxruntime
    from models.onnx_scorer import ArtifactScorer

    return ArtifactScorer(artifact, threads)
