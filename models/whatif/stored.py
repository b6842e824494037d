"""Stored verdicts under two rules: which alerts each would have told. Pure.

A stored verdict has the severity of the evidence that spoke loudest, the score, and the life that
was expected to be left. That is enough to say what another alarm rule, or another threshold of the
score or of the life left, would have made of it; what weaker evidence there was, it does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np

from common.records.alerts import Transition
from common.records.verdicts import Evidence, Level
from models.alarm import AlarmPolicy, AlarmState, interrupt, step
from models.scoring.evidence import severity_of
from models.scoring.scorer import WARNING_SEVERITY
from models.whatif.matching import AlertChanges, match_alerts

SAME_WITHIN_CYCLES: Final = 30
"""Two alerts whose onsets are at most a usual window apart speak of the same thing."""

AssetRun = tuple[str, str]
"""(asset_id, run_id)."""


class Row(NamedTuple):
    """One stored verdict.

    Attributes:
        cycle: Its cycle.
        score: The score; none unless it was scored, and then all that follows is none too.
        severity: Of the evidence that spoke; none where an earlier version scored it.
        evidence: Which that was.
        level: What the reading alone came to.
        warning: The warning threshold of the score.
        critical: The critical one; none where remaining life decides.
        life: How long was expected to be left; none where the model does not know.
    """

    cycle: int
    score: float | None = None
    severity: float | None = None
    evidence: Evidence | None = None
    level: Level = Level.NONE
    warning: float | None = None
    critical: float | None = None
    life: float | None = None


@dataclass(frozen=True, slots=True)
class OtherThresholds:
    """Thresholds in place of those that judged; none leaves one as it was.

    Attributes:
        warning: Of the score.
        critical: Of the score, where it decides what is critical.
        life: Steps left, where these decide.
    """

    warning: float | None = None
    critical: float | None = None
    life: float | None = None

    def __bool__(self) -> bool:
        """Return whether any is other."""
        return any(each is not None for each in (self.warning, self.critical, self.life))


class WouldBe(NamedTuple):
    """An alert as it would have been told.

    Attributes:
        state: Which transition.
        level: The alarm's level after it.
        onset_cycle: First cycle of the stretch that raised the alarm.
        cycle: Cycle of the reading that caused it.
    """

    state: Transition
    level: Level
    onset_cycle: int
    cycle: int


class Weighed(NamedTuple):
    """What a verdict comes to under a rule.

    Attributes:
        severity: 1 and above is a warning.
        critical: Whether a warning is critical.
        uncertain: Whether evidence that was not kept may have warned.
    """

    severity: float
    critical: bool
    uncertain: bool = False


@dataclass(slots=True)
class Compared:
    """Both sides.

    Attributes:
        changes: What differs, by asset and run; those where nothing does are left out.
        alarms_before: Alarms raised under the first rule.
        alarms_after: Under the second.
        same: Alerts that are the same on both sides.
        uncertain: Verdicts of which it is not known whether weaker evidence would have warned.
    """

    changes: dict[AssetRun, AlertChanges[WouldBe]] = field(default_factory=dict)
    alarms_before: int = 0
    alarms_after: int = 0
    same: int = 0
    uncertain: int = 0


def compare(
    runs: Mapping[AssetRun, Sequence[Row]],
    before: Callable[[str], AlarmPolicy],
    after: Callable[[str], AlarmPolicy],
    thresholds: OtherThresholds,
    life_limit: float | None = None,
) -> Compared:
    """Take stored verdicts through two rules.

    Args:
        runs: The verdicts of each run, in the order of their cycles.
        before: The alarm rule of an asset as it is.
        after: As it would be.
        thresholds: As they would be.
        life_limit: Steps left at which a warning is critical now, where remaining life decides.
    """
    found = Compared()
    for key, rows in runs.items():
        first = [_as_stored(row) for row in rows]
        second = first
        if thresholds:
            second = [_under(row, thresholds, life_limit) for row in rows]
            found.uncertain += sum(each is not None and each.uncertain for each in second)
        was = _alerts(rows, first, before(key[0]))
        would_be = _alerts(rows, second, after(key[0]))
        changes = match_alerts(was, would_be, SAME_WITHIN_CYCLES)
        found.alarms_before += _raised(was)
        found.alarms_after += _raised(would_be)
        found.same += changes.same
        if changes:
            found.changes[key] = changes
    return found


def _alerts(
    rows: Sequence[Row], weighed: Sequence[Weighed | None], policy: AlarmPolicy
) -> list[WouldBe]:
    state, told = AlarmState(), []
    for row, each in zip(rows, weighed, strict=True):
        if each is None:
            state = interrupt(state)
            continue
        state, change = step(state, row.cycle, each.severity, each.critical, policy)
        if change is not None:
            told.append(WouldBe(change.state, change.level, change.onset_cycle, row.cycle))
    return told


def _as_stored(row: Row) -> Weighed | None:
    if row.score is None:
        return None
    return Weighed(_severity(row, row.score), row.level is Level.CRITICAL)


def _severity(row: Row, score: float) -> float:
    if row.severity is not None:
        return row.severity
    return _ratio(score, row.warning) if row.warning is not None else 0.0


def _under(row: Row, thresholds: OtherThresholds, life_limit: float | None) -> Weighed | None:
    if row.score is None:
        return None
    was = severity = _severity(row, row.score)
    if thresholds.warning is not None:
        own = _ratio(row.score, thresholds.warning)
        is_own = row.evidence in (Evidence.DEGRADATION, None)
        severity = own if is_own else max(was, own)
    return Weighed(
        severity,
        _beyond(row, row.score, thresholds, life_limit),
        severity < WARNING_SEVERITY <= was,
    )


def _beyond(row: Row, score: float, thresholds: OtherThresholds, life_limit: float | None) -> bool:
    """Return whether a warning at this verdict would be critical."""
    limit = life_limit if thresholds.life is None else thresholds.life
    if row.critical is None and row.life is not None and limit is not None:
        return row.life <= limit
    critical = row.critical if thresholds.critical is None else thresholds.critical
    if critical is not None and row.critical is not None:
        return score >= critical
    return row.level is Level.CRITICAL


def _ratio(score: float, threshold: float) -> float:
    return float(severity_of(np.array([score]), threshold)[0])


def _raised(alerts: Sequence[WouldBe]) -> int:
    return sum(each.state is Transition.RAISED for each in alerts)
