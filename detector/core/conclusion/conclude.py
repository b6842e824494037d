"""From scores to what must be written: verdicts, alerts, next states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from msgspec import structs

from common.records.alerts import Alert, Transition, derive_alarm_id
from common.records.verdict_batch import VerdictBatch
from common.records.verdicts import FinalScore, Level, Verdict
from detector.core.conclusion.alerts import make_alert
from detector.core.conclusion.calm import calm_alarms
from detector.core.conclusion.evidence import Case
from detector.core.conclusion.finals import final_scores, follow_finals, weigh_finals
from detector.core.conclusion.verdicts import run_of, verdict_columns
from detector.core.conclusion.weighing import Weighed, weigh
from detector.core.fleet import Fleet
from detector.core.pipeline import AssetPlan, AssetRun, Decoded, NextState, Plan
from detector.core.state.asset import AssetState, Place
from models.alarm import AlarmChange, AlarmState, interrupt, step
from models.scoring.scorer import WindowScores
from models.thresholding.series_rule import AssetFinals

Told = tuple[AssetRun, Alert]
"""An alert, with the key of its asset's state: there the run is called as the source calls it."""


SCORED: Final = Verdict.SCORED

NOTHING_TOLD: Final[Mapping[AssetRun, Sequence[Alert]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch comes to.

    Attributes:
        verdicts: For the score store.
        alerts: For the alerts topic, in the order of the topic per asset.
        told: The same by partition, with the key of the asset's state.
        states: For the state store.
        opened: Runs that were opened by rule: whose, and the new run's id.
        cases: What each of the alerts rests on.
        finals: For the score store, beside verdicts that were given before.
    """

    verdicts: VerdictBatch
    alerts: list[Alert]
    told: dict[int, list[Told]]
    states: dict[AssetRun, NextState]
    opened: list[tuple[AssetRun, str]]
    cases: list[Case]
    finals: list[FinalScore]

    def add(self, other: Outcome) -> None:
        """Take in what another fleet's part of the batch comes to."""
        self.verdicts.add(other.verdicts)
        self.alerts.extend(other.alerts)
        for partition, told in other.told.items():
            self.told.setdefault(partition, []).extend(told)
        self.states.update(other.states)
        self.opened.extend(other.opened)
        self.cases.extend(other.cases)
        self.finals.extend(other.finals)


def nothing_yet() -> Outcome:
    """Return what no readings come to."""
    return Outcome(VerdictBatch(), [], {}, {}, [], [], [])


def conclude(
    plan: Plan,
    scores: WindowScores,
    fleet: Fleet,
    told: Mapping[AssetRun, Sequence[Alert]] = NOTHING_TOLD,
) -> Outcome:
    """Step each asset's alarm through its scores and say what must be written.

    Args:
        plan: What ``prepare`` returned.
        scores: The scores of its windows.
        fleet: Of which the plan is: its alarm rule, and what the model is.
        told: Alerts of these readings that were published under other rules. They stand: up to the
            last of them an asset's alarm goes as they say, and nothing else is said of it.
    """
    if fleet.finals is not None:
        return _with_finals(plan, scores, fleet, fleet.finals, told)
    outcome = nothing_yet()
    weighed = weigh(plan.rows, plan.ends, scores, fleet.spec)
    outcome.verdicts.columns.append(verdict_columns(plan, [weighed], fleet))
    calm = calm_alarms(plan, weighed, fleet, told)
    first = 0
    for (key, asset), alarm in zip(plan.assets.items(), calm, strict=True):
        if alarm is None:
            state = _conclude_asset(key, asset, weighed, first, fleet, told.get(key, ()), outcome)
        else:
            state = asset.assembled.state.moved_on(alarm, asset.start.alarm_id, asset.fence)
        outcome.states[key] = NextState(state, asset.before)
        first += len(asset.assembled.ends)
    return outcome


def _with_finals(
    plan: Plan,
    scores: WindowScores,
    fleet: Fleet,
    finals: AssetFinals,
    told: Mapping[AssetRun, Sequence[Alert]],
) -> Outcome:
    """Conclude of an asset whose scores become final later: run by run, for it has few."""
    outcome = nothing_yet()
    spec, first = fleet.spec, 0
    parts: list[Weighed] = []
    timed = spec.machine.step.clock == "time"
    for key, asset in plan.assets.items():
        found = scores[first : first + len(asset.assembled.ends)]
        first += len(found)
        followed = follow_finals(
            asset.start, asset.assembled, found.scores, finals, spec.window_length
        )
        weighed = weigh_finals(asset.assembled, found, followed, spec)
        parts.append(weighed)
        state = _conclude_asset(key, asset, weighed, 0, fleet, told.get(key, ()), outcome)
        outcome.states[key] = NextState(structs.replace(state, finals=followed.after), asset.before)
        outcome.finals.extend(
            final_scores(key, asset.assembled, followed, spec.ref.label, fleet.name, timed=timed)
        )
    if parts:
        outcome.verdicts.columns.append(verdict_columns(plan, parts, fleet))
    return outcome


@dataclass(slots=True)
class _Watch:
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


def _conclude_asset(
    key: AssetRun,
    asset: AssetPlan,
    weighed: Weighed,
    position: int,
    fleet: Fleet,
    told: Sequence[Alert],
    outcome: Outcome,
) -> AssetState:
    rule = fleet.alarm_of(key[0])
    assembled, start = asset.assembled, asset.start
    watch = _watch(key, start, told)
    first = position
    for item, verdict, opened in zip(
        asset.decoded, assembled.verdicts, assembled.opened, strict=True
    ):
        if opened is not None and opened != watch.opened:
            watch.open_run(opened)
            outcome.opened.append((key, watch.run_id))
        if verdict is not SCORED:
            if not verdict.of_message:
                watch.alarm = interrupt(watch.alarm)
            continue
        here, position = position, position + 1
        if watch.told:
            watch.follow_told(item.reading.cycle)
            continue
        watch.alarm, change = step(
            watch.alarm,
            weighed.cycle(here, item.reading.cycle),
            weighed.severities[here],
            weighed.critical[here],
            rule,
        )
        if change is not None:
            said = " ".join(filter(None, [weighed.later(here), weighed.stuck_sentence(here)]))
            alert = _alert(item, watch, change, weighed, here, fleet, said)
            outcome.alerts.append(alert)
            ring, window = assembled.behind(here - first)
            outcome.cases.append(Case(alert, change, rule, fleet, weighed, here, ring, window))
            outcome.told.setdefault(start.fence.partition, []).append((key, alert))
    return assembled.state.moved_on(watch.alarm, watch.alarm_id, asset.fence)


def _watch(key: AssetRun, start: AssetState, told: Sequence[Alert]) -> _Watch:
    _, run_id = run_of(key, start.opened)
    to_come = [alert for alert in told if alert.run_id != run_id or alert.cycle > start.last_cycle]
    alarm = interrupt(start.alarm) if to_come else start.alarm
    return _Watch(key, start.opened, run_id, alarm, start.alarm_id, to_come)


def _alert(
    item: Decoded,
    watch: _Watch,
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
