"""What alerts and verdicts say of several kinds of evidence, through the whole core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from common.records.alerts import Alert, Transition
from common.records.readings import SensorReading
from common.records.verdicts import Evidence, Level, ScoreRecord, Verdict
from detector.core.conclusion.conclude import conclude
from detector.core.pipeline import DecodedBatch, by_fleet, decode_batch, prepare
from models.alarm import AlarmPolicy
from tests.support.builders import EvidenceScorer, fleet_of, fleets_of, reading, records

POLICY = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.1)
SCORER = EvidenceScorer()
"""Its window is 4 readings. T24 is frozen after 3, T30 after 4, T50 never. Warnings: a mean of 1, a
channel of 4; critical: 5 steps left or fewer, and of a channel's size 2.5 leaves as many."""


def run(stream: Sequence[SensorReading]) -> tuple[list[ScoreRecord], list[Alert]]:
    fleet = fleet_of(SCORER, alarm=POLICY)
    batch = decode_batch(records(list(stream)), fleets_of(SCORER))
    plan = prepare(by_fleet(batch, {}).parts["default"], {}, fleet)
    outcome = conclude(plan, SCORER.score(plan.windows, plan.trail), fleet)
    return list(outcome.verdicts), outcome.alerts


def of(cycle: int, t24: float, t30: float, t50: float, altitude: float = 0.0) -> SensorReading:
    sensors = {"T24": t24, "T30": t30, "T50": t50}
    return reading(cycle, altitude=altitude).model_copy(update={"sensors": sensors})


def moving(cycle: int) -> float:
    return 0.125 * (cycle % 2)


def quiet(count: int) -> list[SensorReading]:
    return [of(cycle, moving(cycle), moving(cycle), moving(cycle)) for cycle in range(1, count + 1)]


def test_one_channel_alone_raises_an_alarm_and_is_the_one_named() -> None:
    odd = [of(cycle, moving(cycle), -6.0 - moving(cycle), 5.0) for cycle in (7, 8)]

    verdicts, alerts = run([*quiet(6), *odd])

    assert [alert.evidence for alert in alerts] == [Evidence.LIFE]  # nothing is left of 6 twice
    assert alerts[0].channels[0].name == "T30"
    assert alerts[0].channels[0].direction == "low"
    assert verdicts[-1].evidence is Evidence.CHANNEL
    assert verdicts[-1].severity == 6.0 / 4.0
    assert verdicts[-1].critical_threshold is None


def test_a_warning_becomes_critical_when_little_is_left() -> None:
    early = [of(cycle, 1.5, 1.5 + moving(cycle), 1.5 + moving(cycle)) for cycle in (7, 8)]
    late = [of(cycle, 2.75, 2.75 + moving(cycle), 2.75) for cycle in (9, 10)]

    verdicts, alerts = run([*quiet(6), *early, *late])

    assert [(alert.state, alert.level, alert.evidence) for alert in alerts] == [
        (Transition.RAISED, Level.WARNING, Evidence.DEGRADATION),
        (Transition.ESCALATED, Level.CRITICAL, Evidence.LIFE),
    ]
    raised, escalated = alerts
    assert raised.life is not None
    assert escalated.life is not None
    # the statement at the first warning is wider than that of a single reading
    assert raised.life.low == verdicts[7].life.low / 2  # type: ignore[union-attr]  # it is scored
    assert escalated.life.low == verdicts[9].life.low  # type: ignore[union-attr]
    assert "left (90 %)." in raised.reason or "left (95 %)." in raised.reason
    assert escalated.score == 5.0 / escalated.life.expected
    assert escalated.threshold == 1.0
    assert [verdict.level for verdict in verdicts[-2:]] == [Level.CRITICAL] * 2


def test_a_frozen_channel_is_an_alarm_of_its_own_and_one_that_stands_still_when_sound_is_not() -> (
    None
):
    frozen = [of(cycle, 0.25, moving(cycle), 0.0) for cycle in range(1, 8)]

    verdicts, alerts = run(frozen)

    (alert,) = alerts
    assert (alert.evidence, alert.level, alert.cycle) == (Evidence.FROZEN, Level.WARNING, 5)
    assert (alert.score, alert.threshold) == (4.0, 3.0)
    assert (alert.channels[0].name, alert.channels[0].share) == ("T24", 1.0)
    assert alert.reason.startswith("Raised to warning: T24 has not moved for 4 readings")
    assert "T50" not in verdicts[-1].detail
    assert verdicts[-1].detail == "T24 has not moved for 4 readings: stuck?"


def test_an_alarm_that_clears_names_what_came_closest() -> None:
    odd = [of(cycle, 0.0, 4.0 + moving(cycle), moving(cycle)) for cycle in (7, 8)]
    calm = [of(cycle, moving(cycle), moving(cycle), moving(cycle)) for cycle in range(9, 14)]

    _, alerts = run([*quiet(6), *odd, *calm])

    assert [alert.state for alert in alerts][-1] is Transition.CLEARED
    assert alerts[-1].evidence is Evidence.DEGRADATION
    assert alerts[-1].threshold == 0.9  # below the warning by the deadband


def test_alerts_of_readings_that_a_state_has_taken_already_hold_nothing_back() -> None:
    fleet = fleet_of(SCORER, alarm=POLICY)
    stream = [*quiet(6), *(of(cycle, 1.5, 1.5 + moving(cycle), 1.5) for cycle in range(7, 12))]
    batch = decode_batch(records(stream), fleets_of(SCORER))
    first = prepare(by_fleet(_part(batch, 8), {}).parts["default"], {}, fleet)
    before = conclude(first, SCORER.score(first.windows, first.trail), fleet)
    (key,) = before.states
    states = {key: before.states[key].state}
    assert len(before.alerts) == 1
    calm = [of(cycle, moving(cycle), moving(cycle), moving(cycle)) for cycle in range(12, 18)]
    rest = decode_batch(records([*stream, *calm]), fleets_of(SCORER))
    plan = prepare(by_fleet(rest, states).parts["default"], states, fleet)

    plain = conclude(plan, SCORER.score(plan.windows, plan.trail), fleet)
    told = conclude(plan, SCORER.score(plan.windows, plan.trail), fleet, {key: before.alerts})

    assert [alert.state for alert in plain.alerts] == [Transition.CLEARED]
    assert told.alerts == plain.alerts
    assert told.states[key].state.pack() == plain.states[key].state.pack()


def _part(batch: DecodedBatch, count: int) -> DecodedBatch:
    return replace(batch, by_asset={key: items[:count] for key, items in batch.by_asset.items()})


def test_a_reading_that_is_not_scored_has_no_evidence() -> None:
    verdicts, _ = run(quiet(3))

    assert {verdict.status for verdict in verdicts} == {Verdict.WARMING_UP}
    assert {(verdict.evidence, verdict.severity, verdict.life) for verdict in verdicts} == {
        (None, None, None)
    }
