"""What a replay needs of the outside: somewhere to publish, and what is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from producer.fleet import Message


class ReadingPublisher(Protocol):
    """Puts readings on the topic."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish all; on return the broker has acknowledged every one.

        Messages of one key stay in the order given, whatever is retried. When it raises, what
        reached the topic is, for each key, a beginning of what was given: never a later message
        without the earlier ones.

        Raises:
            BackendUnavailableError: If the broker does not acknowledge in time.
            BackendRefusedError: If it will never take them.
        """


@dataclass(frozen=True, slots=True)
class AssetHistory:
    """What the topic holds of one asset's run.

    Attributes:
        cycles: The cycles that are there.
        latest: The reading with the highest of them, as it stands on the topic.
    """

    cycles: frozenset[int]
    latest: bytes


class RunHistory(Protocol):
    """Looks up what has been published before."""

    async def of_run(self, run_id: str) -> Mapping[str, AssetHistory]:
        """Return what the topic holds of a run now, by asset id; empty if nothing.

        Raises:
            BackendUnavailableError: If the topic cannot be read to its end.
        """
