"""Evidence of alerts in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from api.adapters.memory.alerts import MemoryAlertHistory
from api.adapters.memory.positions import Positions, positions_of
from api.evidence import WITHOUT_ALERT, EvidenceBatch
from api.ports import FeedPosition
from common.errors import BackendError
from common.records.evidence import AlertEvidence


class MemoryEvidenceStore:
    """Evidence in a dict.

    Args:
        history: The alerts it belongs to.

    Attributes:
        failure: When set, every call raises it.
    """

    def __init__(self, history: MemoryAlertHistory) -> None:
        self.failure: BackendError | None = None
        self._history = history
        history.forgotten.append(self._forget)
        self._kept: dict[str, tuple[datetime, AlertEvidence]] = {}
        self._positions: Positions = {}

    async def store(self, batch: EvidenceBatch, noticed_at: datetime | None = None) -> int:
        """Keep the evidence and the position."""
        self._check()
        before = len(self._kept)
        for item in batch.items:
            came = noticed_at or datetime.now(UTC), item.evidence
            self._kept.setdefault(item.evidence.evidence_id, came)
        self._positions[batch.source, batch.partition] = batch.position
        return len(self._kept) - before

    async def positions(self, source: str) -> Mapping[int, FeedPosition]:
        """Return how far each partition was read before."""
        self._check()
        return positions_of(source, self._positions)

    async def find(self, evidence_id: str) -> AlertEvidence | None:
        """Return the evidence, or none."""
        self._check()
        found = self._kept.get(evidence_id)
        return None if found is None else found[1]

    async def of_run(self, asset_id: str, run_id: str, limit: int) -> Sequence[AlertEvidence]:
        """Return evidence of a run, that of the highest cycle first."""
        self._check()
        found = [
            evidence
            for _, evidence in self._kept.values()
            if (evidence.asset_id, evidence.run_id) == (asset_id, run_id)
        ]
        found.sort(key=lambda evidence: (-evidence.cycle, evidence.evidence_id))
        return found[:limit]

    async def has_later(self, sequence: int) -> bool:
        """Return whether an alert that arrived after this one has its evidence here."""
        self._check()
        later = self._history.ids_after(sequence)
        return any(evidence.alert_id in later for _, evidence in self._kept.values())

    async def trim(self, now: datetime, most_rows: int) -> int:
        """Remove what has no alert."""
        self._check()
        known = self._history.ids()
        gone = [
            evidence_id
            for evidence_id, (came_at, evidence) in self._kept.items()
            if evidence.alert_id not in known and came_at <= now - WITHOUT_ALERT
        ][:most_rows]
        for evidence_id in gone:
            del self._kept[evidence_id]
        return len(gone)

    def _forget(self, alert_id: str) -> None:
        for evidence_id, (_, evidence) in list(self._kept.items()):
            if evidence.alert_id == alert_id:
                del self._kept[evidence_id]

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure
