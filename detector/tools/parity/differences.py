"""Live against expected, value by value. Pure: what differs, and by how much."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from common.records.alerts import Alert
from common.records.verdicts import Evidence, Level, LifeLeft, ScoreRecord, Verdict


class Numbers(NamedTuple):
    """All that is said in numbers of one scored reading; none where there is no such number."""

    score: float
    severity: float | None = None
    life: LifeLeft | None = None

    def flat(self) -> tuple[float | None, ...]:
        """Return them one after the other."""
        return (self.score, self.severity, *(self.life or (None, None, None)))


class LiveVerdict(NamedTuple):
    """What is compared of a row of the score store."""

    status: Verdict
    level: Level
    model: str
    score: float | None
    warning_threshold: float | None
    critical_threshold: float | None
    evidence: Evidence | None = None
    severity: float | None = None
    life: LifeLeft | None = None
    final_score: float | None = None


NO_FINALS: Final[Mapping[int, float]] = {}
"""Of a model whose scores are final at once."""


class CycleRef(NamedTuple):
    """One cycle of one asset."""

    asset_id: str
    cycle: int


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """Two numbers for one cycle.

    Attributes:
        asset_id: Whose.
        cycle: Which cycle.
        live: The number in the store: the score, severity or life left, whichever is furthest off.
        batch: The batch path's.
        relative: :func:`relative_difference` of the two.
    """

    asset_id: str
    cycle: int
    live: float
    batch: float
    relative: float


@dataclass(frozen=True, slots=True)
class VerdictDifference:
    """Two verdicts on one cycle, in words; ``nothing`` where there is none."""

    asset_id: str
    cycle: int
    live: str
    expected: str


@dataclass(frozen=True, slots=True)
class AlertDiff:
    """Alerts on the topic against alerts derived again.

    Attributes:
        live: Alerts on the topic, one of each id.
        expected: Alerts derived again.
        redelivered: Messages beyond the first of an id; allowed, they are the same alert.
        missing: Expected, not on the topic.
        extra: On the topic, not expected.
        different: Of the same id but with another level, score, threshold or share.
    """

    live: int
    expected: int
    redelivered: int
    missing: tuple[Alert, ...]
    extra: tuple[Alert, ...]
    different: tuple[Alert, ...]

    @property
    def equal(self) -> bool:
        """Whether both are the same set."""
        return not (self.missing or self.extra or self.different)


@dataclass(slots=True)
class Comparison:
    """Counts up what differs, asset by asset.

    Attributes:
        tolerance: Largest relative difference of two equal scores.
        scores: Scored readings that were compared, each with all its numbers.
        finals: Final scores that were compared.
        missing: Cycles with a batch score but no live one.
        extra: Cycles with a live score but no batch one.
        largest: The numbers furthest apart; none if nothing was compared.
        beyond: Those beyond the tolerance.
        verdicts: Verdicts, levels or thresholds that differ.
    """

    tolerance: float
    scores: int = 0
    finals: int = 0
    missing: list[CycleRef] = field(default_factory=list)
    extra: list[CycleRef] = field(default_factory=list)
    largest: ScoreDifference | None = None
    beyond: list[ScoreDifference] = field(default_factory=list)
    verdicts: list[VerdictDifference] = field(default_factory=list)

    def add_asset(
        self,
        asset_id: str,
        live: Mapping[int, LiveVerdict],
        expected: Mapping[int, ScoreRecord],
        batch: Mapping[int, Numbers],
        finals: Mapping[int, float] = NO_FINALS,
    ) -> None:
        """Compare one asset's cycles.

        Args:
            asset_id: Which asset.
            live: What the store has, by cycle.
            expected: The core's verdicts, by cycle.
            batch: What the batch path comes to, by cycle.
            finals: Final scores of the batch path, by cycle.
        """
        scores = {
            cycle: Numbers(row.score, row.severity, row.life)
            for cycle, row in live.items()
            if row.score is not None
        }
        self.missing += [CycleRef(asset_id, cycle) for cycle in sorted(batch.keys() - scores)]
        self.extra += [CycleRef(asset_id, cycle) for cycle in sorted(scores.keys() - batch)]
        for cycle in sorted(batch.keys() & scores):
            self._add_pair(asset_id, cycle, scores[cycle], batch[cycle])
        told = {
            cycle: row.final_score for cycle, row in live.items() if row.final_score is not None
        }
        for cycle in sorted(told.keys() | finals.keys()):
            self.finals += 1
            both = _as_numbers(told.get(cycle), finals.get(cycle))
            self._note(ScoreDifference(asset_id, cycle, *both))
        for cycle in sorted(live.keys() | expected.keys()):
            came, wanted = live.get(cycle), expected.get(cycle)
            if came is None or wanted is None or not _same_verdict(came, wanted, self.tolerance):
                self.verdicts.append(
                    VerdictDifference(asset_id, cycle, _in_words(came), _in_words(wanted))
                )

    def _add_pair(self, asset_id: str, cycle: int, live: Numbers, batch: Numbers) -> None:
        pair = max(
            (
                ScoreDifference(asset_id, cycle, *_as_numbers(one, other))
                for one, other in zip(live.flat(), batch.flat(), strict=True)
            ),
            key=lambda each: each.relative,
        )
        self.scores += 1
        self._note(pair)

    def _note(self, pair: ScoreDifference) -> None:
        relative = pair.relative
        if self.largest is None or relative > self.largest.relative:
            self.largest = pair
        if relative > self.tolerance:
            self.beyond.append(pair)


def relative_difference(one: float, other: float) -> float:
    """Return how far two numbers are apart, in parts of the larger one; 0 if they are equal.

    Example:
        >>> relative_difference(2.0, 1.0), relative_difference(0.0, 0.0)
        (0.5, 0.0)
    """
    if one == other:
        return 0.0
    return abs(one - other) / max(abs(one), abs(other))


def _as_numbers(one: float | None, other: float | None) -> tuple[float, float, float]:
    """Return two numbers and how far they are apart; one that is missing is as far as can be."""
    if one is None or other is None:
        relative = 0.0 if one == other else 1.0
        return (math.nan if one is None else one, math.nan if other is None else other, relative)
    return one, other, relative_difference(one, other)


def compare_alerts(live: Iterable[Alert], expected: Iterable[Alert], tolerance: float) -> AlertDiff:
    """Compare alerts by id, and the content of those that share one.

    Args:
        live: From the topic, redeliveries included.
        expected: Derived again.
        tolerance: Bound on the relative difference of scores and thresholds, and on the
            difference of shares.
    """
    wanted = {alert.alert_id: alert for alert in expected}
    first: dict[str, Alert] = {}
    different: dict[str, Alert] = {}
    messages = 0
    for alert in live:
        messages += 1
        first.setdefault(alert.alert_id, alert)
        twin = wanted.get(alert.alert_id)
        if twin is not None and not _same_alert(alert, twin, tolerance):
            different[alert.alert_id] = alert
    return AlertDiff(
        live=len(first),
        expected=len(wanted),
        redelivered=messages - len(first),
        missing=tuple(alert for key, alert in wanted.items() if key not in first),
        extra=tuple(alert for key, alert in first.items() if key not in wanted),
        different=tuple(different.values()),
    )


def _same_alert(one: Alert, other: Alert, tolerance: float) -> bool:
    shares = {channel.name: channel.share for channel in one.channels}
    others = {channel.name: channel.share for channel in other.channels}
    return (
        (one.state, one.level, one.evidence, one.onset_cycle, one.cycle, one.model)
        == (other.state, other.level, other.evidence, other.onset_cycle, other.cycle, other.model)
        and _same_numbers(one, other, tolerance)
        and relative_difference(one.score, other.score) <= tolerance
        and relative_difference(one.threshold, other.threshold) <= tolerance
        and shares.keys() == others.keys()
        and all(abs(share - others[name]) <= tolerance for name, share in shares.items())
    )


def _same_numbers(one: Alert, other: Alert, tolerance: float) -> bool:
    pairs = [(one.severity, other.severity)]
    pairs += [
        (getattr(one.life, name, None), getattr(other.life, name, None))
        for name in ("expected", "low", "high")
    ]
    return all(_as_numbers(*pair)[2] <= tolerance for pair in pairs)


def _same_verdict(live: LiveVerdict, expected: ScoreRecord, tolerance: float) -> bool:
    pairs: Sequence[tuple[float | None, float | None]] = (
        (live.warning_threshold, expected.warning_threshold),
        (live.critical_threshold, expected.critical_threshold),
    )
    said = (live.status, live.level, live.evidence)
    return said == (expected.status, expected.level, expected.evidence) and all(
        one == other
        or (one is not None and other is not None and relative_difference(one, other) <= tolerance)
        for one, other in pairs
    )


def _in_words(verdict: LiveVerdict | ScoreRecord | None) -> str:
    if verdict is None:
        return "nothing"
    if verdict.warning_threshold is None:
        return verdict.status.value
    said = f"{verdict.status.value}, level {verdict.level.value}"
    if verdict.evidence is not None:
        said += f" by {verdict.evidence.value}"
    critical = verdict.critical_threshold
    beyond = "" if critical is None else f" and {critical:.6g}"
    return f"{said} (from {verdict.warning_threshold:.6g}{beyond})"
