"""When a stretch of scores becomes an alarm, and when the alarm ends. Pure.

The live detector steps through this, and so do reports and what-if replays.

The machine of one asset, in the terms of alarm management:

* *on-delay*: ``on_delay_cycles`` readings in a row of a level raise the alarm to that level, or
  escalate it. A single spike does nothing.
* *off-delay with deadband*: ``off_delay_cycles`` readings in a row whose severity is below
  ``1 - deadband`` clear it.
* the level of an open alarm only rises (it is latched) until the alarm is cleared.
* a reading without a score breaks every row: three in a row means three consecutive readings,
  which are consecutive cycles too unless gaps are bridged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from common.records.alerts import Transition
from common.records.verdicts import Level
from models.scoring.scorer import WARNING_SEVERITY

COUNT_LIMIT = 2**16 - 1
"""Rows are counted up to what their two bytes in the stored state hold; delays are far shorter."""


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """The rule.

    Attributes:
        on_delay_cycles: Readings in a row that raise or escalate.
        off_delay_cycles: Readings in a row that clear.
        deadband: How far below 1 a severity must be to count as quiet.
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
            of ``warning_row`` readings that may; 0 when there is none.
        warning_row: Warnings in a row, critical ones included.
        critical_row: Critical readings in a row.
        quiet_row: Readings in a row below the deadband.
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
        row: How many readings in a row caused it.
    """

    state: Transition
    level: Level
    onset_cycle: int
    row: int


def is_quiet(severity: float, policy: AlarmPolicy) -> bool:
    """Return whether a severity is below a warning by more than the deadband."""
    return severity < WARNING_SEVERITY - policy.deadband


def step(
    state: AlarmState, cycle: int, severity: float, critical: bool, policy: AlarmPolicy
) -> tuple[AlarmState, AlarmChange | None]:
    """Take one scored reading into account.

    Args:
        state: Where the alarm stood after the previous cycle.
        cycle: The cycle of this reading; above the previous call's.
        severity: Of what is held against the asset; from 1 on a warning.
        critical: Whether a warning is critical.
        policy: The rule.

    Returns:
        The next state, and the transition if there is one. At most one per reading: an alarm raised
        by a critical stretch is raised as critical at once.
    """
    warning_row = _count(state.warning_row, severity >= WARNING_SEVERITY)
    onset_cycle = state.onset_cycle
    if state.level is Level.NONE and warning_row <= 1:  # a stretch begins here, or there is none
        onset_cycle = cycle if warning_row else 0
    state = replace(
        state,
        onset_cycle=onset_cycle,
        warning_row=warning_row,
        critical_row=_count(state.critical_row, critical and severity >= WARNING_SEVERITY),
        quiet_row=_count(state.quiet_row, is_quiet(severity, policy)),
    )
    reached = _reached(state, policy)
    if reached.rank > state.level.rank:
        return _rise(state, reached)
    if state.level is not Level.NONE and state.quiet_row >= policy.off_delay_cycles:
        change = AlarmChange(Transition.CLEARED, state.level, state.onset_cycle, state.quiet_row)
        return AlarmState(quiet_row=state.quiet_row), change
    return state, None


def interrupt(state: AlarmState) -> AlarmState:
    """Return the state after a cycle that got no score: the alarm stays, the rows end."""
    onset_cycle = 0 if state.level is Level.NONE else state.onset_cycle
    return replace(state, onset_cycle=onset_cycle, warning_row=0, critical_row=0, quiet_row=0)


def _count(row: int, goes_on: bool) -> int:
    return min(row + 1, COUNT_LIMIT) if goes_on else 0


def _reached(state: AlarmState, policy: AlarmPolicy) -> Level:
    if state.critical_row >= policy.on_delay_cycles:
        return Level.CRITICAL
    return Level.WARNING if state.warning_row >= policy.on_delay_cycles else Level.NONE


def _rise(state: AlarmState, level: Level) -> tuple[AlarmState, AlarmChange]:
    critical = level is Level.CRITICAL
    change = AlarmChange(
        Transition.RAISED if state.level is Level.NONE else Transition.ESCALATED,
        level,
        state.onset_cycle,
        state.critical_row if critical else state.warning_row,
    )
    return replace(state, level=level), change
