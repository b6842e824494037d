"""PatchTST as a forecaster: each channel alone, cut into patches, through a transformer encoder.

Nie, Nguyen, Sinthong and Kalagnanam, "A Time Series is Worth 64 Words", ICLR 2023. The paper's
normalisation of each input by itself is left out: it would hide the level that a fault shifts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.training.networks.lstm import WindowNetwork


class PatchTst(WindowNetwork):
    """Forecasts a window's last rows from its first.

    The output has the window's shape: the rows forecast from are handed through as they are, so
    their residual is 0, and the mean squared residual is ``horizon / window_length`` of the mean
    squared forecast error.

    Args:
        n_channels: Sensors in a row.
        window_length: Rows in a window.
        horizon: Rows forecast, from the ``window_length - horizon`` before.
        patch: Rows in a patch.
        stride: Rows from one patch to the next; patches end at the last known row.
        layers: Encoder layers.
        width: Numbers per patch (``d_model``).
        heads: Attention heads.
    """

    def __init__(
        self,
        n_channels: int = 14,
        window_length: int = 30,
        horizon: int = 10,
        patch: int = 8,
        stride: int = 4,
        layers: int = 3,
        width: int = 64,
        heads: int = 4,
    ) -> None:
        super().__init__()
        known = window_length - horizon
        if known < patch:
            raise ValueError(f"{known} known rows came; at least one patch of {patch} is needed")
        if width % heads:
            raise ValueError(f"width {width} came; a multiple of {heads} heads was expected")
        self.n_channels = n_channels
        self.window_length = window_length
        self.known = known
        self.starts = range((known - patch) % stride, known - patch + 1, stride)
        self.patch = patch
        self.embed = nn.Linear(patch, width)
        self.position = nn.Parameter(torch.randn(len(self.starts), width) * 0.02)
        self.layers = nn.ModuleList(EncoderLayer(width, heads) for _ in range(layers))
        self.head = nn.Linear(len(self.starts) * width, horizon)

    def forward(self, windows: Tensor) -> Tensor:
        """Return known rows and forecast rows of ``windows``, shape ``(B, W, C)`` both."""
        known = windows[:, : self.known]  # (B, K, C)
        series = known.transpose(1, 2).reshape(-1, self.known)  # (B * C, K)
        patches = torch.stack([series[:, s : s + self.patch] for s in self.starts], dim=1)
        states = self.embed(patches) + self.position  # (B * C, P, D)
        for layer in self.layers:
            states = layer(states)
        # an offset to the last known row: staying where it is needs no learning
        offsets = self.head(states.flatten(1))  # (B * C, H)
        forecast = (series[:, -1:] + offsets).reshape(-1, self.n_channels, offsets.shape[1])
        rows: Tensor = torch.cat([known, forecast.transpose(1, 2)], dim=1)  # (B, W, C)
        return rows


class EncoderLayer(nn.Module):
    """Attention and a two-layer network, each normalised before and added to its input.

    Written out of matrix products: the library's own layer has a fused path that exporters and
    float rounding treat differently in training and evaluation.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.before_attention = nn.LayerNorm(width)
        self.before_feed = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_out = nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, states: Tensor) -> Tensor:
        """Return new states of the same shape ``(N, P, D)``."""
        states = states + self._attend(self.before_attention(states))
        rows: Tensor = states + self.feed(self.before_feed(states))
        return rows

    def _attend(self, states: Tensor) -> Tensor:
        n, patches, width = states.shape
        qkv = self.to_qkv(states).reshape(n, patches, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # (N, heads, P, D / heads)
        weights = torch.softmax(query @ key.transpose(-2, -1) * self.scale, dim=-1)
        mixed: Tensor = self.to_out((weights @ value).transpose(1, 2).reshape(n, patches, width))
        return mixed
