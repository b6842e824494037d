"""The detector's ports in memory: what unit tests trust, with the promises of the real ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from types import TracebackType
from typing import Self

from common.records import Alert, DeadLetter
from detector.core.pipeline import AssetRun, NextState
from detector.core.source import SourceRecord
from detector.core.state import FENCE, Fence, unpack
from detector.ports import NextProgress, Stored


class MemoryStateStore:
    """States in a dict, packed as Redis holds them."""

    def __init__(self, model: bytes, n_channels: int) -> None:
        self.values: dict[AssetRun, bytes] = {}
        self.progress: dict[int, int] = {}
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

    async def read(self, keys: Sequence[AssetRun], partitions: Sequence[int]) -> Stored:
        """Return what is stored."""
        return Stored(
            {
                key: unpack(self.values[key], self._model, self._n_channels)
                for key in keys
                if key in self.values
            },
            {number: self.progress[number] for number in partitions if number in self.progress},
        )

    async def write(
        self, states: Mapping[AssetRun, NextState], progress: Mapping[int, NextProgress]
    ) -> Sequence[AssetRun]:
        """Store what is still the next one; return the states that are not."""
        refused: list[AssetRun] = []
        for key, next_state in states.items():
            stored = self.values.get(key)
            fence = None if stored is None else Fence(*FENCE.unpack_from(stored))
            if fence in (None, next_state.expected, next_state.state.fence):
                self.values[key] = next_state.state.pack()
            else:
                refused.append(key)
        for partition, item in progress.items():
            if self.progress.get(partition) in (item.expected, item.next_offset):
                self.progress[partition] = item.next_offset
        return refused

    async def ping(self) -> None:
        """Return."""


class MemoryHistory:
    """The past of a topic, as a list of records."""

    def __init__(self, records: Sequence[SourceRecord] = (), batch: int = 100) -> None:
        self.records = list(records)
        self.reads: list[tuple[int, int | None, int]] = []
        self._batch = batch

    async def read(
        self, partition: int, start: int | None, end: int
    ) -> AsyncGenerator[Sequence[SourceRecord], None]:
        """Yield the partition's records in the range."""
        self.reads.append((partition, start, end))
        found = [
            record
            for record in self.records
            if record.position.partition == partition
            and (start or 0) <= record.position.offset < end
        ]
        for first in range(0, len(found), self._batch):
            yield found[first : first + self._batch]


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
