"""The verdicts of a batch as columns: what the detector comes to, and score stores write.

A verdict alone is a ``ScoreRecord``, which says what each field means. Thousands of them are kept
as one column for each field, and made into records only where somebody asks for one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain, compress
from math import isfinite
from typing import Final, NamedTuple, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from common.records.times import EARLIEST
from common.records.verdicts import (
    OF_MESSAGE,
    Evidence,
    Level,
    LifeLeft,
    ScoreRecord,
    SourcePosition,
    Verdict,
)

T = TypeVar("T")

LEVELS: Final = tuple(Level)
"""By rank."""


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What verdicts say of ``n`` scored readings; fields of ``ScoreRecord``.

    Attributes:
        scores: Shape ``(n,)``, float64.
        warning_thresholds: Likewise; NaN where there is none.
        critical_threshold: Of all of them; none where remaining life decides.
        ranks: Of their levels, shape ``(n,)``.
        evidence: What is held against each, ``n`` kinds.
        severities: Shape ``(n,)``, float64.
        life: Steps left: expected, low, high; shape ``(n, 3)``; none of a model that does not know.
        channels: Names of the model's.
        shares: Shape ``(n, n_channels)``, float64.
    """

    scores: NDArray[np.float64]
    warning_thresholds: NDArray[np.float64]
    critical_threshold: float | None
    ranks: NDArray[np.int64]
    evidence: Sequence[Evidence]
    severities: NDArray[np.float64]
    life: NDArray[np.float64] | None
    channels: tuple[str, ...]
    shares: NDArray[np.float64]

    def __len__(self) -> int:
        """Return how many readings have a score."""
        return len(self.scores)

    def __getitem__(self, part: slice) -> Self:
        """Return those of some of them."""
        return replace(
            self,
            scores=self.scores[part],
            warning_thresholds=self.warning_thresholds[part],
            ranks=self.ranks[part],
            evidence=self.evidence[part],
            severities=self.severities[part],
            life=None if self.life is None else self.life[part],
            shares=self.shares[part],
        )

    @property
    def is_finite(self) -> bool:
        """Whether all numbers are numbers. A threshold that is NaN is none."""
        numbers = (self.scores, self.severities, self.life, self.shares)
        if self.critical_threshold is not None and not isfinite(self.critical_threshold):
            return False
        return not np.isinf(self.warning_thresholds).any() and all(
            each is None or bool(np.isfinite(each).all()) for each in numbers
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return those of consecutive readings as one; at least one part, all of one model."""
        if len(parts) == 1:
            return parts[0]
        lives = [part.life for part in parts if part.life is not None]
        return replace(
            parts[0],
            scores=np.concatenate([part.scores for part in parts]),
            warning_thresholds=np.concatenate([part.warning_thresholds for part in parts]),
            ranks=np.concatenate([part.ranks for part in parts]),
            evidence=[*chain.from_iterable(part.evidence for part in parts)],
            severities=np.concatenate([part.severities for part in parts]),
            life=np.concatenate(lives) if lives else None,
            shares=np.concatenate([part.shares for part in parts]),
        )

    def warnings(self) -> list[float | None]:
        """Return the warning thresholds, none where there is none."""
        found: list[float | None] = self.warning_thresholds.tolist()
        return [None if each != each else each for each in found]

    def lives(self) -> list[LifeLeft | None]:
        """Return how long is left at each."""
        return (
            [None] * len(self) if self.life is None else [*map(LifeLeft._make, self.life.tolist())]
        )


class Stretch(NamedTuple):
    """Which rows of some columns are of one run: those from ``begin`` up to ``end``."""

    run: tuple[str, str]
    begin: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class VerdictColumns:
    """Verdicts of one fleet, asset by asset, as ``n`` rows.

    Attributes:
        fleet: Theirs.
        model: ``name@version`` of its artifact.
        timed: Whether cycles are ticks of the time.
        runs: (asset_id, run_id) of each stretch of rows.
        counts: How many rows each stretch has, at least one.
        cycles: Shape ``(n,)``.
        ts_us: Times of the readings, UTC epoch microseconds; shape ``(n,)``.
        statuses: The verdicts.
        details: One sentence for each, or none.
        sources: Where each reading stood.
        published_ts_ms: The broker's timestamps, UTC epoch milliseconds.
        scored: Which of them have a score, shape ``(n,)``.
        findings: What is said of these, in order.
    """

    fleet: str
    model: str
    timed: bool
    runs: Sequence[tuple[str, str]]
    counts: Sequence[int]
    cycles: NDArray[np.int64]
    ts_us: NDArray[np.int64]
    statuses: Sequence[Verdict]
    details: Sequence[str]
    sources: Sequence[SourcePosition]
    published_ts_ms: Sequence[int]
    scored: NDArray[np.bool_]
    findings: Findings

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.statuses)

    def stretches(self) -> Iterator[Stretch]:
        """Yield the rows of each run."""
        end = 0
        for run, count in zip(self.runs, self.counts, strict=True):
            begin, end = end, end + count
            yield Stretch(run, begin, end)

    def in_rows(self, values: Sequence[T]) -> Sequence[T | None]:
        """Return what is said of the scored readings, with none in the rows of the others."""
        if len(values) == len(self):  # then all are scored
            return values
        each = iter(values)
        return [next(each) if scored else None for scored in self.scored.tolist()]

    def split(self) -> tuple[VerdictColumns, Sequence[ScoreRecord]]:
        """Return the verdicts on cycles, and those on messages, which have no score."""
        if set(self.statuses).isdisjoint(OF_MESSAGE):
            return self, ()
        on_cycles = np.array([not status.of_message for status in self.statuses], np.bool_)
        on_messages = self._rows(~on_cycles, self.findings[:0])
        return self._rows(on_cycles, self.findings), [*on_messages.records()]

    def _rows(self, kept: NDArray[np.bool_], findings: Findings) -> VerdictColumns:
        bounds = np.append(0, np.cumsum(np.array(self.counts, np.int64)))
        counts = np.diff(np.append(0, np.cumsum(kept))[bounds])
        return replace(
            self,
            runs=[*compress(self.runs, counts)],
            counts=counts[counts > 0].tolist(),
            cycles=self.cycles[kept],
            ts_us=self.ts_us[kept],
            statuses=[*compress(self.statuses, kept)],
            details=[*compress(self.details, kept)],
            sources=[*compress(self.sources, kept)],
            published_ts_ms=[*compress(self.published_ts_ms, kept)],
            scored=self.scored[kept],
            findings=findings,
        )

    def records(self) -> Iterator[ScoreRecord]:
        """Yield each row as a record."""
        found = self.findings
        shares = [dict(zip(found.channels, row, strict=True)) for row in found.shares.tolist()]
        whose = chain.from_iterable(
            [run] * n for run, n in zip(self.runs, self.counts, strict=True)
        )
        for (
            (asset_id, run_id), cycle, ts_us, status, score, warning, rank, evidence, severity,
            life, each, detail, source, published_ts_ms,
        ) in zip(
            whose, self.cycles.tolist(), self.ts_us.tolist(), self.statuses,
            *map(
                self.in_rows,
                (
                    found.scores.tolist(), found.warnings(), found.ranks.tolist(), found.evidence,
                    found.severities.tolist(), found.lives(), shares,
                ),
            ),
            self.details, self.sources, self.published_ts_ms,
            strict=True,
        ):  # fmt: skip
            yield ScoreRecord(
                asset_id,
                run_id,
                cycle,
                EARLIEST + timedelta(microseconds=ts_us),
                status,
                self.model,
                score,
                warning,
                None if score is None else found.critical_threshold,
                LEVELS[rank or 0],
                evidence,
                severity,
                life,
                each or {},
                detail,
                source,
                published_ts_ms,
                self.fleet,
                self.timed,
            )


class VerdictBatch(Sequence[ScoreRecord]):
    """What a batch comes to: columns, and single records behind them.

    To whoever asks it is a sequence of records, made anew each time.
    """

    def __init__(
        self, columns: Iterable[VerdictColumns] = (), records: Iterable[ScoreRecord] = ()
    ) -> None:
        """Put verdicts together.

        Args:
            columns: Of each fleet.
            records: Others.
        """
        self.columns = list(columns)
        self.records = list(records)

    def __len__(self) -> int:
        return sum(map(len, self.columns)) + len(self.records)

    def __iter__(self) -> Iterator[ScoreRecord]:
        return chain(*(part.records() for part in self.columns), self.records)

    @overload
    def __getitem__(self, index: int) -> ScoreRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[ScoreRecord]: ...
    def __getitem__(self, index: int | slice) -> ScoreRecord | list[ScoreRecord]:
        return list(self)[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # records are added to it

    def add(self, other: VerdictBatch) -> None:
        """Take in what another batch came to."""
        self.columns += other.columns
        self.records += other.records

    def counted(self) -> Counter[tuple[str, Verdict]]:
        """Return how many of each verdict each fleet has."""
        found = Counter((record.fleet, record.status) for record in self.records)
        for part in self.columns:
            found.update({(part.fleet, status): n for status, n in Counter(part.statuses).items()})
        return found
