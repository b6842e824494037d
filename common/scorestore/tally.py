"""The summary of one run, kept up to date row by row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Level, LifeLeft, Verdict
from common.scorestore.paging import EPOCH, from_epoch_us
from common.scorestore.port import Glance, RunSummary

ALL_VERDICTS: Final = tuple(Verdict)
PLACES: Final = {verdict: place for place, verdict in enumerate(ALL_VERDICTS)}


def _nothing() -> list[int]:
    return [0] * len(ALL_VERDICTS)


@dataclass(slots=True)
class RunTally:
    """What is known of one run. Rows may be added in any order, each once.

    Attributes:
        fleet: Of which fleet the run is.
        first_cycle: Lowest cycle with a verdict; none before the first.
        last_cycle: Highest cycle with a verdict.
        last_ts_us: Time of the reading at ``last_cycle``, UTC epoch microseconds.
        last_scored_cycle: Highest cycle with a score.
        last_score: The score there.
        last_level: Its level.
        last_severity: Its severity.
        last_life: How long it says is left; none where the model does not know.
        peak_score: Highest score.
        peak_severity: Highest severity.
        arrived_ms: When the last verdict on a cycle reached the broker, UTC epoch milliseconds.
        counts: How many of each verdict there are, in their order, repeats included.
    """

    fleet: str = DEFAULT_FLEET
    first_cycle: int | None = None
    last_cycle: int | None = None
    last_ts_us: int | None = None
    last_scored_cycle: int | None = None
    last_score: float | None = None
    last_level: Level = Level.NONE
    last_severity: float | None = None
    last_life: LifeLeft | None = None
    peak_score: float | None = None
    peak_severity: float | None = None
    arrived_ms: int | None = None
    counts: list[int] = field(default_factory=_nothing)

    def add(
        self,
        cycle: int,
        ts_us: int,
        status: Verdict,
        score: float | None,
        level: Level,
        severity: float | None,
        life: LifeLeft | None,
    ) -> None:
        """Count one verdict that was not counted yet."""
        self.count(status)
        if self.first_cycle is None or cycle < self.first_cycle:
            self.first_cycle = cycle
        if self.last_cycle is None or cycle > self.last_cycle:
            self.last_cycle, self.last_ts_us = cycle, ts_us
        if score is None:
            return
        if self.last_scored_cycle is None or cycle > self.last_scored_cycle:
            self.last_scored_cycle, self.last_score, self.last_level = cycle, score, level
            self.last_severity, self.last_life = severity, life
        if self.peak_score is None or score > self.peak_score:
            self.peak_score = score
        if severity is not None and (self.peak_severity is None or severity > self.peak_severity):
            self.peak_severity = severity

    def count(self, status: Verdict, more: int = 1) -> None:
        """Count further verdicts of a kind, or fewer."""
        self.counts[PLACES[status]] += more

    def of(self, status: Verdict) -> int:
        """Return how many of a kind there are."""
        return self.counts[PLACES[status]]

    def arrived(self, published_ts_ms: int) -> None:
        """Note when a verdict on a cycle reached the broker; 0 if that is not known."""
        if published_ts_ms > 0:
            self.arrived_ms = max(self.arrived_ms or 0, published_ts_ms)

    def summary(self, asset_id: str, run_id: str) -> RunSummary:
        """Return the summary; without cycles where only repeats are known."""
        return RunSummary(
            asset_id=asset_id,
            run_id=run_id,
            fleet=self.fleet,
            first_cycle=self.first_cycle,
            last_cycle=self.last_cycle,
            last_ts=None if self.last_ts_us is None else from_epoch_us(self.last_ts_us),
            verdicts={
                status: count
                for status, count in zip(ALL_VERDICTS, self.counts, strict=True)
                if count
            },
            last_score=self.last_score,
            last_level=self.last_level,
            last_severity=self.last_severity,
            last_life=self.last_life,
            peak_score=self.peak_score,
            peak_severity=self.peak_severity,
            last_scored_cycle=self.last_scored_cycle,
            arrived_ms=self.arrived_ms,
        )


def in_order(summaries: Iterable[RunSummary]) -> list[RunSummary]:
    """Return summaries ordered as the port says."""
    return sorted(
        summaries,
        key=lambda run: (run.asset_id, run.last_ts is not None, run.last_ts or EPOCH, run.run_id),
    )


def recency(run: RunSummary) -> tuple[bool, int, datetime, str]:
    """Return what is highest for an asset's latest run.

    Runs of which only repeats are known come before the others; of these the one whose last
    verdict arrived last holds, whatever its readings' clock says.
    """
    return (run.last_ts is not None, run.arrived_ms or 0, run.last_ts or EPOCH, run.run_id)


def latest_of(runs: Iterable[RunSummary]) -> list[RunSummary]:
    """Return the latest run of each asset, in the order of their names."""
    found: dict[str, RunSummary] = {}
    for run in runs:
        known = found.get(run.asset_id)
        if known is None or recency(run) > recency(known):
            found[run.asset_id] = run
    return [found[name] for name in sorted(found)]


def glance_of(run: RunSummary) -> Glance:
    """Return as little of a run as orders assets."""
    scored = bool(run.verdicts.get(Verdict.SCORED)) or run.last_severity is not None
    return Glance(run.asset_id, run.run_id, run.fleet, scored, run.last_severity)


def filling(latest_first: Iterable[Verdict]) -> int:
    """Return how many readings of the window that is being filled there are.

    Args:
        latest_first: The verdicts on a run's cycles, from the last backwards.

    Example:
        >>> filling([Verdict.WARMING_UP, Verdict.WARMING_UP, Verdict.GAP, Verdict.SCORED])
        3
    """
    count = 0
    for status in latest_first:
        if status is Verdict.GAP:
            return count + 1
        if status is not Verdict.WARMING_UP:
            break
        count += 1
    return count
