"""The score store in an SQLite file: for one machine, any number of processes.

One process writes and others read at the same time (WAL). Writing and reading have a thread and a
connection each, so that a long read delays no write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from common.records.verdicts import FinalScore, ScoreRecord, Verdict
from common.scorestore.batch import gather
from common.scorestore.paging import check_plot, check_query, epoch_us, from_epoch_us
from common.scorestore.port import (
    Glance,
    Keeping,
    Plot,
    PlotQuery,
    RunActivity,
    RunPage,
    RunSummary,
    ScorePage,
    ScoreQuery,
    Trimmed,
)
from common.scorestore.sqlite.known import Known
from common.scorestore.sqlite.plots import read_plot
from common.scorestore.sqlite.reader import (
    read_activity,
    read_counts,
    read_latest,
    read_page,
    read_run_page,
    read_runs,
    read_summaries,
    read_warm_ups,
)
from common.scorestore.sqlite.retention import read_removed_until, trim_slice
from common.scorestore.sqlite.thread import SqliteThread
from common.scorestore.sqlite.writer import write_batch


class SqliteScoreStore:
    """Keeps every promise of the port; a write is one transaction, synced before it returns."""

    def __init__(self, path: Path, op_timeout_s: float) -> None:
        """Prepare a store.

        Args:
            path: The file; made on entering, with its folders.
            op_timeout_s: Longest wait for another process's lock, and longest work, s.
        """
        self._writer = SqliteThread(path, "writer", op_timeout_s)
        self._reader = SqliteThread(path, "reader", op_timeout_s)
        self._known = Known()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Open the file; create it and its tables if missing."""
        async with AsyncExitStack() as opening:
            for thread in (self._writer, self._reader):
                opening.push_async_callback(thread.close)
                await thread.open()
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Finish what was started, and close."""
        await self._open.aclose()

    async def write(
        self, records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = ()
    ) -> None:
        """Store the rows in one transaction."""
        if records or finals:
            await self._writer.run(
                lambda connection: write_batch(connection, gather(records, finals), self._known)
            )

    async def query(self, query: ScoreQuery) -> ScorePage:
        """Return one page."""
        bounds = check_query(query)
        return await self._reader.run(lambda connection: read_page(connection, query, bounds))

    async def runs(
        self,
        *,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> Sequence[RunSummary]:
        """Return a summary of each run, from the table that every write keeps."""
        return await self._reader.run(
            lambda connection: read_runs(connection, asset_id, run_id, fleet)
        )

    async def run_page(
        self,
        most_assets: int,
        *,
        after: str | None = None,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> RunPage:
        """Return the summaries of a few assets, from the same table."""
        return await self._reader.run(
            lambda connection: read_run_page(
                connection, most_assets, after, asset_id, run_id, fleet
            )
        )

    async def activity(self, since: datetime) -> Sequence[RunActivity]:
        """Return how far each run has come, from the same table."""
        since_us = epoch_us(since)
        return await self._reader.run(lambda connection: read_activity(connection, since_us))

    async def summaries(self, asset_ids: Collection[str]) -> Sequence[RunSummary]:
        """Return the summaries of these assets, from the same table."""
        return await self._reader.run(lambda connection: read_summaries(connection, asset_ids))

    async def latest_runs(
        self,
        *,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> Sequence[Glance]:
        """Return the latest run of each asset, from the same table."""
        return await self._reader.run(
            lambda connection: read_latest(connection, asset_id, run_id, fleet)
        )

    async def warm_ups(self, runs: Collection[tuple[str, str]], most: int) -> Sequence[int]:
        """Return how many readings the window that is being filled has."""
        return await self._reader.run(lambda connection: read_warm_ups(connection, runs, most))

    async def plot(self, query: PlotQuery) -> Plot:
        """Return a plot from an index."""
        bounds = check_plot(query)
        return await self._reader.run(lambda connection: read_plot(connection, query, bounds))

    async def verdict_counts(self, run_id: str | None = None) -> Mapping[Verdict, int]:
        """Return how many readings got each verdict, from the same table."""
        return await self._reader.run(lambda connection: read_counts(connection, run_id))

    async def trim(self, keep: Keeping, now: datetime, most_rows: int) -> Trimmed:
        """Remove a slice in one transaction.

        On the writer's thread: a write of this process waits for its turn, which is shorter than
        finding out again and again that the file is locked.
        """
        return await self._writer.run(
            lambda connection: trim_slice(connection, keep, now, most_rows)
        )

    async def removed_until(self) -> datetime | None:
        """Return the time of the latest reading whose verdict was removed."""
        until_us = await self._reader.run(read_removed_until)
        return None if until_us is None else from_epoch_us(until_us)

    async def ping(self) -> None:
        """Return when the file can be read."""
        await self._reader.run(lambda connection: connection.execute("SELECT 1 FROM run LIMIT 1"))
