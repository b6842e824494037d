"""The whole decision on a batch: verdicts, windows, alerts, next states."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from common.records.alerts import Alert, Transition
from common.records.verdicts import ScoreRecord, Verdict
from detector.adapters.memory import MemoryStateStore
from detector.core.conclusion.conclude import conclude
from detector.core.pipeline import (
    Decoded,
    DecodedBatch,
    by_fleet,
    decode_batch,
    prepare,
)
from detector.core.policy import InputPolicy
from detector.core.reading.source import Reading, SourceRecord
from detector.core.reading.table import put_together
from detector.core.state.asset import fresh_state, unpack
from models.alarm import AlarmPolicy
from tests.support.builders import (
    INPUTS,
    START,
    MeanScorer,
    fleet_of,
    fleets_of,
    reading,
    record,
    records,
)

SCORER = MeanScorer()
POLICY = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.0)


class Bench:
    """Runs batches through the core against packed states, as the service does."""

    def __init__(self, scorer: MeanScorer = SCORER, inputs: InputPolicy = INPUTS) -> None:
        self.scorer = scorer
        self.inputs = inputs
        self.store = MemoryStateStore()
        self.verdicts: list[ScoreRecord] = []
        self.alerts: list[Alert] = []
        self.batches: list[DecodedBatch] = []

    def feed(self, batch: list[SourceRecord], *, keep_states: bool = True) -> None:
        decoded = decode_batch(batch, fleets_of(self.scorer, self.inputs))
        states = {
            key: unpack(self.store.values[key])
            for key in decoded.by_asset
            if key in self.store.values
        }
        plan = prepare(decoded, states, fleet_of(self.scorer, self.inputs))
        outcome = conclude(
            plan, self.scorer.score(plan.windows, plan.trail), fleet_of(self.scorer, INPUTS, POLICY)
        )
        self.verdicts += [*outcome.verdicts, *decoded.rejected]
        self.alerts += outcome.alerts
        self.batches.append(decoded)
        if keep_states:
            for key, item in outcome.states.items():
                self.store.values[key] = item.state.pack()

    def statuses(self) -> list[Verdict]:
        return [verdict.status for verdict in self.verdicts]


def test_the_first_full_window_is_scored_and_everything_before_warms_up() -> None:
    bench = Bench()

    bench.feed(records([reading(cycle, 0.5) for cycle in range(1, 6)]))

    assert bench.statuses() == [Verdict.WARMING_UP] * 3 + [Verdict.SCORED] * 2
    assert [verdict.detail for verdict in bench.verdicts[:3]] == [
        "1 of 4 cycles",
        "2 of 4 cycles",
        "3 of 4 cycles",
    ]
    assert bench.verdicts[3].score == 0.5
    assert sum(bench.verdicts[3].shares.values()) == 1.0


def test_windows_hold_the_last_cycles_oldest_first() -> None:
    decoded = decode_batch(
        records([reading(cycle, float(cycle)) for cycle in range(1, 7)]), fleets_of(SCORER, INPUTS)
    )

    plan = prepare(decoded, {}, fleet_of(SCORER, INPUTS))

    np.testing.assert_array_equal(plan.windows[:, :, 0], [[1, 2, 3, 4], [2, 3, 4, 5], [3, 4, 5, 6]])


def test_windows_of_the_next_batch_go_on_from_what_is_remembered() -> None:
    bench = Bench()
    bench.feed(records([reading(cycle, float(cycle)) for cycle in range(1, 6)]))
    decoded = decode_batch(
        records([reading(cycle, float(cycle)) for cycle in (6, 7)], 5), fleets_of(SCORER, INPUTS)
    )
    state = unpack(bench.store.values["engine-1", "run-1"])

    plan = prepare(decoded, {("engine-1", "run-1"): state}, fleet_of(SCORER, INPUTS))

    assert state.ring[:, 3].tolist() == [2, 3, 4, 5]
    np.testing.assert_array_equal(plan.windows[:, :, 0], [[3, 4, 5, 6], [4, 5, 6, 7]])


def test_a_missing_cycle_is_a_gap_and_never_filled() -> None:
    bench = Bench()

    bench.feed(records([reading(cycle) for cycle in [1, 2, 3, 4, 6, 7, 8, 9]]))

    assert bench.statuses()[3:] == [
        Verdict.SCORED,
        Verdict.GAP,
        Verdict.WARMING_UP,
        Verdict.WARMING_UP,
        Verdict.SCORED,
    ]
    assert bench.verdicts[4].detail == "1 cycle missing before it"


def test_a_gap_within_the_limit_is_bridged_and_said() -> None:
    bench = Bench(inputs=replace(INPUTS, bridge_cycles=2))

    bench.feed(records([reading(cycle, 1.0 + cycle / 100) for cycle in [1, 2, 5, 6, 7, 11, 12]]))

    assert [(verdict.status, verdict.detail) for verdict in bench.verdicts[2:]] == [
        (Verdict.WARMING_UP, "3 of 4 cycles; 2 cycles missing before it, bridged"),
        (Verdict.SCORED, ""),
        (Verdict.SCORED, ""),
        (Verdict.GAP, "3 cycles missing before it"),
        (Verdict.WARMING_UP, "2 of 4 cycles"),
    ]


def test_a_bridged_window_holds_the_last_readings_and_nothing_made_up() -> None:
    flight = records([reading(cycle, float(cycle)) for cycle in (1, 2, 4, 5, 6)])
    decoded = decode_batch(flight, fleets_of(SCORER, INPUTS))

    plan = prepare(decoded, {}, fleet_of(SCORER, replace(INPUTS, bridge_cycles=1)))

    np.testing.assert_array_equal(plan.windows[:, :, 0], [[1, 2, 4, 5], [2, 4, 5, 6]])


def test_an_alarm_goes_on_over_a_bridged_gap_and_knows_its_onset() -> None:
    flight = [reading(cycle, 0.5 + cycle / 1e6) for cycle in range(1, 5)]
    flight += [reading(cycle, 1.5 + cycle / 1e6) for cycle in (5, 7)]
    bridged, refused = Bench(inputs=replace(INPUTS, bridge_cycles=1)), Bench()

    bridged.feed(records(flight))
    refused.feed(records(flight))

    assert [(alert.cycle, alert.onset_cycle) for alert in bridged.alerts] == [(7, 5)]
    assert refused.alerts == []


def test_a_late_cycle_of_a_bridged_gap_is_late() -> None:
    bench = Bench(inputs=replace(INPUTS, bridge_cycles=1))

    bench.feed(records([reading(cycle) for cycle in [1, 2, 4, 3, 5]]))

    assert bench.statuses()[3:] == [Verdict.LATE, Verdict.SCORED]


def test_a_stuck_sensor_is_named_beside_the_score_and_in_the_alert() -> None:
    bench = Bench()
    flight = [
        reading(cycle, 1.5 + cycle / 1e6).model_copy(
            update={"sensors": {"T24": 1.5, "T30": 1.5 + cycle / 1e6, "T50": 1.5}}
        )
        for cycle in range(1, 6)
    ]

    bench.feed(records(flight))

    said = "T24 and T50 have not moved for 4 readings: stuck?"
    assert [verdict.detail for verdict in bench.verdicts[3:]] == [said, said]
    assert bench.alerts[0].reason.endswith(f"T50 high (33%). {said}")


def test_repeats_are_told_apart_and_change_nothing() -> None:
    bench = Bench()

    bench.feed(records([reading(cycle) for cycle in [1, 2, 3, 4, 6, 7, 7, 3, 5, 8]]))

    assert bench.statuses()[6:] == [
        Verdict.DUPLICATE,
        Verdict.LATE,
        Verdict.LATE,
        Verdict.WARMING_UP,
    ]


def test_a_run_that_is_joined_midway_warms_up_from_there() -> None:
    bench = Bench()

    bench.feed(records([reading(cycle) for cycle in [50, 51, 49]]))

    assert bench.statuses() == [Verdict.WARMING_UP, Verdict.WARMING_UP, Verdict.LATE]


def test_an_unknown_regime_interrupts_the_window_and_the_alarm_row() -> None:
    bench = Bench()
    flight = [reading(cycle, 1.5) for cycle in range(1, 5)]
    flight += [reading(5, 1.5, altitude=-1.0)]
    flight += [reading(cycle, 1.5) for cycle in range(6, 11)]

    bench.feed(records(flight))

    assert bench.statuses()[4:9] == [
        Verdict.UNKNOWN_REGIME,
        Verdict.WARMING_UP,
        Verdict.WARMING_UP,
        Verdict.WARMING_UP,
        Verdict.SCORED,
    ]
    assert [(alert.cycle, alert.onset_cycle) for alert in bench.alerts] == [(10, 9)]


def test_a_new_run_starts_fresh_and_the_old_one_is_not_forgotten() -> None:
    bench = Bench()

    bench.feed(records([reading(cycle) for cycle in range(1, 5)]))
    bench.feed(records([reading(1, run_id="run-2")], first_offset=4))
    bench.feed(records([reading(5)], first_offset=5))

    assert bench.statuses()[4:] == [Verdict.WARMING_UP, Verdict.SCORED]


def test_another_model_scores_the_very_next_reading() -> None:
    bench = Bench()
    bench.feed(records([reading(cycle) for cycle in range(1, 6)]))
    bench.scorer = MeanScorer(version="2")

    bench.feed(records([reading(cycle) for cycle in range(6, 11)], first_offset=5))

    assert bench.statuses()[5:] == [Verdict.SCORED] * 5
    assert {verdict.model for verdict in bench.verdicts[5:]} == {"mean@2"}


def test_an_alert_names_every_channel_and_says_why() -> None:
    bench = Bench()

    bench.feed(records([reading(cycle, 2.5 + cycle / 1e6) for cycle in range(1, 7)]))

    (alert,) = bench.alerts
    assert alert.state is Transition.RAISED
    assert [channel.name for channel in alert.channels] == ["T24", "T30", "T50"]
    assert sum(channel.share for channel in alert.channels) == 1.0
    assert alert.reason == (
        "Raised to critical: score 2.5 at or above 2 for 2 readings in a row, since cycle 4. "
        "Mostly T24 high (33%), T30 high (33%), T50 high (33%)."
    )


def test_a_bad_message_is_a_dead_letter_with_its_bytes_and_the_stream_goes_on() -> None:
    bench = Bench()
    bad = reading(2).to_json().replace(b'"mach":0.0', b'"mach":NaN')

    bench.feed([record(reading(1), 0), record(bad, 1, key=b"engine-1"), record(reading(2), 2)])

    (letter,) = bench.batches[0].dead_letters
    assert (letter.reason, letter.offset) == ("non_finite", 1)
    assert base64.b64decode(letter.original) == bad
    assert Counter(bench.statuses()) == {Verdict.WARMING_UP: 2, Verdict.REJECTED: 1}


def test_the_reason_of_a_rejection_is_cut_in_the_verdict_and_whole_in_the_dead_letter() -> None:
    bench = Bench()

    bench.feed([record(reading(1, asset_id="a" * 128), 0, key=b"\xff" * 200)])

    (letter,), (verdict,) = bench.batches[0].dead_letters, bench.verdicts
    whole = f"key_mismatch: {letter.message}"
    assert len(whole) > 600
    assert verdict.detail == whole[:500]


def test_a_giant_message_is_cut_in_its_dead_letter() -> None:
    bench = Bench()

    bench.feed([record(b"x" * 10_000_000, 0, key=b"engine-1")])

    (letter,) = bench.batches[0].dead_letters
    assert letter.original_size == 10_000_000
    assert len(letter.to_json()) < 1_000_000


def test_what_was_applied_is_dropped_on_redelivery() -> None:
    bench = Bench()
    batch = records([reading(cycle, 3.0) for cycle in range(1, 8)])
    bench.feed(batch)
    before = (len(bench.verdicts), len(bench.alerts), dict(bench.store.values))

    bench.feed(batch)

    assert (len(bench.verdicts), len(bench.alerts), dict(bench.store.values)) == before


def test_a_crash_before_the_states_are_written_repeats_the_same_outputs() -> None:
    bench = Bench()
    bench.feed(records([reading(cycle, 1.2) for cycle in range(1, 5)]))
    batch = records([reading(cycle, 3.0) for cycle in range(5, 9)], first_offset=4)

    bench.feed(batch, keep_states=False)
    first = (bench.verdicts[4:], list(bench.alerts))
    bench.feed(batch)

    assert bench.verdicts[8:] == first[0]
    assert bench.alerts[len(first[1]) :] == first[1]
    assert first[1]


def said_by(asset: str, *fleets: str) -> list[Decoded]:
    """Return readings of one asset, each of which says a fleet."""
    return [
        Decoded(record(None, number, key=asset.encode()), Reading(name, asset, "r", 1, START, ()))
        for number, name in enumerate(fleets)
    ]


def test_an_assets_run_is_of_the_fleet_its_first_reading_said_and_of_no_other() -> None:
    known, new = said_by("known", "east", "west", "east"), said_by("new", "west", "east")
    alone, stranger = said_by("alone", "east"), said_by("stranger", "east")
    batch = DecodedBatch(
        {
            ("known", "r"): known,
            ("new", "r"): new,
            ("alone", "r"): alone,
            ("stranger", "r"): stranger,
        },
        (),
        (),
    )
    of = {name: fresh_state(replace(fleet_of(SCORER), name=name)) for name in ("east", "west")}
    states = {("known", "r"): of["west"], ("stranger", "r"): of["west"]}

    shares = by_fleet(batch, states)

    assert {name: part.by_asset for name, part in shares.parts.items()} == {
        "west": {("known", "r"): [known[1]], ("new", "r"): [new[0]]},
        "east": {("alone", "r"): alone},
    }
    assert [*shares.strangers] == [
        (known[0], "west"),
        (known[2], "west"),
        (new[1], "west"),
        (stranger[0], "west"),
    ]


def test_a_reading_whose_missing_value_nothing_can_stand_in_for_is_set_aside() -> None:
    partial = reading(1).model_copy(update={"sensors": {"T24": 1.0, "T30": 1.0}})
    batch = decode_batch(records([partial, reading(2), partial]), fleets_of(SCORER))

    (plan,) = prepare(batch, {}, fleet_of(SCORER)).assets.values()

    ((set_aside, why),) = plan.refused
    assert (set_aside.record.position.offset, why.reason.value) == (0, "missing_channel")
    assert [item.record.position.offset for item in plan.decoded] == [1, 2]


@pytest.mark.parametrize(
    ("ahead", "believed"),
    [
        pytest.param(timedelta(hours=1), True, id="an hour"),
        pytest.param(timedelta(hours=1, microseconds=1), False, id="more"),
        pytest.param(timedelta(days=-9), True, id="behind"),
    ],
)
def test_a_clock_more_than_an_hour_ahead_of_the_broker_is_not_compared_with(
    ahead: timedelta, believed: bool
) -> None:
    stamp = datetime(2026, 1, 1, tzinfo=UTC)  # of every record of these tests
    item = Decoded(record(None, 0), Reading("default", "a", "r", 1, stamp + ahead, (0.0,) * 6))

    (clock_us,) = put_together([[item]], SCORER.spec.machine).readings.clock_us.tolist()

    assert clock_us == round((stamp + ahead * believed).timestamp() * 1e6)
