"""What is read again comes to the same states, and hardly anything is scored again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from numpy.typing import NDArray

from common.records.verdicts import Level
from detector.core import past as module
from detector.core.conclusion.conclude import conclude
from detector.core.past import Past, Restorer
from detector.core.pipeline import AssetRun, decode_batch, prepare
from detector.core.policy import InputPolicy
from detector.core.reading.source import SourceRecord
from detector.core.state.asset import AssetState
from models.alarm import AlarmPolicy
from models.scoring.history import Trail
from models.scoring.scorer import WindowScores
from tests.support.alarm_rules import alarm_rules
from tests.support.builders import (
    START,
    EvidenceScorer,
    MeanScorer,
    fleet_of,
    fleets_of,
    reading,
    records,
)
from tests.support.streams import (
    MAX_BYTES,
    ORDINARY,
    Message,
    WeighingScorer,
    life_remembered,
    on_topic,
    streams,
)

ALARM = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=3, deadband=0.0)
States = dict[AssetRun, AssetState]


class CountingScorer(WeighingScorer):
    """Counts the windows it has scored."""

    def __init__(self) -> None:
        super().__init__()
        self.scored = 0

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        self.scored += len(windows)
        return super().score(windows, trail)


class Remembering(EvidenceScorer):
    """Half of its warnings are critical, by all that is remembered of the run."""

    def __init__(self) -> None:
        super().__init__()
        self._spec = replace(self._spec, thresholds=replace(self.spec.thresholds, life=50.0))

    def score(self, windows: NDArray[np.float32], trail: Trail | None = None) -> WindowScores:
        assert trail is not None
        return replace(super().score(windows, trail), life=life_remembered(trail))


def inputs(bridge_cycles: int = 0) -> InputPolicy:
    return InputPolicy(MAX_BYTES, bridge_cycles=bridge_cycles)


def taken_as_batch(
    batch: Sequence[SourceRecord],
    states: States,
    policy: InputPolicy,
    scorer: MeanScorer | None = None,
    alarm: AlarmPolicy = ALARM,
) -> States:
    """States after a batch, all of it scored, as the service does it."""
    scorer = scorer or WeighingScorer()
    fleet = fleet_of(scorer, policy, alarm)
    plan = prepare(decode_batch(batch, {fleet.name: fleet}), states, fleet)
    outcome = conclude(plan, scorer.score(plan.windows, plan.trail), fleet)
    return states | {key: item.state for key, item in outcome.states.items()}


def restored(
    parts: Sequence[Sequence[SourceRecord]],
    states: States,
    policy: InputPolicy,
    scorer: MeanScorer | None = None,
    alarm: AlarmPolicy = ALARM,
) -> States:
    """States after parts of the past."""
    fleets = fleets_of(scorer or WeighingScorer(), policy, alarm)
    for part in parts:
        past = Past(0, fleets)
        past.add(part)
        found = Restorer(fleets).restore(0, 0, past.by_asset(), states)
        assert all(
            item.expected == states[key].fence for key, item in found.items() if key in states
        )
        states = states | {key: item.state for key, item in found.items()}
    return states


def remembered(states: States) -> dict[AssetRun, bytes]:
    """States as stored, without the one count that nobody ever looks at.

    While no alarm is open, quiet scores are counted and the count is not used: a rise sets it to 0.
    """
    return {
        key: structs.replace(
            state,
            alarm=structs.replace(state.alarm, quiet_row=0)
            if state.alarm.level is Level.NONE
            else state.alarm,
        ).pack()
        for key, state in states.items()
    }


def cut(batch: Sequence[SourceRecord], places: Sequence[int]) -> list[Sequence[SourceRecord]]:
    """Cut at places, which may be anywhere."""
    bounds = [0, *sorted(min(place, len(batch)) for place in places), len(batch)]
    return [batch[begin:end] for begin, end in pairwise(bounds)]


@pytest.fixture(params=[1, 8], ids=lambda depth: f"{depth} windows deep")
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small groups, so that runs are cut; few or several windows at once."""
    monkeypatch.setattr(module, "LEAST_DEPTH", request.param)
    monkeypatch.setattr(module, "GROUP_ROWS", 11)
    monkeypatch.setattr(module, "SLICE_ROWS", 5)


@pytest.mark.usefixtures("small")
def test_any_past_cut_anywhere_comes_to_the_states_it_came_to_when_it_was_new() -> None:
    @settings(max_examples=150, deadline=None)
    @given(
        streams,
        st.sampled_from([0, 1, 3]),
        st.one_of(st.just(ALARM), alarm_rules()),
        st.lists(st.integers(0, 150), max_size=3),
    )
    def check(
        messages: list[Message], bridge_cycles: int, alarm: AlarmPolicy, places: list[int]
    ) -> None:
        batch = on_topic(messages, 1).records[0]
        policy = inputs(bridge_cycles)
        expected = taken_as_batch(batch, {}, policy, alarm=alarm)
        came = restored(cut(batch, places), {}, policy, alarm=alarm)
        assert remembered(came) == remembered(expected)

    check()


@pytest.mark.usefixtures("small")
def test_so_does_that_of_a_model_with_every_kind_of_evidence() -> None:
    whole = st.tuples(*[st.sampled_from([0.0, 0.0, 1.0, 1.5, -4.0, 6.0])] * 3)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(whole, max_size=60), st.lists(st.integers(0, 60), max_size=3))
    def check(rows: list[tuple[float, ...]], places: list[int]) -> None:
        scorer, policy = Remembering(), inputs()
        stream = [
            reading(cycle).model_copy(
                update={"sensors": dict(zip(("T24", "T30", "T50"), row, strict=True))}
            )
            for cycle, row in enumerate(rows, start=1)
        ]
        batch = records(stream)
        expected = taken_as_batch(batch, {}, policy, scorer)
        came = restored(cut(batch, places), {}, policy, scorer)
        assert remembered(came) == remembered(expected)

    check()


def test_what_is_already_part_of_a_state_is_not_taken_twice() -> None:
    flight = records([reading(cycle, ORDINARY + cycle % 3) for cycle in range(1, 30)])
    snapshot = taken_as_batch(flight[:17], {}, inputs())

    states = restored([flight[10:]], snapshot, inputs())

    assert remembered(states) == remembered(taken_as_batch(flight, {}, inputs()))
    assert restored([flight[:17]], snapshot, inputs()) == snapshot


def test_quiet_scores_on_both_sides_of_a_gap_do_not_clear_an_alarm() -> None:
    values = [ORDINARY + 5] * 10 + [ORDINARY] * 8
    cycles = [*range(1, 15), *range(16, 20)]  # two quiet scores, a gap, one quiet score
    flight = records([reading(*item) for item in zip(cycles, values, strict=True)])

    states = restored([flight], {}, inputs())

    (state,) = states.values()
    assert state.alarm.level is Level.CRITICAL
    assert state.alarm.quiet_row == 1
    assert remembered(states) == remembered(taken_as_batch(flight, {}, inputs()))


def test_a_quiet_past_costs_a_few_windows_however_long_it_is() -> None:
    scorer = CountingScorer()
    flight = records([reading(cycle, ORDINARY) for cycle in range(1, 1000)])

    restored([flight], {}, inputs(), scorer)

    assert scorer.scored <= module.LEAST_DEPTH


def test_an_open_alarm_is_scored_back_to_the_quiet_before_it() -> None:
    scorer = CountingScorer()
    values = [ORDINARY] * 600 + [ORDINARY + 5] * 300
    flight = records([reading(cycle, value) for cycle, value in enumerate(values, start=1)])

    states = restored([flight], {}, inputs(), scorer)

    (state,) = states.values()
    assert state.alarm.level is Level.CRITICAL
    assert state.alarm.onset_cycle == 601
    assert 300 < scorer.scored <= 300 + 2 * module.LEAST_DEPTH


def test_a_run_opened_by_rule_is_remembered_from_its_own_first_window() -> None:
    cycles = [*range(1, 21), *range(1, 12)]  # the counter restarts
    flight = records(
        [
            reading(cycle, ORDINARY).model_copy(update={"ts": START + timedelta(seconds=number)})
            for number, cycle in enumerate(cycles)
        ]
    )
    policy = replace(inputs(), follow_after=3)

    (state,) = taken_as_batch(flight, {}, policy).values()

    assert state.opened is not None
    assert state.history.count == 9  # from the third reading on, which opened the run
    assert state.history.whole
