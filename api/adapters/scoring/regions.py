"""Where in a file the fleet's alarm rule would have an alarm open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.adapters.scoring.windows import REFUSED, SCORED
from common.records.alerts import Transition
from common.records.verdicts import Level
from models.alarm import AlarmPolicy, AlarmState, interrupt, step
from models.scoring.scorer import WARNING_SEVERITY


@dataclass(slots=True)
class Stretch:
    """An alarm, from its onset on; all are places among the readings of one machine.

    Attributes:
        first: Where the stretch that raised it begins.
        last: The last anomalous reading.
        level: The highest level it reached.
        open: Whether it has not cleared.
    """

    first: int
    last: int
    level: Level
    open: bool = True


def stretches(
    cycles: NDArray[np.int64],
    statuses: NDArray[np.int64],
    severities: Sequence[float],
    critical: Sequence[bool],
    policy: AlarmPolicy,
) -> list[Stretch]:
    """Return the alarms that readings would raise.

    Args:
        cycles: Shape ``(n,)``, rising.
        statuses: Shape ``(n,)``; places in ``windows.STATUSES``.
        severities: One for each scored reading.
        critical: Likewise.
        policy: The alarm rule.
    """
    state, found = AlarmState(), list[Stretch]()
    scored = iter(zip(severities, critical, strict=True))
    for at, status in enumerate(statuses.tolist()):
        if status == REFUSED:
            continue  # a message that could not be used interrupts nothing
        if status != SCORED:
            state = interrupt(state)
            continue
        severity, is_critical = next(scored)
        state, change = step(state, int(cycles[at]), severity, is_critical, policy)
        if change is not None and change.state is Transition.RAISED:
            first = int(np.searchsorted(cycles, change.onset_cycle))
            found.append(Stretch(first, at, change.level))
        elif change is not None and change.state is Transition.CLEARED:
            found[-1].open = False
        if state.level is not Level.NONE:
            found[-1].level = state.level
            if severity >= WARNING_SEVERITY:
                found[-1].last = at
    return found
