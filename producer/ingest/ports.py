"""What ingesting needs of the outside beside a publisher: messages of somebody else's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SourceMessage:
    """One message of theirs.

    Attributes:
        partition: Where it stands.
        offset: Where it stands.
        value: Its bytes; none if it has none.
    """

    partition: int
    offset: int
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of their topic.

    Attributes:
        messages: In the order of their offsets, partition by partition.
        ends: For each partition, the offset that comes after all of it.
        unreadable: A sentence for each batch of records that nobody can read, skipped.
        behind: Records that are on the partitions read, and not taken yet; none if not known.
    """

    messages: Sequence[SourceMessage] = ()
    ends: Mapping[int, int] = field(default_factory=dict)
    unreadable: Sequence[str] = ()
    behind: int | None = None


class MessageSource(Protocol):
    """Their topic, read by one member of a group."""

    async def take(self, max_messages: int, timeout_s: float) -> Taken:
        """Return what has come, waiting for a while if it is nothing yet.

        Every message after the last commit comes once to one member of the group; after a member
        died, or the group changed, those that were not committed come again. Only what is
        committed on their topic comes: nothing of a transaction that was aborted.

        Raises:
            BackendUnavailableError: If the broker does not answer.
            BackendRefusedError: If it will never hand them over.
        """

    async def commit(self, taken: Taken) -> bool:
        """Commit that all of it has been sent.

        Returns:
            False if the partitions are another member's by now: it will take and send the same
            again.

        Raises:
            BackendUnavailableError: If the broker does not confirm; trying again is harmless.
            BackendRefusedError: If it never will.
        """
