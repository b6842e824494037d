"""From scores to what must be written: verdicts, alerts, next states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from common.records.alerts import Alert, Transition, derive_alarm_id
from common.records.ids import renewed_run_id
from common.records.verdicts import FinalScore, Level, ScoreRecord, Verdict
from detector.core.conclusion.alerts import make_alert
from detector.core.conclusion.calm import calm_alarms
from detector.core.conclusion.evidence import Case
from detector.core.conclusion.finals import final_scores, follow_finals, weigh_finals
from detector.core.conclusion.weighing import NOTHING_FOUND, Finding, Weighed, weigh
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

    verdicts: list[ScoreRecord]
    alerts: list[Alert]
    told: dict[int, list[Told]]
    states: dict[AssetRun, NextState]
    opened: list[tuple[AssetRun, str]]
    cases: list[Case]
    finals: list[FinalScore]

    def add(self, other: Outcome) -> None:
        """Take in what another fleet's part of the batch comes to."""
        self.verdicts.extend(other.verdicts)
        self.alerts.extend(other.alerts)
        for partition, told in other.told.items():
            self.told.setdefault(partition, []).extend(told)
        self.states.update(other.states)
        self.opened.extend(other.opened)
        self.cases.extend(other.cases)
        self.finals.extend(other.finals)


def nothing_yet() -> Outcome:
    """Return what no readings come to."""
    return Outcome([], [], {}, {}, [], [], [])


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
    calm = calm_alarms(plan, weighed, fleet, told)
    alike = _Alike(fleet.spec.ref.label, fleet.spec.machine.step.clock == "time")
    first = 0
    for (key, asset), alarm in zip(plan.assets.items(), calm, strict=True):
        if alarm is None:
            state = _conclude_asset(key, asset, weighed, first, fleet, told.get(key, ()), outcome)
        else:
            outcome.verdicts.extend(_calm_verdicts(key, asset, weighed.findings, first, alike))
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
    timed = spec.machine.step.clock == "time"
    for key, asset in plan.assets.items():
        found = scores[first : first + len(asset.assembled.ends)]
        first += len(found)
        followed = follow_finals(
            asset.start, asset.assembled, found.scores, finals, spec.window_length
        )
        weighed = weigh_finals(asset.assembled, found, followed, spec)
        state = _conclude_asset(key, asset, weighed, 0, fleet, told.get(key, ()), outcome)
        outcome.states[key] = NextState(replace(state, finals=followed.after), asset.before)
        outcome.finals.extend(
            final_scores(key, asset.assembled, followed, spec.ref.label, fleet.name, timed=timed)
        )
    return outcome


def _calm_verdicts(
    key: AssetRun, asset: AssetPlan, findings: Sequence[Finding], first: int, alike: _Alike
) -> Iterator[ScoreRecord]:
    """Yield the verdicts of an asset of which nothing else is to be said."""
    run_id = _run_of(key, asset.start)
    assembled = asset.assembled
    unscored = len(asset.fresh) - len(assembled.ends)
    for index, (item, verdict, detail) in enumerate(
        zip(asset.fresh, assembled.verdicts, assembled.details, strict=True), first - unscored
    ):
        finding = findings[index] if verdict is SCORED else NOTHING_FOUND
        yield _verdict(item, run_id, verdict, detail, alike, finding)


@dataclass(slots=True)
class _Watch:
    """An asset's run and alarm while its readings are taken.

    Attributes:
        source_run: The run, as the source calls it.
        opened: Where the run was opened by rule; none for the source's own.
        run_id: The run's id.
        alarm: The alarm.
        alarm_id: Its id, while it is open.
        told: Alerts that stand, in order; none once the last of them has been reached.
    """

    source_run: str
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
        self.opened, self.run_id = opened, renewed_run_id(self.source_run, *opened)
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
    spec, rule = fleet.spec, fleet.alarm_of(key[0])
    assembled, start = asset.assembled, asset.start
    watch = _watch(key, start, told)
    alike = _Alike(spec.ref.label, spec.machine.step.clock == "time")
    first = position
    for item, verdict, detail, opened in zip(
        asset.decoded, assembled.verdicts, assembled.details, assembled.opened, strict=True
    ):
        if opened is not None and opened != watch.opened:
            watch.open_run(opened)
            outcome.opened.append((key, watch.run_id))
        if verdict is not SCORED:
            outcome.verdicts.append(
                _verdict(item, watch.run_id, verdict, detail, alike, NOTHING_FOUND)
            )
            if not verdict.of_message:
                watch.alarm = interrupt(watch.alarm)
            continue
        here, position = position, position + 1
        warning = weighed.stuck_sentence(here)
        if warning:
            detail = "; ".join(filter(None, [detail, warning]))
        finding = weighed.findings[here]
        outcome.verdicts.append(_verdict(item, watch.run_id, verdict, detail, alike, finding))
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
            said = " ".join(filter(None, [weighed.later(here), warning]))
            alert = _alert(item, watch, change, weighed, here, fleet, said)
            outcome.alerts.append(alert)
            ring, window = assembled.behind(here - first)
            outcome.cases.append(Case(alert, change, rule, fleet, weighed, here, ring, window))
            outcome.told.setdefault(start.fence.partition, []).append((key, alert))
    return assembled.state.moved_on(watch.alarm, watch.alarm_id, asset.fence)


def _run_of(key: AssetRun, start: AssetState) -> str:
    return key[1] if start.opened is None else renewed_run_id(key[1], *start.opened)


def _watch(key: AssetRun, start: AssetState, told: Sequence[Alert]) -> _Watch:
    run_id = _run_of(key, start)
    to_come = [alert for alert in told if alert.run_id != run_id or alert.cycle > start.last_cycle]
    alarm = interrupt(start.alarm) if to_come else start.alarm
    return _Watch(key[1], start.opened, run_id, alarm, start.alarm_id, to_come)


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


class _Alike(NamedTuple):
    """What all verdicts of a fleet say alike: the model, and whether cycles are ticks of time."""

    model: str
    timed: bool


def _verdict(
    item: Decoded, run_id: str, verdict: Verdict, detail: str, alike: _Alike, finding: Finding
) -> ScoreRecord:
    reading, record = item.reading, item.record
    return ScoreRecord(
        reading.asset_id,
        run_id,
        reading.cycle,
        reading.ts,
        verdict,
        alike.model,
        *finding,
        detail,
        record.position,
        record.published_ts_ms,
        reading.fleet,
        alike.timed,
    )
