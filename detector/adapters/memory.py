"""The detector's ports in memory: what unit tests trust, with the promises of the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from common.records import Alert, DeadLetter
from detector.core.pipeline import AssetRun, NextState
from detector.core.state import FENCE, AssetState, Fence, unpack


class MemoryStateStore:
    """States in a dict, packed as Redis holds them."""

    def __init__(self, model: bytes, n_channels: int) -> None:
        self.values: dict[AssetRun, bytes] = {}
        self._model = model
        self._n_channels = n_channels

    async def __aenter__(self) -> Self:
        """Connect."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""

    async def read(self, keys: Sequence[AssetRun]) -> Mapping[AssetRun, AssetState]:
        """Return the stored states."""
        return {
            key: unpack(self.values[key], self._model, self._n_channels)
            for key in keys
            if key in self.values
        }

    async def write(self, states: Mapping[AssetRun, NextState]) -> Sequence[AssetRun]:
        """Store each state that is still the next one; return the others."""
        refused: list[AssetRun] = []
        for key, next_state in states.items():
            stored = self.values.get(key)
            fence = None if stored is None else Fence(*FENCE.unpack_from(stored))
            if fence in (None, next_state.expected, next_state.state.fence):
                self.values[key] = next_state.state.pack()
            else:
                refused.append(key)
        return refused

    async def ping(self) -> None:
        """Return."""


class MemoryPublisher:
    """Alerts and dead letters in lists, in the order of publishing."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.dead_letters: list[DeadLetter] = []

    async def __aenter__(self) -> Self:
        """Connect."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""

    async def publish(self, alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]) -> None:
        """Keep them."""
        self.alerts.extend(alerts)
        self.dead_letters.extend(dead_letters)
