"""Fit the reference network to healthy windows; the same seed gives the same weights.

One machine, one seed, one set of windows: one result, to the bit. The number of threads is fixed,
since it decides in which order sums are taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.training.catalogue import LSTM_AUTOENCODER, LSTM_FORECASTER, PATCHTST
from models.training.config import EpochReport, OnEpoch, TrainingConfig
from models.training.networks.forecaster import LstmForecaster
from models.training.networks.lstm import LstmAutoencoder, WindowNetwork
from models.training.networks.patchtst import PatchTst

THREADS: Final = 1
"""Threads of training. More are hardly faster for so small a network, and a result would then
depend on how many the machine has."""


@dataclass(frozen=True, slots=True)
class FittedNetwork:
    """The network after the last pass.

    Attributes:
        network: In evaluation mode.
        train_loss: Of the last pass; none if there was no pass.
        validation_loss: Mean squared residual of the validation windows; none without windows.
    """

    network: WindowNetwork
    train_loss: float | None
    validation_loss: float | None


def fit_network(
    healthy: NDArray[np.float32],
    validation: NDArray[np.float32],
    kind: str,
    config: TrainingConfig,
    on_epoch: OnEpoch = lambda report: None,
) -> FittedNetwork:
    """Train a network to say what healthy windows hold.

    Args:
        healthy: Shape ``(n, window_length, n_channels)``, z-scored, ``n`` at least 1.
        validation: Healthy windows of other engines, only measured; same shape but for ``n``.
        kind: ``lstm_autoencoder``, ``lstm_forecaster`` or ``patchtst``.
        config: How.
        on_epoch: Told after each pass.

    Raises:
        ValueError: If no window came.
    """
    if not len(healthy):
        raise ValueError("no healthy window came; training needs some")
    with _reproducible(config.seed):
        network = _new_network(kind, healthy.shape[2], healthy.shape[1], config)
        train_loss = _run_epochs(network, torch.from_numpy(healthy), config, on_epoch)
        network.eval()
        return FittedNetwork(network, train_loss, _mean_loss(network, validation))


def _new_network(
    kind: str, n_channels: int, window_length: int, config: TrainingConfig
) -> WindowNetwork:
    if kind == LSTM_AUTOENCODER:
        return LstmAutoencoder(n_channels, window_length, config.hidden, config.latent)
    if kind == LSTM_FORECASTER:
        return LstmForecaster(n_channels, window_length, config.hidden)
    if kind == PATCHTST:
        return PatchTst(n_channels, window_length, width=config.hidden)
    known = ", ".join((LSTM_AUTOENCODER, LSTM_FORECASTER, PATCHTST))
    raise ValueError(f"network {kind!r} came; one of {known} was expected")


def _run_epochs(
    network: WindowNetwork, windows: Tensor, config: TrainingConfig, on_epoch: OnEpoch
) -> float | None:
    optimiser = torch.optim.Adam(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, config.epochs))
    loss = None
    for epoch in range(1, config.epochs + 1):
        loss = _run_epoch(network, windows, optimiser, config)
        schedule.step()
        on_epoch(EpochReport(epoch, config.epochs, loss))
    return loss


def _run_epoch(
    network: WindowNetwork,
    windows: Tensor,
    optimiser: torch.optim.Optimizer,
    config: TrainingConfig,
) -> float:
    total = 0.0
    order = torch.randperm(len(windows))
    for start in range(0, len(windows), config.batch_size):
        batch = windows[order[start : start + config.batch_size]]  # (B, W, C)
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(network(batch), batch)
        loss.backward()  # type: ignore[no-untyped-call]  # torch ships no annotation for it
        nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
        optimiser.step()
        total += loss.item() * len(batch)
    return total / len(windows)


def _mean_loss(network: WindowNetwork, windows: NDArray[np.float32]) -> float | None:
    if not len(windows):
        return None
    batch = torch.from_numpy(windows)
    with torch.no_grad():
        return float(nn.functional.mse_loss(network(batch), batch))


@contextmanager
def _reproducible(seed: int) -> Iterator[None]:
    """Fix seed and threads inside; leave the process as it was."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
