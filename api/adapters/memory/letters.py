"""Dead letters in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.letters import LetterPage
from common.errors import BackendUnavailableError
from common.records.letters import DeadLetter


@dataclass(slots=True)
class MemoryLetterReader:
    """One partition of letters.

    Attributes:
        letters: The oldest first; a letter's place is its offset.
        trouble: When set, nobody answers, and this says why.
    """

    letters: list[DeadLetter] = field(default_factory=list)
    trouble: str | None = None

    async def latest(self, most: int, before: Mapping[int, int] | None = None) -> LetterPage:
        """Return the latest dead letters; see the port."""
        if self.trouble is not None:
            raise BackendUnavailableError(self.trouble)
        end = min(len(self.letters), (before or {}).get(0, len(self.letters)))
        begin = max(0, end - most)
        return LetterPage(self.letters[begin:end][::-1], {0: begin} if begin else None)
