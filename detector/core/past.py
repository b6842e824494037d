"""From a stretch of a partition's past to states: what was read again comes to the same.

A rebuild needs the states alone, and they need few scores. An alarm forgets: once so many scores in
a row were quiet (``AlarmPolicy.forgets_after``), whatever was open has been cleared and nothing is
left of what came before. So each asset's windows are scored from the last one backwards, until such
a row is found; a healthy asset's past costs a handful of windows, an open alarm's as many as it is
old. What is remembered of a run for remaining life is the other way about: it never forgets, but
asks no model, and is added up over all windows as they are laid out. Readings are held as numbers,
about 80 bytes each, for as many as the caller adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.records.alerts import derive_alarm_id
from common.records.ids import renewed_run_id
from common.records.verdicts import Level, Verdict
from detector.core.assembler import Assembled
from detector.core.claims import of_this_life
from detector.core.conclusion.finals import follow_finals, weigh_finals
from detector.core.conclusion.weighing import unmoved_of
from detector.core.fleet import Fleet, Fleets
from detector.core.pipeline import AssetRun, Decoded, NextState, decode_batch
from detector.core.reading.columns import Readings
from detector.core.reading.source import SourceRecord
from detector.core.reading.table import fleets_said, put_together, said_by
from detector.core.state.asset import AssetState, Fence, fresh_state
from detector.core.state.known import States
from detector.core.state.starts import Starts
from detector.core.steady import ReadingBatch, assemble_batch
from models.alarm import AlarmPolicy, AlarmState, interrupt, is_quiet, step
from models.scoring.evidence import judge
from models.thresholding.series_rule import AssetFinals

Heard = tuple[float, bool]
"""Of one scored reading: its severity, and whether a warning is critical."""

SLICE_ROWS: Final = 256
"""Readings decoded at once: few enough to stay in the processor's cache, which halves the cost."""

GROUP_ROWS: Final = 1024
"""Readings whose windows are laid out at once: 1.7 MB of the shipped models'."""

LEAST_DEPTH: Final = 8
"""Windows of one run scored at once, at least: single windows are dear."""


class Past:
    """A stretch of one partition's past, by asset and run.

    Args:
        partition: Which partition.
        fleets: Whose models say what is measured.
    """

    def __init__(self, partition: int, fleets: Fleets) -> None:
        self.partition = partition
        self._fleets = fleets
        self._parts: dict[str, _FleetPast] = {}

    def add(self, records: Sequence[SourceRecord]) -> None:
        """Add the next records of the partition."""
        for first in range(0, len(records), SLICE_ROWS):
            self._add(records[first : first + SLICE_ROWS])

    def by_asset(self) -> Mapping[AssetRun, Mapping[str, Readings]]:
        """Return the readings of each (asset, run), by the fleet they say."""
        found: dict[AssetRun, dict[str, Readings]] = {}
        for name, part in self._parts.items():
            for key, readings in part.by_asset().items():
                found.setdefault(key, {})[name] = readings
        return found

    def _add(self, records: Sequence[SourceRecord]) -> None:
        batch = decode_batch(records, self._fleets)
        by_name: dict[str, dict[AssetRun, Sequence[Decoded]]] = {}
        for key, decoded in batch.by_asset.items():
            for name in fleets_said(decoded):
                by_name.setdefault(name, {})[key], _ = said_by(decoded, name)
        for name, by_asset in by_name.items():
            if name not in self._parts:
                self._parts[name] = _FleetPast(self._fleets[name].spec.machine)
            self._parts[name].add(by_asset)


class _FleetPast:
    """The readings of one fleet: all have values of the same machine type."""

    def __init__(self, machine: MachineType) -> None:
        self._machine = machine
        self._numbers: dict[AssetRun, int] = {}
        self._assets: list[NDArray[np.int32]] = []
        self._readings: list[Readings] = []

    def add(self, by_asset: Mapping[AssetRun, Sequence[Decoded]]) -> None:
        numbers = [self._numbers.setdefault(key, len(self._numbers)) for key in by_asset]
        placed = put_together(list(by_asset.values()), self._machine)
        self._assets.append(np.repeat(np.array(numbers, np.int32), placed.counts))
        self._readings.append(placed.readings)

    def by_asset(self) -> Mapping[AssetRun, Readings]:
        assets = np.concatenate(self._assets)
        order = np.argsort(assets, kind="stable")
        readings = _joined(self._readings)[order]
        bounds = np.searchsorted(assets[order], np.arange(len(self._numbers) + 1))
        return {
            key: readings[bounds[number] : bounds[number + 1]]
            for key, number in self._numbers.items()
        }


def _joined(parts: Sequence[Readings]) -> Readings:
    return Readings(
        np.concatenate([part.offsets for part in parts]),
        np.concatenate([part.stamps for part in parts]),
        np.concatenate([part.clock_us for part in parts]),
        np.concatenate([part.rows for part in parts]),
    )


class Restorer:
    """Takes assets through a stretch of their past.

    Args:
        fleets: Their models and rules.
    """

    def __init__(self, fleets: Fleets) -> None:
        self._fleets = fleets

    def restore(
        self,
        partition: int,
        life: int,
        readings: Mapping[AssetRun, Mapping[str, Readings]],
        stored: Mapping[AssetRun, AssetState],
    ) -> dict[AssetRun, NextState]:
        """Return the states after these readings, those the readings have changed.

        Readings of an asset that is at home on another partition had been set aside when they were
        new, and are so again.

        Args:
            partition: Where the readings stood.
            life: The partition's life.
            readings: By asset and run, and the fleet they say: an asset's run is of one.
            stored: The stored state of each, where there is one.
        """
        known = States.of(stored)
        valid = of_this_life(known, {partition: life}).made()
        found: dict[AssetRun, NextState] = {}
        for name, parts in _by_fleet(readings, valid, self._fleets).items():
            fleet = self._fleets[name]
            for own, some in _judged(fleet, parts):
                found |= _FleetRestorer(own).restore(partition, life, some, valid, known.fences)
        return found


def _judged(
    fleet: Fleet, readings: Mapping[AssetRun, Readings]
) -> Iterator[tuple[Fleet, Mapping[AssetRun, Readings]]]:
    """Yield readings with what judges them: the fleet, or each asset's own part of a model."""
    if fleet.parts is None:
        yield fleet, readings
        return
    for key, part in readings.items():
        yield fleet.of(key[0]), {key: part}


def _by_fleet(
    readings: Mapping[AssetRun, Mapping[str, Readings]],
    valid: Mapping[AssetRun, AssetState],
    fleets: Fleets,
) -> dict[str, dict[AssetRun, Readings]]:
    """Return each fleet's readings; of an asset without a state, of that which spoke first."""
    found: dict[str, dict[AssetRun, Readings]] = {}
    for key, parts in readings.items():
        if key in valid:
            name = valid[key].fleet
        else:
            name = min(parts, key=lambda each: int(parts[each].offsets[0]))
        if name in parts and name in fleets:
            found.setdefault(name, {})[key] = parts[name]
    return found


class _FleetRestorer:
    """Takes assets of one fleet through their past."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def restore(
        self,
        partition: int,
        life: int,
        readings: Mapping[AssetRun, Readings],
        valid: Mapping[AssetRun, AssetState],
        stored: Mapping[AssetRun, Fence],
    ) -> dict[AssetRun, NextState]:
        spec = self._fleet.spec
        states = {
            key: valid[key].under(spec)
            if key in valid
            else fresh_state(self._fleet, Fence(partition, int(part.offsets[0]), life))
            for key, part in readings.items()
        }
        expected = {key: stored.get(key, Fence()) for key in readings}
        unapplied = {
            key: part[_first_unapplied(part, states[key].fence) :]
            for key, part in readings.items()
            if states[key].fence.partition == partition
        }
        for group in _groups(unapplied):
            states |= self._taken_through(group, states)
        return {
            key: NextState(states[key], expected[key])
            for key, part in unapplied.items()
            if len(part)
        }

    def _taken_through(
        self,
        group: Mapping[AssetRun, Readings],
        states: Mapping[AssetRun, AssetState],
    ) -> dict[AssetRun, AssetState]:
        if self._fleet.finals is not None:
            return self._with_finals(group, states, self._fleet.finals)
        starts = [states[key] for key in group]
        batch = ReadingBatch.joined(group.values())
        found = assemble_batch(Starts.of(starts, self._fleet), batch, self._fleet)
        runs = {
            key: _Run(
                start,
                assembled,
                part.cycles[list(assembled.taken)].tolist(),
                self._fleet.alarm_of(key[0]),
            )
            for (key, part), start, assembled in zip(
                group.items(), starts, found.assets, strict=True
            )
        }
        self._find_alarms(list(runs.values()))
        model = self._fleet.spec.ref.label
        return {
            key: run.state(
                key,
                Fence(
                    states[key].fence.partition,
                    int(group[key].offsets[-1]) + 1,
                    states[key].fence.life,
                ),
                run.alarm(),
                model,
            )
            for key, run in runs.items()
        }

    def _with_finals(
        self,
        group: Mapping[AssetRun, Readings],
        states: Mapping[AssetRun, AssetState],
        finals: AssetFinals,
    ) -> dict[AssetRun, AssetState]:
        """Take an asset through its past whose scores become final later: these never forget."""
        spec, found = self._fleet.spec, dict[AssetRun, AssetState]()
        for key, part in group.items():
            start = states[key]
            batch = ReadingBatch.joined([part])
            starts = Starts.of([start], self._fleet)
            (assembled,) = assemble_batch(starts, batch, self._fleet).assets
            scores = self._fleet.scorer.score(assembled.windows, assembled.trail)
            followed = follow_finals(start, assembled, scores.scores, finals, spec.window_length)
            weighed = weigh_finals(assembled, scores, followed, spec)
            cycles = part.cycles[list(assembled.taken)].tolist()
            places = iter(weighed.cycles or ())
            judged = [  # an alarm is of the cycle whose score became final
                next(places) if verdict is Verdict.SCORED else cycle
                for cycle, verdict in zip(cycles, assembled.verdicts, strict=True)
            ]
            run = _Run(start, assembled, judged, self._fleet.alarm_of(key[0]))
            run.take(list(zip(weighed.severities, weighed.critical, strict=True)))
            fence = Fence(start.fence.partition, int(part.offsets[-1]) + 1, start.fence.life)
            state = run.state(key, fence, run.alarm(), spec.ref.label)
            found[key] = structs.replace(state, finals=followed.after)
        return found

    def _find_alarms(self, unsure: list[_Run]) -> None:
        spec = self._fleet.spec
        depth = max(self._fleet.alarm.forgets_after, LEAST_DEPTH)
        while unsure:
            asked = [(run.assembled, run.before(depth)) for run in unsure]
            windows = np.concatenate([asset.windows[which] for asset, which in asked])
            trail = np.concatenate([asset.trail[which] for asset, which in asked])
            found = judge(
                self._fleet.scorer.score(windows, trail), unmoved_of(asked, spec.machine), spec
            )
            heard = list(zip(found.severities.tolist(), found.critical.tolist(), strict=True))
            for run, (_, which) in zip(unsure, asked, strict=True):
                run.take(heard[: which.stop - which.start])
                del heard[: which.stop - which.start]
            unsure = [run for run in unsure if not run.sure]


class _Run:
    """One run's windows, scored from the last one backwards until its alarm is certain.

    Attributes:
        assembled: What its readings came to.
        sure: Whether enough is scored.
    """

    def __init__(
        self, start: AssetState, assembled: Assembled, cycles: Sequence[int], rule: AlarmPolicy
    ) -> None:
        self.assembled = assembled
        self.sure = False
        self._before = start
        self._rule = rule
        self._left = len(assembled.windows)
        self._backwards = iter(_backwards(start, assembled, cycles))
        self._start = AlarmState()
        self._quiet_row = 0
        self._steps: list[tuple[int, Heard | None]] = []

    def before(self, depth: int) -> slice:
        """Return which windows come before those that are weighed, ``depth`` of them at most."""
        return slice(max(0, self._left - depth), self._left)

    def take(self, heard: Sequence[Heard]) -> None:
        """Take what :meth:`before` named, once it is weighed, and see whether it is enough."""
        for each in reversed(heard):
            if not self._step_back(each):
                self.sure = True  # the run was opened by rule after this window: no alarm before it
                return
            self._quiet_row = self._quiet_row + 1 if is_quiet(each[0], self._rule) else 0
            if self._quiet_row == self._rule.forgets_after:
                self.sure = True
                return
        self._left -= len(heard)
        if not self._left:
            if self._step_back(None):
                self._start = self._before.alarm
            self.sure = True

    def alarm(self) -> AlarmState:
        """Return the alarm after the last reading, once it is sure."""
        alarm = self._start
        for cycle, heard in reversed(self._steps):
            if heard is None:
                alarm = interrupt(alarm)
            else:
                alarm, _ = step(alarm, cycle, *heard, self._rule)
        return alarm

    def state(self, key: AssetRun, fence: Fence, alarm: AlarmState, model: str) -> AssetState:
        """Return the state after the last reading.

        An alarm that was open before keeps its id; one that was raised on the way gets the id it
        was raised under when it was new.
        """
        state, before = self.assembled.state, self._before
        alarm_id = ""
        if alarm.level is not Level.NONE:
            asset_id, run_id = key
            if state.opened is not None:
                run_id = renewed_run_id(run_id, *state.opened)
            same = (before.opened, before.alarm.onset_cycle) == (state.opened, alarm.onset_cycle)
            alarm_id = before.alarm_id if same and before.alarm.level is not Level.NONE else ""
            alarm_id = alarm_id or derive_alarm_id(asset_id, run_id, alarm.onset_cycle, model)
        return structs.replace(state, alarm=alarm, alarm_id=alarm_id, fence=fence)

    def _step_back(self, heard: Heard | None) -> bool:
        """Go back to the reading of the next window, or to the beginning when there is none.

        Returns:
            False where a run was opened by rule on the way: what came before it is of no account.
        """
        for cycle, scored in self._backwards:
            if cycle is None:
                return False
            if scored:
                self._steps.append((cycle, heard))
                return True
            self._steps.append((cycle, None))
            self._quiet_row = 0
        return True


def _backwards(
    start: AssetState, assembled: Assembled, cycles: Sequence[int]
) -> list[tuple[int | None, bool]]:
    """Return cycle and whether it was scored, last one first; no cycle where a run was opened."""
    found: list[tuple[int | None, bool]] = []
    opened = start.opened
    for cycle, verdict, run in zip(cycles, assembled.verdicts, assembled.opened, strict=True):
        if run != opened:
            found.append((None, False))
            opened = run
        if not verdict.of_message:
            found.append((cycle, verdict is Verdict.SCORED))
    return found[::-1]


def _first_unapplied(readings: Readings, fence: Fence) -> int:
    return int(np.searchsorted(readings.offsets, fence.next_offset))


def _groups(
    readings: Mapping[AssetRun, Readings],
) -> Iterator[Mapping[AssetRun, Readings]]:
    """Cut into groups of at most ``GROUP_ROWS``; a long run's parts are in groups that follow."""
    group: dict[AssetRun, Readings] = {}
    room = GROUP_ROWS
    for key, part in _pieces(readings):
        if len(part) > room or key in group:
            yield group
            group, room = {}, GROUP_ROWS
        group[key] = part
        room -= len(part)
    if group:
        yield group


def _pieces(readings: Mapping[AssetRun, Readings]) -> Iterable[tuple[AssetRun, Readings]]:
    for key, part in readings.items():
        for first in range(0, len(part), GROUP_ROWS):
            yield key, part[first : first + GROUP_ROWS]
