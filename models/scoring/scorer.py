"""What the detector calls: readings to a model's scale, windows to scores. The values, the port.

The live detector and the batch path (evaluation, parity) both call exactly this, so that a live
score and a batch score of the same window are the same number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.records import ModelRef


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

    def __getitem__(self, part: slice) -> NormalisedRows:
        """Return some of them."""
        return NormalisedRows(self.rows[part], self.known[part])


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


@dataclass(frozen=True, slots=True)
class ScorerSpec:
    """What a scorer is, beside its arithmetic.

    Attributes:
        ref: Name, version and digest of the artifact.
        machine: What is measured, and how long a window is.
        thresholds: The two thresholds.
    """

    ref: ModelRef
    machine: MachineType
    thresholds: Thresholds

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels, in the order of the last axis."""
        return self.machine.channel_names

    @property
    def window_length(self) -> int:
        """Readings in a window."""
        return self.machine.window.length


class WindowScorer(Protocol):
    """An artifact ready to score. Pure: same input, same output; inputs are never changed."""

    @property
    def spec(self) -> ScorerSpec:
        """What it is."""

    def normalise(
        self, conditions: NDArray[np.float64], channels: NDArray[np.float64]
    ) -> NormalisedRows:
        """Put readings on the model's scale.

        Args:
            conditions: Shape ``(n, n_conditions)``, in the order of ``spec.machine.conditions``.
            channels: Shape ``(n, n_channels)``, in the order of ``spec.channels``, measured units.
        """

    def score(self, windows: NDArray[np.float32]) -> WindowScores:
        """Score windows of normalised rows, oldest cycle first.

        Args:
            windows: Shape ``(n, window_length, n_channels)``; ``n`` may be 0.

        Raises:
            ValueError: If the shape is another, or a value is not finite.
        """
