"""What an operator would have seen: the live alarm rule run over every engine's whole record.

The rule is the very one the detector steps through (``models/alarm.py``), with the same defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from common.records.alerts import Transition
from common.records.verdicts import Level
from common.settings import AlarmSettings
from models.alarm import AlarmPolicy, AlarmState, interrupt, step
from models.evaluation.measure import Scored, lead_cycles
from models.evaluation.splits import HEALTHY_RUL
from models.scoring.scorer import WARNING_SEVERITY


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm of one engine.

    Attributes:
        raised: Cycle at which it was raised.
        escalated: Cycle at which it became critical; none if it never did.
        ended: Cycle at which it cleared; the last one if it was open at the end of the record.
    """

    raised: int
    escalated: int | None
    ended: int


@dataclass(frozen=True, slots=True)
class EngineStory:
    """One engine under one model.

    Attributes:
        unit: Engine number.
        cycles: Shape ``(m,)``; the cycles with a score.
        rul: Shape ``(m,)``; life left, cycles.
        scores: Shape ``(m,)``.
        alarms: In order.
        early: Alarms raised with more than ``HEALTHY_RUL`` cycles left: false.
        failing: Whether its record reaches a faulty window.
        warning_lead: Life left when the warning begins (``lead_cycles``); none if it never does.
        critical_lead: The same for the critical level.
        false_warnings: Healthy windows at or above the warning threshold.
        false_criticals: Healthy windows at or above the critical threshold.
        healthy_windows: Healthy windows.
    """

    unit: int
    cycles: NDArray[np.int64]
    rul: NDArray[np.int64]
    scores: NDArray[np.float64]
    alarms: tuple[Alarm, ...]
    early: int
    failing: bool
    warning_lead: int | None
    critical_lead: int | None
    false_warnings: int
    false_criticals: int
    healthy_windows: int

    def lead(self, level: str) -> int | None:
        """Return the lead of ``warning`` or ``critical``."""
        return self.warning_lead if level == "warning" else self.critical_lead


def run_alarm_rule(
    cycles: Sequence[int],
    severities: Sequence[float],
    critical: Sequence[bool],
    rule: AlarmSettings | None = None,
) -> tuple[Alarm, ...]:
    """Return the alarms of one engine.

    Args:
        cycles: Ascending; a jump of more than 1 is a stretch without scores.
        severities: One per cycle; 1 is a warning.
        critical: Whether a warning is critical, one per cycle.
        rule: Delays and deadband; none means the live detector's defaults.

    Example:
        >>> run_alarm_rule(range(1, 6), [0, 2, 2, 2, 9], [False] * 4 + [True])
        (Alarm(raised=4, escalated=None, ended=5),)
    """
    policy = AlarmPolicy(**(rule or AlarmSettings()).model_dump())
    alarms: list[Alarm] = []
    state, previous = AlarmState(), cycles[0] - 1 if len(cycles) else 0
    for cycle, severity, is_critical in zip(cycles, severities, critical, strict=True):
        if cycle != previous + 1:
            state = interrupt(state)
        previous = cycle
        was_open = state.level is not Level.NONE
        state, change = step(state, cycle, severity, is_critical, policy)
        if change is not None and change.state is Transition.RAISED:
            at_once = change.level is Level.CRITICAL
            alarms.append(Alarm(cycle, cycle if at_once else None, cycle))
        elif was_open:
            escalated = change is not None and change.state is Transition.ESCALATED
            alarms[-1] = replace(
                alarms[-1], escalated=cycle if escalated else alarms[-1].escalated, ended=cycle
            )
    return tuple(alarms)


def engine_stories(scored: Scored) -> tuple[EngineStory, ...]:
    """Return one story per engine, in the order of their numbers."""
    return tuple(_story(scored, int(unit)) for unit in np.unique(scored.units))


def leads_of(story: EngineStory) -> tuple[int, int, int]:
    """Return a sort key, worst lead first: critical, then warning (never is worst), then number."""
    leads = (story.critical_lead, story.warning_lead)
    first, second = (-1 if lead is None else lead for lead in leads)
    return first, second, story.unit


def _story(scored: Scored, unit: int) -> EngineStory:
    own = scored.units == unit
    cycles, rul, scores = scored.cycles[own], scored.rul[own], scored.scores[own]
    severities, critical = scored.severities[own], scored.critical[own]
    warning = severities >= WARNING_SEVERITY
    healthy = rul > HEALTHY_RUL
    alarms = run_alarm_rule(cycles.tolist(), severities.tolist(), critical.tolist())
    left = dict(zip(cycles.tolist(), rul.tolist(), strict=True))
    return EngineStory(
        unit,
        cycles,
        rul,
        scores,
        alarms,
        early=sum(left[alarm.raised] > HEALTHY_RUL for alarm in alarms),
        failing=bool(scored.faulty[own].any()),
        warning_lead=lead_cycles(warning, rul),
        critical_lead=lead_cycles(critical, rul),
        false_warnings=int((warning & healthy).sum()),
        false_criticals=int((critical & healthy).sum()),
        healthy_windows=int(healthy.sum()),
    )
