"""Evidence of alerts in SQLite or PostgreSQL, compressed: 8 kB of a shipped model's become 2 kB."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError
from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from api.adapters.sql.alert_rows import CHUNK, is_storable
from api.adapters.sql.database import our_errors
from api.adapters.sql.models import AlertRow, EvidenceRow
from api.adapters.sql.positions import put_position, read_positions
from api.adapters.sql.upsert import upsert
from api.evidence import WITHOUT_ALERT, EvidenceBatch, WireEvidence
from api.ports import FeedPosition
from common.logs import get_logger
from common.records.evidence import AlertEvidence

_KNOWN: Final = select(EvidenceRow.evidence_id).where(
    EvidenceRow.evidence_id.in_(bindparam("ids", expanding=True))
)
_log = get_logger(__name__)


class SqlEvidenceStore:
    """Keeps evidence in the database of ``open_database``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def store(self, batch: EvidenceBatch, noticed_at: datetime | None = None) -> int:
        """Keep the evidence and the position in one transaction; see the port."""
        at = noticed_at or datetime.now(UTC)
        by_id = {item.evidence.evidence_id: item for item in reversed(batch.items)}
        rows = await asyncio.to_thread(lambda: [_row(item, at) for item in by_id.values()])
        with our_errors("store evidence"):
            async with self._engine.begin() as connection:
                new = 0
                for start in range(0, len(rows), CHUNK):
                    new += await _insert(connection, rows[start : start + CHUNK])
                await put_position(connection, batch)
        return new

    async def positions(self, source: str) -> Mapping[int, FeedPosition]:
        """Return how far each partition was read before."""
        with our_errors("read its positions"):
            async with self._engine.connect() as connection:
                return await read_positions(connection, source)

    async def find(self, evidence_id: str) -> AlertEvidence | None:
        """Return the evidence, or none."""
        with our_errors("read evidence"):
            async with self._engine.connect() as connection:
                body = await connection.scalar(
                    select(EvidenceRow.body).where(EvidenceRow.evidence_id == evidence_id)
                )
        return None if body is None else await asyncio.to_thread(_read, body)

    async def of_run(self, asset_id: str, run_id: str, limit: int) -> Sequence[AlertEvidence]:
        """Return evidence of a run, that of the highest cycle first."""
        if not (is_storable(asset_id) and is_storable(run_id)):
            return []
        statement = (
            select(EvidenceRow.body)
            .where(EvidenceRow.asset_id == asset_id, EvidenceRow.run_id == run_id)
            .order_by(EvidenceRow.cycle.desc(), EvidenceRow.evidence_id)
            .limit(limit)
        )
        with our_errors("read evidence"):
            async with self._engine.connect() as connection:
                bodies = (await connection.scalars(statement)).all()
        found = await asyncio.to_thread(lambda: [_read(body) for body in bodies])
        return [evidence for evidence in found if evidence is not None]

    async def has_later(self, sequence: int) -> bool:
        """Return whether an alert that arrived after this one has its evidence here."""
        statement = (
            select(AlertRow.sequence)
            .join(EvidenceRow, EvidenceRow.alert_id == AlertRow.alert_id)
            .where(AlertRow.sequence > sequence)
            .limit(1)
        )
        with our_errors("read evidence"):
            async with self._engine.connect() as connection:
                return (await connection.execute(statement)).first() is not None

    async def trim(self, now: datetime, most_rows: int) -> int:
        """Remove a slice of what has no alert, in one transaction."""
        has_alert = exists().where(AlertRow.alert_id == EvidenceRow.alert_id)
        chosen = (
            select(EvidenceRow.evidence_id)
            .where(EvidenceRow.arrived_at <= now - WITHOUT_ALERT, ~has_alert)
            .limit(most_rows)
        )
        with our_errors("remove evidence"):
            async with self._engine.begin() as connection:
                gone = (await connection.scalars(chosen)).all()
                for start in range(0, len(gone), CHUNK):
                    ids = gone[start : start + CHUNK]
                    await connection.execute(
                        delete(EvidenceRow).where(EvidenceRow.evidence_id.in_(ids))
                    )
        return len(gone)


async def _insert(connection: AsyncConnection, rows: Sequence[dict[str, object]]) -> int:
    """Insert what is not there; return how many rows were not, as this transaction sees it."""
    ids = [row["evidence_id"] for row in rows]
    known = (await connection.scalars(_KNOWN, {"ids": ids})).all()
    new = [row for row in rows if row["evidence_id"] not in set(known)]
    if new:
        # another api may store the same between the question and this line
        await connection.execute(upsert(connection)(EvidenceRow).on_conflict_do_nothing(), new)
    return len(new)


def _row(item: WireEvidence, at: datetime) -> dict[str, object]:
    evidence = item.evidence
    return {
        "evidence_id": evidence.evidence_id,
        "alert_id": evidence.alert_id,
        "asset_id": evidence.asset_id,
        "run_id": evidence.run_id,
        "cycle": evidence.cycle,
        "arrived_at": at,
        "body": zlib.compress(item.body.encode()),
    }


def _read(body: bytes) -> AlertEvidence | None:
    """Return stored evidence; what cannot be read harms only itself."""
    try:
        return AlertEvidence.model_validate_json(zlib.decompress(body))
    except (zlib.error, ValidationError) as exc:
        _log.warning("stored evidence cannot be read", why=str(exc).splitlines()[0])
        return None
