"""The verdict on one reading: a row of the score store.

Score records go to the score store, not to a topic. They, and all else that is made for every
reading, are msgspec's structs: frozen as a dataclass is, but made in a fifth of its time; and since
they hold values alone, the collector of garbage need not look at them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from common.records.ids import DEFAULT_FLEET


class Level(StrEnum):
    """How bad, from the thresholds alone."""

    NONE = "none"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for none, 1 for warning, 2 for critical."""
        return RANKS[self]


RANKS: Final = {level: rank for rank, level in enumerate(Level)}


class Evidence(StrEnum):
    """What is held against an asset: each kind has a score and a threshold of its own.

    ``silent`` (no reading came in time) and ``unscored`` (readings, but no score) are the api's
    own, and never on a topic.
    """

    DEGRADATION = "degradation"
    CHANNEL = "channel"
    FROZEN = "frozen"
    LIFE = "life"
    SILENT = "silent"
    UNSCORED = "unscored"

    @property
    def is_silence(self) -> bool:
        """Whether it is held against what sends and scores, not against what was measured."""
        return self in (Evidence.SILENT, Evidence.UNSCORED)


class Verdict(StrEnum):
    """What became of one reading. Every reading gets exactly one."""

    SCORED = "scored"
    WARMING_UP = "warming_up"
    GAP = "gap"
    LATE = "late"
    DUPLICATE = "duplicate"
    UNKNOWN_REGIME = "unknown_regime"
    REJECTED = "rejected"

    @property
    def of_message(self) -> bool:
        """Whether the verdict is on a message and not on a cycle.

        The message repeats a cycle (late, duplicate) or could not be used (rejected; a usable one
        for the same cycle may still come). Such verdicts are told apart by where the message stood
        on the topic, and never stand in the place of the cycle's own verdict.
        """
        return self in OF_MESSAGE


OF_MESSAGE: Final = (Verdict.LATE, Verdict.DUPLICATE, Verdict.REJECTED)
"""Verdicts on messages. Named once: asking an enumeration for a member takes long."""


class SourcePosition(msgspec.Struct, frozen=True, gc=False):
    """Where on the readings topic a record stood."""

    topic: str
    partition: int
    offset: int


class LifeLeft(NamedTuple):
    """How long is left, in steps: most likely, and from where to where in most cases."""

    expected: float
    low: float
    high: float


class ScoreRecord(msgspec.Struct, frozen=True, gc=False):
    """The verdict on one reading: a row of the score store.

    Attributes:
        asset_id: Whose reading.
        run_id: In which run.
        cycle: 1-based cycle.
        ts: The reading's timestamp, UTC.
        status: The verdict.
        model: ``name@version`` of the artifact.
        score: Higher is more anomalous; none unless ``status`` is ``scored``.
        warning_threshold: A warning when ``score >= warning_threshold``; none unless scored.
        critical_threshold: As above, for critical; none too where remaining life decides.
        level: What this reading alone comes to (the alarm also waits for delays).
        evidence: What is held against the asset most; none unless scored.
        severity: How much: 1 is a warning; none unless scored, or scored by an earlier version.
        life: How long is left; none unless scored by a model that knows.
        shares: Contribution per channel, summing to 1; empty unless scored.
        detail: One sentence for a person, such as ``12 of 30 cycles``.
        source: Where the reading stood; it identifies a repeat (late, duplicate).
        published_ts_ms: The broker's timestamp, UTC epoch milliseconds; the time of a repeat.
        fleet: Of which fleet.
        timed: Whether the cycle is a tick of the time, not the source's count.
        final_score: What later readings made of the score (:class:`FinalScore`); none until then,
            and for models without. Only ever read: it is written on its own.
    """

    asset_id: str
    run_id: str
    cycle: int
    ts: datetime
    status: Verdict
    model: str
    score: float | None = None
    warning_threshold: float | None = None
    critical_threshold: float | None = None
    level: Level = Level.NONE
    evidence: Evidence | None = None
    severity: float | None = None
    life: LifeLeft | None = None
    shares: Mapping[str, float] = msgspec.field(default_factory=dict)
    detail: str = ""
    source: SourcePosition = SourcePosition("", 0, 0)
    published_ts_ms: int = 0
    fleet: str = DEFAULT_FLEET
    timed: bool = False
    final_score: float | None = None


class FinalScore(NamedTuple):
    """What becomes of a reading's score once all windows over it have come; never changed again.

    It is stored beside the verdict, which was there before it, and keeps its own score.

    Attributes:
        asset_id: Whose reading.
        run_id: In which run.
        cycle: Its cycle.
        ts: Its time, UTC.
        score: Mean over all windows that cover it; higher is more anomalous.
        model: ``name@version`` of the artifact.
        fleet: Of which fleet.
        timed: As of its verdict.
    """

    asset_id: str
    run_id: str
    cycle: int
    ts: datetime
    score: float
    model: str
    fleet: str = DEFAULT_FLEET
    timed: bool = False
