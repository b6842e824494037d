"""The summary of one run, kept up to date row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from common.records.ids import DEFAULT_FLEET
from common.records.verdicts import Level, Verdict
from common.scorestore.paging import EPOCH, from_epoch_us
from common.scorestore.port import RunSummary


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
        peak_score: Highest score.
        peak_severity: Highest severity.
        verdicts: Count by verdict, repeats included.
    """

    fleet: str = DEFAULT_FLEET
    first_cycle: int | None = None
    last_cycle: int | None = None
    last_ts_us: int | None = None
    last_scored_cycle: int | None = None
    last_score: float | None = None
    last_level: Level = Level.NONE
    last_severity: float | None = None
    peak_score: float | None = None
    peak_severity: float | None = None
    verdicts: Counter[Verdict] = field(default_factory=Counter)

    def add(
        self,
        cycle: int,
        ts_us: int,
        status: Verdict,
        score: float | None,
        level: Level,
        severity: float | None,
    ) -> None:
        """Count one verdict that was not counted yet."""
        self.verdicts[status] += 1
        if self.first_cycle is None or cycle < self.first_cycle:
            self.first_cycle = cycle
        if self.last_cycle is None or cycle > self.last_cycle:
            self.last_cycle, self.last_ts_us = cycle, ts_us
        if score is None:
            return
        if self.last_scored_cycle is None or cycle > self.last_scored_cycle:
            self.last_scored_cycle, self.last_score, self.last_level = cycle, score, level
            self.last_severity = severity
        if self.peak_score is None or score > self.peak_score:
            self.peak_score = score
        if severity is not None and (self.peak_severity is None or severity > self.peak_severity):
            self.peak_severity = severity

    def summary(self, asset_id: str, run_id: str) -> RunSummary:
        """Return the summary; without cycles where only repeats are known."""
        return RunSummary(
            asset_id=asset_id,
            run_id=run_id,
            fleet=self.fleet,
            first_cycle=self.first_cycle,
            last_cycle=self.last_cycle,
            last_ts=None if self.last_ts_us is None else from_epoch_us(self.last_ts_us),
            verdicts={status: count for status, count in self.verdicts.items() if count},
            last_score=self.last_score,
            last_level=self.last_level,
            last_severity=self.last_severity,
            peak_score=self.peak_score,
            peak_severity=self.peak_severity,
        )


def in_order(summaries: Iterable[RunSummary]) -> list[RunSummary]:
    """Return summaries ordered as the port says."""
    return sorted(
        summaries,
        key=lambda run: (run.asset_id, run.last_ts is not None, run.last_ts or EPOCH, run.run_id),
    )
