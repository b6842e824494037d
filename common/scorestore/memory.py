"""The score store that unit tests trust: plain dictionaries, the same promises."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from msgspec import structs

from common.records.verdicts import FinalScore, ScoreRecord, SourcePosition, Verdict
from common.scorestore.batch import RepeatKey, RunKey, gather
from common.scorestore.paging import (
    Bounds,
    check_plot,
    check_query,
    epoch_us,
    page_of,
    position_of,
)
from common.scorestore.plotting import NO_LEVEL, PlotReducer, with_finals
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
from common.scorestore.tally import RunTally, filling, glance_of, in_order, latest_of


class MemoryScoreStore:
    """Keeps rows until the process ends; leaving the context loses nothing."""

    def __init__(self) -> None:
        self._verdicts: dict[RunKey, dict[int, ScoreRecord]] = {}
        self._repeats: dict[RepeatKey, ScoreRecord] = {}
        self._noted: dict[tuple[str, str, int], int] = {}
        self._removed_until: datetime | None = None
        self._arrived: dict[RunKey, int] = {}

    async def __aenter__(self) -> Self:
        """Do nothing: there is nothing to open."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: there is nothing to close."""

    async def write(
        self, records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = ()
    ) -> None:
        """Keep the rows."""
        batch = gather([*records], finals)
        for run, rows in batch.verdicts.items():
            kept = self._verdicts.setdefault(run, {})
            for cycle, record in rows.items():
                self._arrived[run] = max(self._arrived.get(run, 0), record.published_ts_ms)
                before = kept.get(cycle)
                kept[cycle] = structs.replace(
                    record,
                    source=SourcePosition("", 0, 0),
                    published_ts_ms=0,
                    final_score=None if before is None else before.final_score,
                )
        for final in batch.finals:
            kept = self._verdicts.get((final.asset_id, final.run_id), {})
            if final.cycle in kept:
                kept[final.cycle] = structs.replace(kept[final.cycle], final_score=final.score)
        self._repeats.update(batch.repeats)

    async def query(self, query: ScoreQuery) -> ScorePage:
        """Return one page."""
        bounds = check_query(query)
        found = [
            record
            for rows in self._verdicts.values()
            for record in rows.values()
            if _matches(record, query, bounds)
        ]
        found.sort(key=position_of, reverse=query.newest_first)
        return page_of(found[: query.limit + 1], query.limit)

    async def runs(
        self,
        *,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> Sequence[RunSummary]:
        """Return a summary of each run, counted anew."""
        tallies: defaultdict[RunKey, RunTally] = defaultdict(RunTally)
        for key, rows in self._verdicts.items():
            for row in rows.values():
                tallies[key].add(
                    row.cycle,
                    epoch_us(row.ts),
                    row.status,
                    row.score,
                    row.level,
                    row.severity,
                    row.life,
                )
                tallies[key].fleet = row.fleet
            tallies[key].arrived(self._arrived[key])
        for row in self._repeats.values():
            tally = tallies[row.asset_id, row.run_id]
            tally.count(row.status)
            if tally.first_cycle is None:
                tally.fleet = row.fleet
        return in_order(
            tally.summary(asset, run)
            for (asset, run), tally in tallies.items()
            if asset_id in (None, asset) and run_id in (None, run) and fleet in (None, tally.fleet)
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
        """Return the summaries of a few assets."""
        runs = [
            run
            for run in await self.runs(asset_id=asset_id, run_id=run_id, fleet=fleet)
            if after is None or run.asset_id > after
        ]
        names = sorted({run.asset_id for run in runs})
        chosen = names[:most_assets]
        return RunPage(
            [run for run in runs if run.asset_id in chosen],
            chosen[-1] if len(names) > most_assets else None,
        )

    async def activity(self, since: datetime) -> Sequence[RunActivity]:
        """Return how far each run has come, whenever that was."""
        return [
            RunActivity(
                asset_id=run.asset_id,
                run_id=run.run_id,
                fleet=run.fleet,
                last_cycle=run.last_cycle,
                last_ts=run.last_ts,
                last_scored_cycle=self._last_scored(run),
                readings=sum(run.verdicts.values()),
                scored=run.verdicts.get(Verdict.SCORED, 0),
            )
            for run in await self.runs()
        ]

    def _last_scored(self, run: RunSummary) -> int | None:
        rows = self._verdicts.get((run.asset_id, run.run_id), {})
        return max((row.cycle for row in rows.values() if row.score is not None), default=None)

    async def summaries(self, asset_ids: Collection[str]) -> Sequence[RunSummary]:
        """Return the summaries of these assets."""
        return [run for run in await self.runs() if run.asset_id in asset_ids]

    async def latest_runs(
        self,
        *,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> Sequence[Glance]:
        """Return the latest run of each asset."""
        runs = await self.runs(asset_id=asset_id, run_id=run_id, fleet=fleet)
        return [glance_of(run) for run in latest_of(runs)]

    async def warm_ups(self, runs: Collection[tuple[str, str]], most: int) -> Sequence[int]:
        """Return how many readings the window that is being filled has."""
        return [
            filling(rows[cycle].status for cycle in sorted(rows, reverse=True)[:most])
            for rows in (self._verdicts.get(run, {}) for run in runs)
        ]

    async def plot(self, query: PlotQuery) -> Plot:
        """Return a plot of the rows in order."""
        bounds = check_plot(query)
        kept = sorted(
            (epoch_us(row.ts), row.cycle, row.severity, row.level.rank, row.final_score)
            for row in self._verdicts.get((query.asset_id, query.run_id), {}).values()
            if (bounds.since_us is None or epoch_us(row.ts) >= bounds.since_us)
            and (bounds.until_us is None or epoch_us(row.ts) < bounds.until_us)
        )
        if not kept:
            return Plot([])
        reducer, finals = (PlotReducer(kept[0][0], kept[-1][0], query.most) for _ in range(2))
        reducer.add([row[:4] for row in kept])
        finals.add([(ts_us, cycle, final, NO_LEVEL) for ts_us, cycle, _, _, final in kept])
        return with_finals(reducer.plot(), finals)

    async def verdict_counts(self, run_id: str | None = None) -> Mapping[Verdict, int]:
        """Return how many readings got each verdict."""
        rows = [row for run in self._verdicts.values() for row in run.values()]
        rows.extend(self._repeats.values())
        return dict(Counter(row.status for row in rows if run_id in (None, row.run_id)))

    async def trim(self, keep: Keeping, now: datetime, most_rows: int) -> Trimmed:
        """Remove a slice of what is too old; memory has no size to bound."""
        if keep.max_age_us is None:
            return Trimmed(0)
        now_us = epoch_us(now)
        for (asset_id, run_id), rows in self._verdicts.items():
            for cycle in rows:
                self._noted.setdefault((asset_id, run_id, cycle), now_us)
        end_us = now_us - keep.max_age_us
        old = [key for key, noted_us in self._noted.items() if noted_us <= end_us][:most_rows]
        for asset_id, run_id, cycle in old:
            self._forget((asset_id, run_id), cycle)
        expired = [key for key in self._repeats if key[5] * 1000 < end_us][:most_rows]
        for repeat in expired:
            del self._repeats[repeat]
        return Trimmed(len(old) + len(expired), more=most_rows in (len(old), len(expired)))

    def _forget(self, run: RunKey, cycle: int) -> None:
        gone = self._verdicts[run].pop(cycle)
        del self._noted[(*run, cycle)]
        if not self._verdicts[run]:
            del self._verdicts[run]
        self._removed_until = max(self._removed_until or gone.ts, gone.ts)

    async def removed_until(self) -> datetime | None:
        """Return the time of the latest reading whose verdict was removed."""
        return self._removed_until

    async def ping(self) -> None:
        """Return: it always answers."""


def _matches(record: ScoreRecord, query: ScoreQuery, bounds: Bounds) -> bool:
    position = position_of(record)
    if bounds.after is not None and not (
        position < bounds.after if query.newest_first else position > bounds.after
    ):
        return False
    return (
        query.asset_id in (None, record.asset_id)
        and query.run_id in (None, record.run_id)
        and query.fleet in (None, record.fleet)
        and query.status in (None, record.status)
        and (bounds.since_us is None or position.ts_us >= bounds.since_us)
        and (bounds.until_us is None or position.ts_us < bounds.until_us)
        and (query.min_level is None or record.level.rank >= query.min_level.rank)
    )
