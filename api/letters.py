"""What the api shows of dead letters: the latest, a page at a time, read where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.records.letters import DeadLetter


@dataclass(frozen=True, slots=True)
class LetterPage:
    """Some dead letters.

    Attributes:
        letters: The latest first. A letter that was written again stands there again.
        older: Where to go on, by partition: the offset before which the next page ends. None where
            there are no older ones.
    """

    letters: Sequence[DeadLetter]
    older: Mapping[int, int] | None


class LetterReader(Protocol):
    """Reads the dead-letter topic."""

    async def latest(self, most: int, before: Mapping[int, int] | None = None) -> LetterPage:
        """Return the latest dead letters.

        At most ``most`` messages of each partition are read, however many there are. What is on
        the topic and no dead letter is left out.

        Args:
            most: Most letters.
            before: ``older`` of the page before; none for the first.

        Raises:
            BackendUnavailableError: If the broker does not answer in time.
        """
        ...
