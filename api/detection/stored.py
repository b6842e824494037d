"""Stored verdicts for a what-if: read page by page, up to a bound, and laid out by run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from api.detection.values import StoredRun
from common.records.verdicts import ScoreRecord
from common.scorestore.port import ScoreQuery, ScoreStore

PAGE_ROWS: Final = 2000
"""Read, and later written, in one go."""


@dataclass(slots=True)
class StoredVerdicts:
    """What was read.

    Attributes:
        rows: How many verdicts.
        cut_off: The time from which on nothing was read, or not all; none if all was.
    """

    rows: int = 0
    cut_off: datetime | None = None
    _by_run: dict[tuple[str, str], list[ScoreRecord]] = field(default_factory=dict)

    def take(self, records: Sequence[ScoreRecord]) -> None:
        """Take a page in."""
        self.rows += len(records)
        for record in records:
            self._by_run.setdefault((record.asset_id, record.run_id), []).append(record)

    @property
    def runs(self) -> int:
        """Of how many runs they are."""
        return len(self._by_run)

    async def laid_out(self) -> list[StoredRun]:
        """Return the verdicts of each run, in the order of their cycles; made on a thread."""
        return await asyncio.to_thread(
            lambda: [
                part for key, records in sorted(self._by_run.items()) for part in _run(key, records)
            ]
        )


async def read_verdicts(
    scores: ScoreStore, query: ScoreQuery, max_rows: int, timeout_s: float
) -> StoredVerdicts:
    """Read verdicts, the oldest first.

    Args:
        scores: Where they are.
        query: Which; its limit and order are of no account.
        max_rows: More are not read.
        timeout_s: What takes longer is cut off, s.

    Raises:
        BackendError: If the store fails.
    """
    found = StoredVerdicts()
    cursor: str | None = None
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout_s
    while True:
        limit = min(PAGE_ROWS, max_rows - found.rows)
        page = await scores.query(
            replace(query, limit=max(1, limit), cursor=cursor, newest_first=False)
        )
        if limit <= 0 or loop.time() > until:
            found.cut_off = page.records[0].ts if page.records else None
            return found
        await asyncio.to_thread(found.take, page.records)
        cursor = page.next_cursor
        if cursor is None:
            return found


def _run(key: tuple[str, str], records: Sequence[ScoreRecord]) -> Iterator[StoredRun]:
    by_cycle = sorted(records, key=lambda record: record.cycle)
    for start in range(0, len(by_cycle), PAGE_ROWS):
        yield _part(key, by_cycle[start : start + PAGE_ROWS])


def _part(key: tuple[str, str], records: Sequence[ScoreRecord]) -> StoredRun:
    columns: dict[str, list[Any]] = {
        "cycles": [each.cycle for each in records],
        "scores": [each.score for each in records],
        "severities": [each.severity for each in records],
        "evidence": [each.evidence for each in records],
        "levels": [each.level for each in records],
        "warning": [each.warning_threshold for each in records],
        "critical": [each.critical_threshold for each in records],
        "lives": [None if each.life is None else each.life.expected for each in records],
    }
    return StoredRun(asset_id=key[0], run_id=key[1], **columns)
