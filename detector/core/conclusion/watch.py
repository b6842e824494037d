"""An asset's run and alarm while its readings are taken, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.records.alerts import Alert, Transition, derive_alarm_id
from common.records.verdicts import Level, Verdict
from common.ring import Ring
from detector.core.conclusion.alerts import make_alert
from detector.core.conclusion.evidence import Case
from detector.core.conclusion.verdicts import run_of
from detector.core.conclusion.weighing import Weighed
from detector.core.fleet import Fleet
from detector.core.pipeline import AssetRun, Decoded
from detector.core.state.asset import Place
from models.alarm import AlarmChange, AlarmState, interrupt, step

SCORED: Final = Verdict.SCORED

Taken = tuple[int, Verdict, Place | None]
"""A reading's cycle, its verdict, and where its run was opened by rule."""


@dataclass(slots=True)
class Seen:
    """What was seen on the way.

    Attributes:
        opened: Runs that were opened by rule.
        cases: What each alert rests on; each holds its alert.
    """

    opened: list[str]
    cases: list[Case]


@dataclass(frozen=True, slots=True)
class Scored:
    """An asset's part of a batch's windows.

    Attributes:
        weighed: All of them.
        first: Which is the asset's first.
        behind: Gives the readings of one of the asset's windows, and the same on the model's scale.
        fleet: Its alarm rule.
    """

    weighed: Weighed
    first: int
    behind: Callable[[int], tuple[Ring, NDArray[np.float32]]]
    fleet: Fleet


@dataclass(slots=True)
class Watch:
    """An asset's run and alarm while its readings are taken.

    Attributes:
        key: The asset, and the run as the source calls it.
        opened: Where the run was opened by rule; none for the source's own.
        run_id: The run's id.
        alarm: The alarm.
        alarm_id: Its id, while it is open.
        told: Alerts that stand, in order; none once the last of them has been reached.
    """

    key: AssetRun
    opened: Place | None
    run_id: str
    alarm: AlarmState
    alarm_id: str
    told: Sequence[Alert]

    def follow_told(self, cycle: int) -> None:
        """Go on as published alerts say, until the reading of the last one has come."""
        last = self.told[-1]
        if (last.run_id, last.cycle) != (self.run_id, cycle):
            return
        self.told = ()
        if last.state is Transition.CLEARED:
            self.alarm, self.alarm_id = AlarmState(), ""
        else:
            self.alarm = AlarmState(Level(last.level), last.onset_cycle, flaps=last.flaps)
            self.alarm_id = last.alarm_id

    def open_run(self, opened: Place) -> None:
        """Go on with a run opened by rule: what was open belongs to the run before it."""
        self.opened, self.run_id = opened, run_of(self.key, opened)[1]
        self.alarm, self.alarm_id = AlarmState(), ""

    def take(self, taken: Iterable[Taken], readings: Sequence[Decoded], scored: Scored) -> Seen:
        """Step through an asset's readings; return what was seen on the way.

        Args:
            taken: What was made of each.
            readings: They themselves, of which only those are asked for that change the alarm.
            scored: Their windows.
        """
        weighed, position, fleet = scored.weighed, scored.first, scored.fleet
        rule, seen = fleet.alarm_of(self.key[0]), Seen([], [])
        for at, (cycle, verdict, opened) in enumerate(taken):
            if opened is not None and opened != self.opened:
                self.open_run(opened)
                seen.opened.append(self.run_id)
            if verdict is not SCORED:
                if not verdict.of_message:
                    self.alarm = interrupt(self.alarm)
                continue
            here, position = position, position + 1
            if self.told:
                self.follow_told(cycle)
                continue
            self.alarm, change = step(
                self.alarm,
                weighed.cycle(here, cycle),
                weighed.severities[here],
                weighed.critical[here],
                rule,
            )
            if change is not None:
                said = " ".join(filter(None, [weighed.later(here), weighed.stuck_sentence(here)]))
                alert = _alert(readings[at], self, change, weighed, here, fleet, said)
                ring, window = scored.behind(here - scored.first)
                seen.cases.append(Case(alert, change, rule, fleet, weighed, here, ring, window))
        return seen


def _alert(
    item: Decoded,
    watch: Watch,
    change: AlarmChange,
    weighed: Weighed,
    position: int,
    fleet: Fleet,
    warning: str,
) -> Alert:
    """Return the alert of a transition. An alarm keeps the id it was raised under to its end."""
    ref = fleet.spec.ref
    if change.state is Transition.RAISED or not watch.alarm_id:
        watch.alarm_id = derive_alarm_id(
            item.reading.asset_id, watch.run_id, change.onset_cycle, ref.label
        )
    alarm_id = watch.alarm_id
    if change.state is Transition.CLEARED:
        watch.alarm_id = ""
    cause = weighed.cause(position, change, fleet.alarm_of(item.reading.asset_id))
    return make_alert(item.reading, watch.run_id, alarm_id, change, cause, fleet.spec, warning)
