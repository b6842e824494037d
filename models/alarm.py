"""When a stretch of scores becomes an alarm, and when the alarm ends. Pure.

The live detector steps through this, and so do reports and what-if replays.

The machine of one asset, in the terms of alarm management (ISA-18.2, OPC UA Part 9):

* *on-delay*: ``on_delay_cycles`` readings of a level among the last ``on_window_cycles`` raise the
  alarm to that level, or escalate it. By default both are the same: so many in a row. A single
  spike does nothing.
* *off-delay with deadband*: ``off_delay_cycles`` readings in a row whose severity is below
  ``1 - deadband`` clear it, if it has been open for ``min_length_cycles`` readings.
* *merging*: what would clear waits ``merge_gap_cycles`` readings more. An alarm that would be
  raised anew meanwhile is the same one: nobody is told that it went and came, and how often it did
  is counted (*flapping*).
* the level of an open alarm only rises (it is latched) until the alarm is cleared.
* a reading without a score breaks every row: three in a row means three consecutive readings,
  which are consecutive cycles too unless gaps are bridged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import msgspec
from msgspec import structs

from common.records.alerts import Transition
from common.records.verdicts import Level
from models.scoring.scorer import WARNING_SEVERITY

COUNT_LIMIT = 2**16 - 1
"""Rows are counted up to what their two bytes in the stored state hold; delays are far shorter."""


WINDOW_LIMIT = 64
"""Most readings that an on-delay may look back over: each warning among them is remembered."""


@dataclass(frozen=True, slots=True)
class AlarmPolicy:
    """The rule.

    Attributes:
        on_delay_cycles: Readings that raise or escalate.
        off_delay_cycles: Readings in a row that clear.
        deadband: How far below 1 a severity must be to count as quiet.
        on_window_cycles: Among how many of the last readings those that raise must be; 0 stands for
            ``on_delay_cycles``: in a row.
        min_length_cycles: Readings an alarm is open for at least.
        merge_gap_cycles: Readings for which an alarm that would clear waits for the next one.

    Raises:
        ValueError: If the window holds fewer readings than raise, or more than are remembered.
    """

    on_delay_cycles: int
    off_delay_cycles: int
    deadband: float
    on_window_cycles: int = 0
    min_length_cycles: int = 0
    merge_gap_cycles: int = 0

    def __post_init__(self) -> None:
        """Refuse a window that no reading could fill, or no state could hold."""
        problem = window_problem(self.on_delay_cycles, self.on_window_cycles)
        if problem:
            raise ValueError(problem)

    @property
    def in_a_row(self) -> bool:
        """Whether only readings in a row raise."""
        return self.on_window_cycles <= self.on_delay_cycles

    @property
    def forgets_after(self) -> int:
        """Quiet readings in a row after which nothing that was before makes a difference."""
        closing = max(self.off_delay_cycles, self.min_length_cycles) + self.merge_gap_cycles
        return max(closing, self.on_window_cycles)


def window_problem(on_delay: int, on_window: int) -> str:
    """Return what is wrong with an on-delay and its window; empty if nothing is.

    Example:
        >>> window_problem(3, 2)
        '3 readings can never be among the last 2: expected a window of 0 (in a row), or 3 to 64'
        >>> window_problem(3, 5)
        ''
    """
    if on_window == 0 or on_delay == on_window or on_delay < on_window <= WINDOW_LIMIT:
        return ""
    expected = f"expected a window of 0 (in a row), or {on_delay} to {WINDOW_LIMIT}"
    if on_window < on_delay:
        return f"{on_delay} readings can never be among the last {on_window}: {expected}"
    return f"a window of {on_window} readings is longer than is remembered: {expected}"


class PastWarning(NamedTuple):
    """A warning among the last readings.

    Attributes:
        age: Readings since.
        cycle: Its cycle.
        critical: Whether it was critical.
    """

    age: int
    cycle: int
    critical: bool


class AlarmState(msgspec.Struct, frozen=True, gc=False):
    """Where one asset's alarm stands.

    Attributes:
        level: Level of the open alarm; none when there is none.
        onset_cycle: First cycle of the stretch that raised it, or, without an alarm, of the
            readings that may; 0 when there is none.
        warning_row: Warnings in a row, critical ones included.
        critical_row: Critical readings in a row.
        quiet_row: Readings in a row below the deadband.
        recent: The warnings among the last ``on_window_cycles`` readings, oldest first; empty where
            only those in a row count.
        open_for: Readings since the alarm was raised.
        closing: Readings since the alarm would have cleared; 0 while it would not.
        flaps: How often it would have been raised anew.
    """

    level: Level = Level.NONE
    onset_cycle: int = 0
    warning_row: int = 0
    critical_row: int = 0
    quiet_row: int = 0
    recent: tuple[PastWarning, ...] = ()
    open_for: int = 0
    closing: int = 0
    flaps: int = 0


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """A transition, as an alert will tell it.

    Attributes:
        state: Which transition.
        level: Level after it; for a cleared alarm, the level it had.
        onset_cycle: First cycle of the stretch that raised the alarm.
        row: How many readings caused it.
        among: Among how many of the last ones; 0 for in a row.
        flaps: How often the alarm would have been raised anew so far.
    """

    state: Transition
    level: Level
    onset_cycle: int
    row: int
    among: int = 0
    flaps: int = 0


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
    if severity < WARNING_SEVERITY and state.level is Level.NONE and not state.recent:
        return _still_quiet(state, severity, policy), None
    return _step(state, cycle, severity, critical, policy)


def _step(
    state: AlarmState, cycle: int, severity: float, critical: bool, policy: AlarmPolicy
) -> tuple[AlarmState, AlarmChange | None]:
    state = _counted(state, cycle, severity, critical, policy)
    warnings, criticals = _held_against(state, policy)
    reached = _reached(warnings, criticals, policy)
    if state.closing and reached is not Level.NONE:  # it came again before it was told gone
        state = structs.replace(state, closing=0, flaps=_count(state.flaps, True))
    if reached.rank > state.level.rank:
        row = criticals if reached is Level.CRITICAL else warnings
        return _rise(state, reached, row, policy)
    if state.level is Level.NONE:
        return state, None
    return _close(state, policy)


def interrupt(state: AlarmState) -> AlarmState:
    """Return the state after a cycle that got no score: the alarm stays, the rows end."""
    if state.level is Level.NONE:
        return AlarmState()
    return structs.replace(state, warning_row=0, critical_row=0, quiet_row=0, recent=(), closing=0)


def _still_quiet(state: AlarmState, severity: float, policy: AlarmPolicy) -> AlarmState:
    """Return what ``_step`` does where nothing is open and nothing begins: nearly always."""
    quiet_row = _count(state.quiet_row, is_quiet(severity, policy))
    return AlarmState(quiet_row=quiet_row, closing=state.closing, flaps=state.flaps)


def _counted(
    state: AlarmState, cycle: int, severity: float, critical: bool, policy: AlarmPolicy
) -> AlarmState:
    """Return the state with this reading in its rows, and what may have begun with it."""
    warns = severity >= WARNING_SEVERITY
    warning_row = _count(state.warning_row, warns)
    recent = () if policy.in_a_row else _recent(state.recent, cycle, warns, critical, policy)
    onset_cycle = state.onset_cycle
    if state.level is Level.NONE:
        if policy.in_a_row:
            if warning_row <= 1:  # a stretch begins here, or there is none
                onset_cycle = cycle if warning_row else 0
        else:
            onset_cycle = recent[0].cycle if recent else 0
    return structs.replace(
        state,
        onset_cycle=onset_cycle,
        warning_row=warning_row,
        critical_row=_count(state.critical_row, critical and warns),
        quiet_row=_count(state.quiet_row, is_quiet(severity, policy)),
        recent=recent,
        open_for=_count(state.open_for, state.level is not Level.NONE),
    )


def _recent(
    recent: tuple[PastWarning, ...], cycle: int, warns: bool, critical: bool, policy: AlarmPolicy
) -> tuple[PastWarning, ...]:
    if not recent and not warns:
        return ()
    kept = [
        PastWarning(past.age + 1, past.cycle, past.critical)
        for past in recent
        if past.age + 1 < policy.on_window_cycles
    ]
    return (*kept, PastWarning(0, cycle, critical)) if warns else tuple(kept)


def _count(row: int, goes_on: bool) -> int:
    return min(row + 1, COUNT_LIMIT) if goes_on else 0


def _held_against(state: AlarmState, policy: AlarmPolicy) -> tuple[int, int]:
    """Return how many readings speak for a warning, and for a critical alarm."""
    if policy.in_a_row:
        return state.warning_row, state.critical_row
    return len(state.recent), sum(past.critical for past in state.recent)


def _reached(warnings: int, criticals: int, policy: AlarmPolicy) -> Level:
    if criticals >= policy.on_delay_cycles:
        return Level.CRITICAL
    return Level.WARNING if warnings >= policy.on_delay_cycles else Level.NONE


def _rise(
    state: AlarmState, level: Level, row: int, policy: AlarmPolicy
) -> tuple[AlarmState, AlarmChange]:
    raised = state.level is Level.NONE
    change = AlarmChange(
        Transition.RAISED if raised else Transition.ESCALATED,
        level,
        state.onset_cycle,
        row,
        0 if policy.in_a_row else policy.on_window_cycles,
        state.flaps,
    )
    return structs.replace(state, level=level, open_for=1 if raised else state.open_for), change


def _close(state: AlarmState, policy: AlarmPolicy) -> tuple[AlarmState, AlarmChange | None]:
    """Return an open alarm after a reading that did not raise it: nearer to its end, or at it."""
    quiet = state.quiet_row >= policy.off_delay_cycles
    if state.closing:
        state = structs.replace(state, closing=_count(state.closing, True))
    elif quiet and state.open_for >= policy.min_length_cycles:
        state = structs.replace(state, closing=1, recent=())
    if not (quiet and state.closing > policy.merge_gap_cycles):
        return state, None
    change = AlarmChange(
        Transition.CLEARED, state.level, state.onset_cycle, state.quiet_row, flaps=state.flaps
    )
    return AlarmState(quiet_row=state.quiet_row), change
