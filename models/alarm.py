"""When a stretch of scores becomes an alarm, and when the alarm ends. Pure.

The live detector steps through this, and so do reports and what-if replays.

The machine of one asset, in the terms of alarm management:

* *on-delay*: ``on_delay_cycles`` scores in a row at or above a threshold raise the alarm to that
  threshold's level, or escalate it. A single spike does nothing.
* *off-delay with deadband*: ``off_delay_cycles`` scores in a row below
  ``warning threshold - deadband * |warning threshold|`` clear it.
* the level of an open alarm only rises (it is latched) until the alarm is cleared.
* a reading without a score breaks every row: three in a row means three consecutive readings,
  which are consecutive cycles too unless gaps are bridged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.records import Level, Transition
from models.scoring.scorer import Thresholds

COUNT_LIMIT = 2**16 - 1
"""Rows are counted up to what their two bytes in the stored state hold; delays are far shorter."""


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """The rule.

    Attributes:
        on_delay_cycles: Scores in a row that raise or escalate.
        off_delay_cycles: Scores in a row that clear.
        deadband: Part of the warning threshold a score must fall below it to count as quiet.
    """

    on_delay_cycles: int
    off_delay_cycles: int
    deadband: float


@dataclass(frozen=True, slots=True)
class AlarmState:
    """Where one asset's alarm stands.

    Attributes:
        level: Level of the open alarm; none when there is none.
        onset_cycle: First cycle of the stretch that raised it, or, without an alarm, of the stretch
            of ``warning_row`` scores that may; 0 when there is none.
        warning_row: Scores in a row at or above the warning threshold.
        critical_row: Scores in a row at or above the critical threshold.
        quiet_row: Scores in a row below the deadband.
    """

    level: Level = Level.NONE
    onset_cycle: int = 0
    warning_row: int = 0
    critical_row: int = 0
    quiet_row: int = 0


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """A transition, as an alert will tell it.

    Attributes:
        state: Which transition.
        level: Level after it; for a cleared alarm, the level it had.
        onset_cycle: First cycle of the stretch that raised the alarm.
        threshold: What the scores were compared with.
        row: How many scores in a row caused it.
    """

    state: Transition
    level: Level
    onset_cycle: int
    threshold: float
    row: int


def level_of(score: float, thresholds: Thresholds) -> Level:
    """Return the level of one score alone: anomalous when ``score >= threshold``."""
    if score >= thresholds.critical:
        return Level.CRITICAL
    return Level.WARNING if score >= thresholds.warning else Level.NONE


def is_quiet(score: float, thresholds: Thresholds, policy: AlarmPolicy) -> bool:
    """Return whether a score is below the warning threshold by more than the deadband."""
    return score < _quiet_below(thresholds, policy)


def step(
    state: AlarmState, cycle: int, score: float, thresholds: Thresholds, policy: AlarmPolicy
) -> tuple[AlarmState, AlarmChange | None]:
    """Take one score into account.

    Args:
        state: Where the alarm stood after the previous cycle.
        cycle: The cycle of this score; above the previous call's.
        score: Higher is more anomalous.
        thresholds: Of the model that gave the score.
        policy: The rule.

    Returns:
        The next state, and the transition if there is one. At most one per score: an alarm raised
        by a critical stretch is raised as critical at once.
    """
    warning_row = _count(state.warning_row, score >= thresholds.warning)
    onset_cycle = state.onset_cycle
    if state.level is Level.NONE and warning_row <= 1:  # a stretch begins here, or there is none
        onset_cycle = cycle if warning_row else 0
    state = replace(
        state,
        onset_cycle=onset_cycle,
        warning_row=warning_row,
        critical_row=_count(state.critical_row, score >= thresholds.critical),
        quiet_row=_count(state.quiet_row, is_quiet(score, thresholds, policy)),
    )
    reached = _reached(state, policy)
    if reached.rank > state.level.rank:
        return _rise(state, reached, thresholds)
    if state.level is not Level.NONE and state.quiet_row >= policy.off_delay_cycles:
        change = AlarmChange(
            Transition.CLEARED,
            state.level,
            state.onset_cycle,
            _quiet_below(thresholds, policy),
            state.quiet_row,
        )
        return AlarmState(quiet_row=state.quiet_row), change
    return state, None


def interrupt(state: AlarmState) -> AlarmState:
    """Return the state after a cycle that got no score: the alarm stays, the rows end."""
    onset_cycle = 0 if state.level is Level.NONE else state.onset_cycle
    return replace(state, onset_cycle=onset_cycle, warning_row=0, critical_row=0, quiet_row=0)


def _quiet_below(thresholds: Thresholds, policy: AlarmPolicy) -> float:
    return thresholds.warning - policy.deadband * abs(thresholds.warning)


def _count(row: int, goes_on: bool) -> int:
    return min(row + 1, COUNT_LIMIT) if goes_on else 0


def _reached(state: AlarmState, policy: AlarmPolicy) -> Level:
    if state.critical_row >= policy.on_delay_cycles:
        return Level.CRITICAL
    return Level.WARNING if state.warning_row >= policy.on_delay_cycles else Level.NONE


def _rise(
    state: AlarmState, level: Level, thresholds: Thresholds
) -> tuple[AlarmState, AlarmChange]:
    critical = level is Level.CRITICAL
    change = AlarmChange(
        Transition.RAISED if state.level is Level.NONE else Transition.ESCALATED,
        level,
        state.onset_cycle,
        thresholds.critical if critical else thresholds.warning,
        state.critical_row if critical else state.warning_row,
    )
    return replace(state, level=level), change
