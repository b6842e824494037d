"""What every score store promises.

Identity: a verdict is the row of (asset, run, cycle); a repeat (late, duplicate, rejected) is the
row of (asset, run, topic, partition, offset, broker's timestamp) and never touches the verdict of
the reading it repeats. The timestamp is there because a topic made anew counts offsets from 0
again. Writing a row again replaces it, so a redelivered batch is harmless.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

from common.records.verdicts import FinalScore, Level, LifeLeft, ScoreRecord, Verdict


@dataclass(frozen=True, slots=True)
class ScoreQuery:
    """Which verdicts to read. All bounds apply together; repeats are never among the results.

    Attributes:
        asset_id: Only this asset; none means all.
        run_id: Only this run; none means all.
        fleet: Only this fleet; none means all.
        since: Only readings at or after this time.
        until: Only readings before this time.
        status: Only this verdict.
        min_level: Only rows of this level or worse.
        limit: Most rows in one page, 1 to 10,000.
        cursor: Continue after a page: its ``next_cursor``. Opaque; valid for the same query only.
        newest_first: Order by time, newest first; else oldest first.
    """

    asset_id: str | None = None
    run_id: str | None = None
    fleet: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: Verdict | None = None
    min_level: Level | None = None
    limit: int = 1000
    cursor: str | None = None
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class ScorePage:
    """One page of verdicts, ordered by (ts, asset_id, run_id, cycle).

    Attributes:
        records: At most ``limit`` rows. ``source`` and ``published_ts_ms`` are not kept for them.
        next_cursor: Where the next page starts; none on the last one.
    """

    records: Sequence[ScoreRecord]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One asset's run at a glance.

    Attributes:
        asset_id: Which asset.
        run_id: Which run.
        fleet: Of which fleet.
        first_cycle: Lowest cycle with a verdict; none where only repeats (rejected and the like)
            are known, which are verdicts on messages and not on cycles.
        last_cycle: Highest cycle with a verdict; likewise.
        last_ts: Timestamp of the reading at ``last_cycle``, UTC; likewise.
        verdicts: Count by verdict, repeats included.
        last_score: Score of the latest scored reading; none if none was scored.
        last_level: Its level.
        last_severity: Its severity: 1 is a warning, for every model and machine; none too where an
            earlier version scored it.
        last_life: How long the latest scored reading says is left; none where the model does not
            know.
        peak_score: Highest score; none if none was scored.
        peak_severity: Highest severity, likewise.
        last_scored_cycle: Highest cycle with a score; none if none was scored.
        arrived_ms: When the run's last verdict on a cycle reached the broker, UTC epoch
            milliseconds; none where none did, or only an earlier version wrote them.
    """

    asset_id: str
    run_id: str
    fleet: str
    first_cycle: int | None
    last_cycle: int | None
    last_ts: datetime | None
    verdicts: Mapping[Verdict, int]
    last_score: float | None
    last_level: Level
    peak_score: float | None
    last_severity: float | None = None
    peak_severity: float | None = None
    last_scored_cycle: int | None = None
    arrived_ms: int | None = None
    last_life: LifeLeft | None = None


class Glance(NamedTuple):
    """An asset's latest run, as little of it as orders assets: a tuple, for there are many.

    Attributes:
        asset_id: Which asset.
        run_id: Its latest run: of those with a verdict on a cycle the one of the highest
            ``arrived_ms``, then ``last_ts``, then name; runs of repeats alone come before these.
        fleet: Of which fleet.
        scored: Whether any of its readings was scored.
        severity: The latest; none if none was scored.
    """

    asset_id: str
    run_id: str
    fleet: str
    scored: bool
    severity: float | None


FEWEST_POINTS: Final = 16
"""A single bucket of a plot has at most 8 rows: two of each level, and two extremes."""


@dataclass(frozen=True, slots=True)
class PlotQuery:
    """What to plot.

    Attributes:
        asset_id: Which asset.
        run_id: Which of its runs.
        since: Only readings at or after this time.
        until: Only readings before this time.
        most: Most points, at least ``FEWEST_POINTS``.
    """

    asset_id: str
    run_id: str
    since: datetime | None = None
    until: datetime | None = None
    most: int = 1000


class PlotPoint(NamedTuple):
    """One scored reading among those that were chosen.

    Attributes:
        ts_us: Its time, UTC epoch microseconds.
        cycle: Its cycle.
        severity: 1 is a warning.
        level: What this reading alone comes to.
        gap_before: Whether readings between this point and the one before were not scored.
    """

    ts_us: int
    cycle: int
    severity: float
    level: Level
    gap_before: bool


class FinalPoint(NamedTuple):
    """One reading's final score among those that were chosen.

    Attributes:
        ts_us: The reading's time, UTC epoch microseconds.
        cycle: Its cycle.
        final_score: Higher is more anomalous.
        gap_before: Whether readings between this point and the one before have no final score.
    """

    ts_us: int
    cycle: int
    final_score: float
    gap_before: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """A run's severity in few points, in the order of (time, cycle).

    Attributes:
        points: At most as many as were asked for.
        scored: How many scored readings there are.
        gaps: How often scoring was interrupted.
        level_changes: How often the level differs from the reading's before.
        bucket_us: Width of the buckets, microseconds; none where all readings are points.
        finals: Final scores, likewise: at most as many; none of models whose scores are final at
            once.
    """

    points: Sequence[PlotPoint]
    scored: int = 0
    gaps: int = 0
    level_changes: int = 0
    bucket_us: int | None = None
    finals: Sequence[FinalPoint] = ()


@dataclass(frozen=True, slots=True)
class RunPage:
    """The runs of some assets.

    Attributes:
        runs: Their summaries, in the order of :meth:`ScoreStore.runs`.
        next_after: The last asset of this page, if others follow; none on the last page.
    """

    runs: Sequence[RunSummary]
    next_after: str | None


@dataclass(frozen=True, slots=True)
class RunActivity:
    """How far one run has come, to be compared with an earlier answer.

    Attributes:
        asset_id: Which asset.
        run_id: Which run.
        fleet: Of which fleet.
        last_cycle: Highest cycle with a verdict; none where only repeats are known.
        last_ts: Timestamp of that reading, UTC; likewise.
        last_scored_cycle: Highest cycle with a score; none without one.
        readings: How many messages have got a verdict, repeats included.
        scored: How many of them were scored.
    """

    asset_id: str
    run_id: str
    fleet: str
    last_cycle: int | None
    last_ts: datetime | None
    last_scored_cycle: int | None
    readings: int
    scored: int


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept. None means no bound.

    Attributes:
        max_age_us: How long after they were stored rows are kept, microseconds.
        max_bytes: How large the store may be, without what its own log takes, bytes.
    """

    max_age_us: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What one slice of removal did.

    Attributes:
        rows: How many rows it removed.
        more: Whether another slice would find something to do.
        pressing: Whether the store is larger than it may be.
    """

    rows: int
    more: bool = False
    pressing: bool = False


class ScoreStore(Protocol):
    """Where verdicts are kept. An async context manager: open on enter, closed on exit.

    Raises, from every method: ``BackendUnavailableError`` when a later try may work (locked, full,
    unreachable, timed out), ``BackendRefusedError`` when it will not (credentials, schema).
    """

    async def __aenter__(self) -> Self:
        """Open; create what is missing."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close; everything acknowledged stays."""

    async def write(
        self, records: Sequence[ScoreRecord], finals: Sequence[FinalScore] = ()
    ) -> None:
        """Store the rows; on return they are durable and visible to :meth:`query`.

        Final scores are stored beside the verdicts they are of, these records' or earlier ones; a
        verdict that is written again keeps its final score. One whose verdict is not there, since
        it was removed, is left out.

        Idempotent; any mix of assets, runs, verdicts and repeats; all in one round trip (or a few,
        by size), never one per row. When it raises, any part may have been written: write again.

        Raises:
            ValueError: If a score, threshold or share is NaN or infinite; then nothing is written.
        """

    async def query(self, query: ScoreQuery) -> ScorePage:
        """Return one page.

        Raises:
            ValueError: If the cursor is not one of ours, the limit is out of bounds, or a time
                has no timezone.
        """

    async def runs(
        self,
        *,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> Sequence[RunSummary]:
        """Return a summary of each (asset, run), ordered by asset, ``last_ts``, run.

        A run of which only repeats are known comes before the asset's others.
        """

    async def run_page(
        self,
        most_assets: int,
        *,
        after: str | None = None,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> RunPage:
        """Return the summaries of :meth:`runs` for a few assets at a time, by their ids.

        Args:
            most_assets: How many assets, at least 1; all runs of each that match are returned.
            after: Only assets beyond this one.
            asset_id: Only this asset.
            run_id: Only this run.
            fleet: Only this fleet.
        """

    async def activity(self, since: datetime) -> Sequence[RunActivity]:
        """Return how far each run has come that has a reading at or after ``since``, in one query.

        Runs without one may be among them. Of two answers to the same ``since``, counts differ by
        what was written in between and is of that time or later; counts of one answer alone mean
        nothing, for stores begin to count at moments of their own.

        Args:
            since: Only readings at or after this time, UTC; of repeats, the broker's time.
        """

    async def summaries(self, asset_ids: Collection[str]) -> Sequence[RunSummary]:
        """Return the summaries of :meth:`runs` of these assets."""

    async def latest_runs(
        self,
        *,
        asset_id: str | None = None,
        run_id: str | None = None,
        fleet: str | None = None,
    ) -> Sequence[Glance]:
        """Return the latest matching run of each asset, in the order of their names."""

    async def warm_ups(self, runs: Collection[tuple[str, str]], most: int) -> Sequence[int]:
        """Return how many readings the window that is being filled has, for each (asset, run).

        Counts back from the run's last verdict: the warming-up ones, and the gap they began with.

        Args:
            runs: Which, each once.
            most: How far to count.
        """

    async def plot(self, query: PlotQuery) -> Plot:
        """Return a run's severity and final scores, with the extremes of what is left out.

        Rows are read one after another or a bounded number at a time; see ``plotting.py`` for
        which are chosen. Scored rows of an earlier version, which have no severity, are taken for
        rows that were not scored.

        Raises:
            ValueError: If ``most`` is too small or a time has no timezone.
        """

    async def verdict_counts(self, run_id: str | None = None) -> Mapping[Verdict, int]:
        """Return how many readings got each verdict; only kinds that occurred, repeats included."""

    async def trim(self, keep: Keeping, now: datetime, most_rows: int) -> Trimmed:
        """Remove a slice of what is not to be kept any more, the oldest first.

        Short enough never to hold up a write for long. Age is measured from the first trim that
        found the row, so it is never shorter than asked. A store whose server removes by itself
        does nothing.

        Args:
            keep: What stays.
            now: The time.
            most_rows: Most verdicts, and most repeats, to remove.
        """

    async def removed_until(self) -> datetime | None:
        """Return a time after which no verdict has been removed; none if none ever was.

        Of readings up to it some verdicts are gone, or all.
        """

    async def ping(self) -> None:
        """Return when the store answers.

        Raises:
            BackendError: With why not.
        """
