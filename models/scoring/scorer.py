"""What the detector calls: readings to a model's scale, windows to scores. The values, the port.

The live detector and the batch path (evaluation, parity) both call exactly this, so that a live
score and a batch score of the same window are the same number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.records.alerts import ModelRef
from models.scoring.history import Trail
from models.scoring.life import Life

WARNING_SEVERITY: Final = 1.0
"""Whatever is held against an asset is a warning from here on: a score over its own threshold."""


@dataclass(frozen=True, slots=True)
class NormalisedRows:
    """Readings on the model's scale.

    Attributes:
        rows: Shape ``(n, n_channels)``, float32, z-scored within the row's operating regime.
        known: Shape ``(n,)``, bool; false where no regime of the training data is near. Such a row
            holds zeros and must not enter a window.
        why_not: Why rows are not known, where that is not their regime.
    """

    rows: NDArray[np.float32]
    known: NDArray[np.bool_]
    why_not: str = ""

    def __getitem__(self, part: slice) -> NormalisedRows:
        """Return some of them."""
        return NormalisedRows(self.rows[part], self.known[part], self.why_not)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a model expects of windows of a healthy machine, in measured units.

    Attributes:
        values: Shape ``(n, window_length, n_channels)``, float64: what it expects of each reading,
            run as it was. May hold what is no number, where the model's arithmetic overflows.
        means: Same shape; the healthy mean of a machine run alike.
        sds: Same shape; its deviation, positive.
    """

    values: NDArray[np.float64]
    means: NDArray[np.float64]
    sds: NDArray[np.float64]

    def __getitem__(self, part: slice) -> Expected:
        """Return what is expected of some of them."""
        return Expected(self.values[part], self.means[part], self.sds[part])


@dataclass(frozen=True, slots=True)
class ChannelScores:
    """How odd single channels are, each measured by what it is like when healthy.

    Attributes:
        scores: Shape ``(n,)``, float64; of the oddest channel; finite.
        shares: Shape ``(n, n_channels)``, float64; part of each channel, rows sum to 1.
        directions: Shape ``(n, n_channels)``, int8; +1 where the channel reads above its healthy
            level in its regime, -1 below.
    """

    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    directions: NDArray[np.int8]

    def __getitem__(self, part: slice) -> ChannelScores:
        """Return some of them."""
        return ChannelScores(self.scores[part], self.shares[part], self.directions[part])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return those of consecutive windows as one; at least one part."""
        return cls(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.shares for part in parts]),
            np.concatenate([part.directions for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Scores of a batch of windows.

    Attributes:
        scores: Shape ``(n,)``, float64; higher is more anomalous; finite.
        shares: Shape ``(n, n_channels)``, float64; contribution of each channel, in [0, 1], rows
            sum to 1.
        directions: Shape ``(n, n_channels)``, int8; +1 where the channel reads above its healthy
            level in its regime, -1 below.
        against: Shape ``(n, n_channels)``, int8; the same against what the model expects of this
            window; none for a model that expects the healthy level.
        channel: What single channels say; none for a model that does not ask them one by one.
        life: How long is left; none for a model that does not know.
    """

    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    directions: NDArray[np.int8]
    against: NDArray[np.int8] | None = None
    channel: ChannelScores | None = None
    life: Life | None = None

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.scores)

    def __getitem__(self, part: slice) -> WindowScores:
        """Return some of them."""
        return WindowScores(
            self.scores[part],
            self.shares[part],
            self.directions[part],
            None if self.against is None else self.against[part],
            None if self.channel is None else self.channel[part],
            None if self.life is None else self.life[part],
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return those of consecutive windows as one; at least one part, all of one model."""
        if len(parts) == 1:
            return parts[0]
        against = [part.against for part in parts if part.against is not None]
        channels = [part.channel for part in parts if part.channel is not None]
        lives = [part.life for part in parts if part.life is not None]
        return cls(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.shares for part in parts]),
            np.concatenate([part.directions for part in parts]),
            np.concatenate(against) if against else None,
            ChannelScores.joined(channels) if channels else None,
            Life.joined(lives) if lives else None,
        )


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Anomalous when ``score >= threshold``; ``warning <= critical``.

    Attributes:
        warning: Of the score.
        critical: Of the score; of no account where ``life`` is given.
        channel: Of the channel score, a warning; none for a model without.
        life: Critical when at most so many steps are expected to be left, and there is a warning;
            none where life is not known, or does not decide.
    """

    warning: float
    critical: float
    channel: float | None = None
    life: float | None = None


@dataclass(frozen=True, slots=True)
class ScorerSpec:
    """What a scorer is, beside its arithmetic.

    Attributes:
        ref: Name, version and digest of the artifact.
        machine: What is measured, and how long a window is.
        thresholds: From where on what it says is a warning, or critical.
        frozen_after: Unmoved readings after which a channel counts as frozen, one per channel; 0
            for a channel that stands still when healthy. Empty for a model that does not know.
        knows_life: Whether it says how long is left, and so wants runs followed.
    """

    ref: ModelRef
    machine: MachineType
    thresholds: Thresholds
    frozen_after: tuple[int, ...] = ()
    knows_life: bool = False

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

    def expect(self, conditions: NDArray[np.float64], windows: NDArray[np.float32]) -> Expected:
        """Say what the model expects of windows, in measured units.

        What it says of a window does not depend on the others.

        Args:
            conditions: Shape ``(n, window_length, n_conditions)``, of known regimes.
            windows: Shape ``(n, window_length, n_channels)``, on the model's scale.
        """

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        """Score windows of normalised rows, oldest cycle first.

        Args:
            windows: Shape ``(n, window_length, n_channels)``; ``n`` may be 0.
            trail: What is remembered of its run at each window (``models.scoring.history``); none
                if each window is all that is known. Only remaining life depends on it.

        Raises:
            ValueError: If the shape is another, or a value is not finite.
        """
