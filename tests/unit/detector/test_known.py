"""States that stand in tables are those of any mapping, and those that are stored."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detector.adapters.stored_values import RawValues
from detector.core.conclusion.conclude import conclude
from detector.core.pipeline import AssetRun, decode_batch, prepare
from detector.core.policy import InputPolicy
from detector.core.state.asset import AssetState
from detector.core.state.known import Stand, States
from detector.core.state.table import StateTable
from models.alarm import AlarmPolicy, AlarmState
from tests.support.alarm_rules import alarm_rules
from tests.support.builders import fleet_of
from tests.support.streams import MAX_BYTES, Message, WeighingScorer, on_topic, streams
from tests.unit.detector.test_many_states import plain
from tests.unit.detector.test_state import alarms
from tests.unit.detector.test_steady import mostly_sound

INPUTS = InputPolicy(MAX_BYTES, bridge_cycles=1, follow_after=3)


def key(number: int) -> AssetRun:
    return f"engine-{number}", "run-1"


def in_table(states: dict[AssetRun, AssetState]) -> States:
    table = StateTable.of(list(states.values()))
    assert table is not None
    return States({}, [Stand(list(states), table, range(len(table)))])


def packed(states: States) -> dict[AssetRun, bytes]:
    """What is stored of them."""
    values, sizes = states.pack(list(states))
    ends = np.cumsum(sizes).tolist()
    return {
        name: values[begin:end] for name, begin, end in zip(states, [0, *ends], ends, strict=False)
    }


def test_states_in_a_table_are_asked_for_as_others_are() -> None:
    alone = {key(number): plain(number % 3, number) for number in range(1, 6)}

    states = in_table(alone)

    assert dict(states.fences) == {name: state.fence for name, state in alone.items()}
    assert {name: state.pack() for name, state in states.items()} == packed(states)
    assert packed(states) == {name: state.pack() for name, state in alone.items()}
    assert {name: state.pack() for name, state in states.made().items()} == packed(states)
    assert states.fleet_of(key(1)) == alone[key(1)].fleet
    assert key(9) not in states
    with pytest.raises(KeyError):
        states[key(9)]


def test_a_fleet_may_have_states_of_machines_of_two_widths() -> None:
    narrow = {key(number): plain(2, number) for number in (1, 2)}
    wide = {
        key(number): replace(plain(2, number), ring=np.ones((2, 9), np.float32))
        for number in (3, 4)
    }

    states = in_table(narrow)
    states.update(in_table(wide))

    assert packed(states) == {name: state.pack() for name, state in (narrow | wide).items()}
    assert states.made().keys() == narrow.keys() | wide.keys()


def test_what_is_taken_in_replaces_what_was_there() -> None:
    states = in_table({key(number): plain(2, number) for number in (1, 2, 3)})
    moved = replace(plain(2, 7), former=(plain(2, 8).fence,))

    states.update(States({key(2): moved}))
    states.update(in_table({key(3): plain(4, 9)}))

    assert packed(states) == {
        key(1): plain(2, 1).pack(), key(2): moved.pack(), key(3): plain(4, 9).pack()
    }  # fmt: skip
    assert states.former(key(2)) == moved.former
    assert packed(states.without({key(1), key(2)})) == {key(3): plain(4, 9).pack()}
    assert len(states) == 3


@given(drawn=st.lists(alarms.filter(lambda alarm: not alarm.recent), min_size=1, max_size=4))
def test_alarms_are_told_and_replaced_in_a_table(drawn: list[AlarmState]) -> None:
    table = StateTable.of([plain(2, number + 1) for number in range(len(drawn) + 1)])
    assert table is not None
    which = np.arange(len(drawn)) + 1
    ids = [f"{number:032x}" for number in range(len(drawn))]

    changed = table.with_alarms(which.tolist(), list(zip(drawn, ids, strict=True)))

    assert [stood.alarm for stood in changed.standings(which)] == drawn
    expected = [
        replace(state, alarm=alarm, alarm_id=alarm_id)
        for state, alarm, alarm_id in zip(table.some(which.tolist()), drawn, ids, strict=True)
    ]
    assert [state.pack() for state in changed.some(which.tolist())] == [
        state.pack() for state in expected
    ]
    assert next(changed.states()).pack() == plain(2, 1).pack()


@settings(deadline=None, max_examples=60)
@given(messages=st.one_of(mostly_sound, streams), size=st.integers(1, 40), rule=alarm_rules())
def test_states_that_stay_in_tables_come_to_the_same_as_those_that_are_stored_one_by_one(
    messages: list[Message], size: int, rule: AlarmPolicy
) -> None:
    scorer = WeighingScorer()
    fleet = fleet_of(scorer, INPUTS, rule)
    stream = on_topic(messages, 1).records[0]
    stored: dict[AssetRun, bytes] = {}
    alone: dict[AssetRun, AssetState] = {}
    for at in range(0, len(stream), size):
        batch = decode_batch(stream[at : at + size], {fleet.name: fleet})
        known = RawValues({name: stored[name] for name in batch.by_asset if name in stored}, {}, {})
        plans = [prepare(batch, states, fleet) for states in (known.read()[0].states, alone)]
        ways = [conclude(plan, scorer.score(plan.windows, plan.trail), fleet) for plan in plans]

        found, expected = ways
        assert found.verdicts == expected.verdicts
        assert (found.alerts, found.opened) == (expected.alerts, expected.opened)
        assert dict(found.states.expected) == dict(expected.states.expected)
        stored |= packed(found.states.after)
        alone |= {name: item.state for name, item in expected.states.items()}
        assert stored == {name: state.pack() for name, state in alone.items()}
