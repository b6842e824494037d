"""From scores to what must be written: verdicts, alerts, next states."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from types import MappingProxyType
from typing import Final

import numpy as np
from msgspec import structs

from common.records.alerts import Alert
from common.records.verdict_batch import VerdictBatch
from common.records.verdicts import FinalScore
from detector.core.conclusion.calm import Calm, calm_assets
from detector.core.conclusion.evidence import Case
from detector.core.conclusion.finals import final_scores, follow_finals, weigh_finals
from detector.core.conclusion.verdicts import run_of, verdict_columns
from detector.core.conclusion.watch import Scored, Seen, Watch
from detector.core.conclusion.weighing import Weighed, weigh
from detector.core.fleet import Fleet
from detector.core.next_states import NextStates
from detector.core.pipeline import AssetPlan, AssetRun, Plan
from detector.core.state.asset import AssetState
from detector.core.state.known import Stand
from models.alarm import interrupt
from models.scoring.scorer import WindowScores
from models.thresholding.series_rule import AssetFinals

Told = tuple[AssetRun, Alert]
"""An alert, with the key of its asset's state: there the run is called as the source calls it."""


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
    states: NextStates
    opened: list[tuple[AssetRun, str]]
    cases: list[Case]
    finals: list[FinalScore]

    def saw(self, key: AssetRun, seen: Seen, partition: int) -> None:
        """Take in what was seen while an asset's readings were taken."""
        self.opened.extend((key, run_id) for run_id in seen.opened)
        alerts = [case.alert for case in seen.cases]
        self.alerts.extend(alerts)
        self.cases.extend(seen.cases)
        if alerts:
            self.told.setdefault(partition, []).extend((key, alert) for alert in alerts)

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
    return Outcome(VerdictBatch(), [], {}, NextStates(), [], [], [])


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
    weighed = weigh(plan.found.rows, plan.found.ends, scores, fleet.spec)
    outcome.verdicts.columns.append(verdict_columns(plan, [weighed], fleet))
    calm = calm_assets(plan, weighed, fleet)
    apart = sorted({*plan.found.apart, *_alerts_told_of(plan, told)})
    rest = dict(zip(apart, plan.some(apart), strict=True))
    doubtful = _doubtful(plan, calm, rest)
    firsts = plan.found.counts.cumsum() - plan.found.counts
    alone: dict[AssetRun, AssetState] = {}
    for asset in sorted([*rest, *doubtful]):
        key, first = plan.keys[asset], int(firsts[asset])
        if asset in rest:
            stands = told.get(key, ())
            alone[key] = _conclude_asset(key, rest[asset], weighed, first, fleet, stands, outcome)
            continue
        fresh, watch = plan.fresh[asset], doubtful[asset]
        cycles = plan.found.readings.of(asset).cycles.tolist()
        taken = zip(cycles, plan.found.said(asset)[0], repeat(watch.opened), strict=False)
        behind = partial(plan.found.behind, asset)
        seen = watch.take(taken, fresh, Scored(weighed, first, behind, fleet))
        outcome.saw(key, seen, plan.before[asset].partition)
    stand, odd = _moved_on(plan, calm, rest, doubtful)
    outcome.states.add(alone | odd, [stand], dict(zip(plan.keys, plan.before, strict=True)))
    return outcome


def _alerts_told_of(plan: Plan, told: Mapping[AssetRun, Sequence[Alert]]) -> list[int]:
    return [asset for asset, key in enumerate(plan.keys) if key in told] if told else []


def _doubtful(plan: Plan, calm: Calm, rest: Container[int]) -> dict[int, Watch]:
    """Return the assets that went on as they should and are not calm."""
    found: dict[int, Watch] = {}
    if calm.assets.all():
        return found
    rows = np.flatnonzero(~calm.assets)
    for asset, stood in zip(
        np.flatnonzero(plan.found.steady)[rows].tolist(),
        plan.found.after.standings(rows),
        strict=True,
    ):
        if asset not in rest:
            key = plan.keys[asset]
            found[asset] = Watch(
                key, stood.opened, run_of(key, stood.opened)[1], stood.alarm, stood.alarm_id, ()
            )
    return found


def _moved_on(
    plan: Plan, calm: Calm, rest: Container[int], doubtful: Mapping[int, Watch]
) -> tuple[Stand, dict[AssetRun, AssetState]]:
    """Return the states of assets that went on as they should, and those that are plain no more."""
    rows = {asset: row for row, asset in enumerate(np.flatnonzero(plan.found.steady).tolist())}
    plain = {asset: watch for asset, watch in doubtful.items() if not watch.alarm.recent}
    odd = {asset: watch for asset, watch in doubtful.items() if watch.alarm.recent}
    table = calm.table
    if plain:
        alarms = [(watch.alarm, watch.alarm_id) for watch in plain.values()]
        table = table.with_alarms([rows[asset] for asset in plain], alarms)
    states = table.some([rows[asset] for asset in odd])
    alone = {
        watch.key: state.moved_on(watch.alarm, watch.alarm_id, state.fence)
        for watch, state in zip(odd.values(), states, strict=True)
    }
    in_table = [asset for asset in rows if asset not in rest and asset not in odd]
    keys = [plan.keys[asset] for asset in in_table]
    return Stand(keys, table, [rows[asset] for asset in in_table]), alone


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
        after = structs.replace(state, finals=followed.after)
        outcome.states.add({key: after}, (), {key: asset.before})
        outcome.finals.extend(
            final_scores(key, asset.assembled, followed, spec.ref.label, fleet.name, timed=timed)
        )
    if parts:
        outcome.verdicts.columns.append(verdict_columns(plan, parts, fleet))
    return outcome


def _conclude_asset(
    key: AssetRun,
    asset: AssetPlan,
    weighed: Weighed,
    first: int,
    fleet: Fleet,
    told: Sequence[Alert],
    outcome: Outcome,
) -> AssetState:
    assembled = asset.assembled
    watch = _watch(key, asset.start, told)
    taken = zip(asset.cycles, assembled.verdicts, assembled.opened, strict=True)
    seen = watch.take(taken, asset.decoded, Scored(weighed, first, assembled.behind, fleet))
    outcome.saw(key, seen, asset.fence.partition)
    return assembled.state.moved_on(watch.alarm, watch.alarm_id, asset.fence)


def _watch(key: AssetRun, start: AssetState, told: Sequence[Alert]) -> Watch:
    _, run_id = run_of(key, start.opened)
    to_come = [alert for alert in told if alert.run_id != run_id or alert.cycle > start.last_cycle]
    alarm = interrupt(start.alarm) if to_come else start.alarm
    return Watch(key, start.opened, run_id, alarm, start.alarm_id, to_come)
