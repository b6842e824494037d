"""What alerts rest on, as the api keeps it: the values, and the port of the store.

The fake is ``adapters/memory/evidence.py``; ``tests/contract/test_evidence.py`` holds it and the
real adapter to the same promises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeAlias

from api.ports import Feed, FeedBatch, FeedPosition
from common.records.evidence import AlertEvidence

WITHOUT_ALERT: Final = timedelta(days=1)
"""For so long evidence is kept whose alert is not there: it may be on its way, or be gone."""


@dataclass(frozen=True, slots=True)
class WireEvidence:
    """Evidence and the very text it came in.

    Attributes:
        evidence: The decoded message.
        body: The message as it stood on the topic.
    """

    evidence: AlertEvidence
    body: str


EvidenceBatch: TypeAlias = FeedBatch[WireEvidence]

EvidenceFeed: TypeAlias = Feed[WireEvidence]


class EvidenceStore(Protocol):
    """Evidence once by its id, and how far its topic has been read.

    Raises, from every method: ``BackendUnavailableError`` when a later try may work,
    ``BackendRefusedError`` when it will not.
    """

    async def store(self, batch: EvidenceBatch, noticed_at: datetime | None = None) -> int:
        """Keep the evidence and the batch's position in one transaction.

        Idempotent by ``evidence_id``: a known one is left as it is.

        Args:
            batch: What was read.
            noticed_at: When; now, where it is not said.

        Returns:
            How much of it was new.
        """

    async def positions(self, source: str) -> Mapping[int, FeedPosition]:
        """Return how far each partition of ``source`` that was ever read has been read."""

    async def find(self, evidence_id: str) -> AlertEvidence | None:
        """Return the evidence, or none."""

    async def of_run(self, asset_id: str, run_id: str, limit: int) -> Sequence[AlertEvidence]:
        """Return at most ``limit`` pieces of evidence of a run, that of the highest cycle first."""

    async def has_later(self, sequence: int) -> bool:
        """Return whether an alert that arrived after this one has its evidence here."""

    async def trim(self, now: datetime, most_rows: int) -> int:
        """Remove a slice of what has no alert, unless it came less than a day ago.

        Evidence comes before its alert, and an alert that is removed takes its evidence with it.

        Args:
            now: The time.
            most_rows: Most pieces to remove.

        Returns:
            How many went; fewer than ``most_rows`` when nothing more is to go.
        """
