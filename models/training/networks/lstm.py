"""The reference network: an LSTM autoencoder that squeezes a window through 16 numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WindowNetwork(nn.Module):
    """A network that says what it expects of a window; input and output have one shape.

    Attributes:
        n_channels: Sensors in a row.
        window_length: Rows in a window.
    """

    n_channels: int
    window_length: int


class LstmAutoencoder(WindowNetwork):
    """Rebuilds a window from a short code, so only what healthy windows share is rebuilt well.

    The encoder's last hidden state becomes the code. The decoder sees the code at every step; its
    first hidden state is ``tanh`` of a linear map of the code, its first cell state zero.

    With 14 channels, 64 hidden units and a code of 16 it has 44,510 parameters.

    Args:
        n_channels: Sensors in a row.
        window_length: Rows in a window.
        hidden: Units of encoder and decoder.
        latent: Numbers in the code.
    """

    def __init__(
        self, n_channels: int = 14, window_length: int = 30, hidden: int = 64, latent: int = 16
    ) -> None:
        super().__init__()
        self.n_channels = n_channels
        self.window_length = window_length
        self.encoder = nn.LSTM(n_channels, hidden, batch_first=True)
        self.to_code = nn.Linear(hidden, latent)
        self.to_hidden = nn.Linear(latent, hidden)
        self.decoder = nn.LSTM(latent, hidden, batch_first=True)
        self.to_row = nn.Linear(hidden, n_channels)

    def forward(self, windows: Tensor) -> Tensor:
        """Return the reconstruction of ``windows``, shape ``(B, W, C)`` both."""
        _, (last_hidden, _) = self.encoder(windows)  # (1, B, H)
        code = self.to_code(last_hidden[0])  # (B, Z)
        first_hidden = torch.tanh(self.to_hidden(code)).unsqueeze(0)  # (1, B, H)
        repeated = code.unsqueeze(1).expand(-1, self.window_length, -1)  # (B, W, Z)
        states, _ = self.decoder(repeated, (first_hidden, torch.zeros_like(first_hidden)))
        rows: Tensor = self.to_row(states)  # (B, W, C)
        return rows


def count_parameters(network: nn.Module) -> int:
    """Return how many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())
