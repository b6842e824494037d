"""How a network is fitted, and what is told meanwhile. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FOLDS: Final = 5
"""Models trained beside one, each on four fifths of the assets, as on 64 of 80."""


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """How the network is fitted. The defaults are the reference.

    Attributes:
        seed: Decides first weights and the order of windows.
        epochs: Passes over the windows.
        batch_size: Windows per step.
        learning_rate: Adam's, at the start; falls to 0 along half a cosine.
        weight_decay: Adam's L2 penalty.
        gradient_clip: Largest norm of a step's gradient.
        hidden: Units of an LSTM, encoder and decoder alike; numbers per patch of a PatchTST.
        latent: The autoencoder's numbers in the code.
    """

    seed: int = 0
    epochs: int = 80
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-5
    gradient_clip: float = 1.0
    hidden: int = 64
    latent: int = 16


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One pass, done.

    Attributes:
        epoch: 1-based.
        epochs: How many there will be.
        train_loss: Mean squared residual over the pass, in squared deviations.
    """

    epoch: int
    epochs: int
    train_loss: float


OnEpoch = Callable[[EpochReport], None]
