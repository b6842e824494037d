"""What the detector needs of the world: two protocols beside the score store's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from common.records import Alert, DeadLetter
from detector.core.pipeline import AssetRun, NextState
from detector.core.state import AssetState


class StateStore(Protocol):
    """Where rings and alarm states are kept. An async context manager.

    Raises, from every method: ``BackendUnavailableError`` when a later try may work,
    ``BackendRefusedError`` when it will not.
    """

    async def __aenter__(self) -> Self:
        """Connect."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""

    async def read(self, keys: Sequence[AssetRun]) -> Mapping[AssetRun, AssetState]:
        """Return the stored states, in one round trip; a key without one is left out."""

    async def write(self, states: Mapping[AssetRun, NextState]) -> Sequence[AssetRun]:
        """Store the states, in one round trip, each only if it is still the next one.

        A state is stored when what is there carries the expected fence, or the very fence being
        written (the retry of a write that had arrived), or when nothing is there. Else another
        worker has gone on with the asset; that key is left alone.

        Returns:
            The keys that were left alone.
        """

    async def ping(self) -> None:
        """Return when the store answers and would take a write."""


class OutputPublisher(Protocol):
    """Where alerts and dead letters go. An async context manager."""

    async def __aenter__(self) -> Self:
        """Connect."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Flush and disconnect."""

    async def publish(self, alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]) -> None:
        """Publish all, keyed by asset; on return the broker has acknowledged every one.

        The alerts of one asset keep their order. When it raises, any part may have been published:
        publish again; the ids are the same.

        Raises:
            BackendUnavailableError: If the broker did not acknowledge in time.
        """
