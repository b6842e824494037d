"""Assets without an alarm, and without a reason for one, are concluded by array."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.core.conclusion import conclude as module
from detector.core.conclusion import watch
from detector.core.conclusion.conclude import Outcome, conclude
from detector.core.pipeline import AssetRun, Plan, decode_batch, prepare
from detector.core.policy import InputPolicy
from detector.core.state.asset import AssetState
from models.alarm import AlarmPolicy
from tests.support.alarm_rules import alarm_rules
from tests.support.builders import fleet_of, reading, records
from tests.support.streams import MAX_BYTES, ORDINARY, Message, WeighingScorer, on_topic, streams
from tests.unit.detector.test_steady import mostly_sound

INPUTS = InputPolicy(MAX_BYTES, bridge_cycles=1, follow_after=3)


def told(outcome: Outcome) -> object:
    """All that an outcome says."""
    states = {
        key: (item.state.pack(), item.state.alarm, item.expected)
        for key, item in outcome.states.items()
    }
    return outcome.verdicts, outcome.alerts, outcome.told, states, outcome.opened


def everybody(plan: Plan, *_: object) -> Sequence[int]:
    """All assets are concluded one by one."""
    return range(len(plan.keys))


@settings(deadline=None, max_examples=60)
@given(messages=st.one_of(mostly_sound, streams), size=st.integers(1, 40), rule=alarm_rules())
def test_calm_assets_come_to_the_same_as_step_by_step(
    messages: list[Message], size: int, rule: AlarmPolicy
) -> None:
    scorer = WeighingScorer()
    fleet = fleet_of(scorer, INPUTS, rule)
    stream = on_topic(messages, 1).records[0]
    states: dict[AssetRun, AssetState] = {}
    for at in range(0, len(stream), size):
        batch = decode_batch(stream[at : at + size], {fleet.name: fleet})
        plan = prepare(batch, states, fleet)
        scores = scorer.score(plan.windows, plan.trail)

        found = conclude(plan, scores, fleet)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_alerts_told_of", everybody)
            expected = conclude(plan, scores, fleet)
        assert told(found) == told(expected)
        states |= {key: item.state for key, item in found.states.items()}


def test_who_is_calm_is_not_stepped_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = WeighingScorer()
    fleet = fleet_of(scorer, INPUTS)
    length = fleet.spec.window_length
    states: dict[AssetRun, AssetState] = {}
    stream = records([reading(cycle, ORDINARY - cycle % 2) for cycle in range(1, length + 4)])
    for part in (stream[:length], stream[length:]):
        plan = prepare(decode_batch(part, {fleet.name: fleet}), states, fleet)
        outcome = conclude(plan, scorer.score(plan.windows, plan.trail), fleet)
        states |= {key: item.state for key, item in outcome.states.items()}
        monkeypatch.delattr(watch, "step", raising=False)

    (state,) = states.values()
    assert len(outcome.verdicts) == 3
    assert state.alarm.quiet_row == 4
