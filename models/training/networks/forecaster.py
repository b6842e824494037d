"""An LSTM as a forecaster: each reading is expected from those before it in the window."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.training.networks.lstm import WindowNetwork


class LstmForecaster(WindowNetwork):
    """Forecasts each row of a window, one step ahead, from the rows before it.

    The output has the window's shape: the first row, before which there is none, is handed through
    as it is, so its residual is 0. With one channel and 32 units it has 4,513 parameters.

    Args:
        n_channels: Sensors in a row.
        window_length: Rows in a window, at least 2.
        hidden: Units.
    """

    def __init__(self, n_channels: int = 14, window_length: int = 30, hidden: int = 64) -> None:
        super().__init__()
        if window_length < 2:
            raise ValueError(
                f"windows of {window_length} rows came; a forecast needs at least 2: one before"
            )
        self.n_channels = n_channels
        self.window_length = window_length
        self.memory = nn.LSTM(n_channels, hidden, batch_first=True)
        self.to_move = nn.Linear(hidden, n_channels)

    def forward(self, windows: Tensor) -> Tensor:
        """Return the first row and the forecast rows of ``windows``, shape ``(B, W, C)`` both."""
        before = windows[:, :-1]  # (B, W - 1, C)
        states, _ = self.memory(before)  # (B, W - 1, H)
        # a move from the row before: staying where it is needs no learning
        rows: Tensor = torch.cat([windows[:, :1], before + self.to_move(states)], dim=1)
        return rows  # (B, W, C)
