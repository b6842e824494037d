"""The batch path agrees with the core on any stream, although it shares no code with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import chain, repeat

from hypothesis import given
from hypothesis import strategies as st

from common.records.readings import SensorReading
from common.records.verdicts import ScoreRecord, Verdict
from detector.core.pipeline import decode_batch
from detector.core.reading.decoding import decode
from detector.core.reading.source import Reading
from detector.tools.parity.differences import Numbers
from detector.tools.parity.expected import batch_scores, expect
from models.alarm import AlarmPolicy
from tests.support.builders import (
    INPUTS,
    START,
    EvidenceScorer,
    MeanScorer,
    fleet_of,
    fleets_of,
    reading,
    records,
    toy_machine,
)

POLICY = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.05)

streams = st.lists(
    st.tuples(
        st.integers(min_value=1, max_value=40),
        st.floats(min_value=-5, max_value=5, allow_nan=False, width=32),
        st.sampled_from([0.0, 0.0, 0.0, -1.0]),
    ),
    max_size=60,
)


@given(streams, st.booleans(), st.integers(0, 3))
def test_scores_of_the_batch_path_are_those_of_the_core(
    rows: list[tuple[int, float, float]], in_order: bool, bridge_cycles: int
) -> None:
    rows = sorted(rows) if in_order else rows
    stream = [reading(cycle, value, altitude=altitude) for cycle, value, altitude in rows]
    scorer = MeanScorer()
    inputs = replace(INPUTS, bridge_cycles=bridge_cycles)

    expected = expect(
        decode_batch(records(stream), fleets_of(scorer, inputs)), fleets_of(scorer, inputs, POLICY)
    )

    for key, verdicts in expected.verdicts.items():
        assert numbers_of(verdicts) == expected.scores[key]


@given(streams, st.integers(0, 3))
def test_so_is_all_evidence_beside_the_scores(
    rows: list[tuple[int, float, float]], bridge_cycles: int
) -> None:
    stream = [reading(cycle, round(value), altitude=altitude) for cycle, value, altitude in rows]
    scorer = EvidenceScorer()
    inputs = replace(INPUTS, bridge_cycles=bridge_cycles)

    expected = expect(
        decode_batch(records(stream), fleets_of(scorer, inputs)), fleets_of(scorer, inputs, POLICY)
    )

    for key, verdicts in expected.verdicts.items():
        assert numbers_of(verdicts) == expected.scores[key]
        assert all(row.life for row in verdicts.values() if row.score is not None)


def numbers_of(verdicts: Mapping[int, ScoreRecord]) -> dict[int, Numbers]:
    return {
        cycle: Numbers(row.score, row.severity, row.life)
        for cycle, row in verdicts.items()
        if row.score is not None
    }


blanks = st.lists(st.sets(st.sampled_from(("T24", "T30", "T50")), max_size=3), max_size=60)


@given(streams, blanks, st.booleans(), st.integers(0, 3), st.integers(0, 4))
def test_so_they_are_where_values_are_missing_however_long_these_may_be_held(
    rows: list[tuple[int, float, float]],
    missing: list[set[str]],
    in_order: bool,
    bridge_cycles: int,
    max_hold: int,
) -> None:
    stream = []
    absent = chain(missing, repeat(set[str]()))
    for (cycle, value, altitude), gone in zip(sorted(rows) if in_order else rows, absent):  # noqa: B905
        whole = reading(cycle, value, altitude=altitude)
        left = {name: value for name, value in whole.sensors.items() if name not in gone}
        stream.append(whole.model_copy(update={"sensors": left}))
    scorer = MeanScorer(machine=toy_machine(max_hold=max_hold))
    inputs = replace(INPUTS, bridge_cycles=bridge_cycles)

    expected = expect(
        decode_batch(records(stream), fleets_of(scorer, inputs)), fleets_of(scorer, inputs, POLICY)
    )

    for key, verdicts in expected.verdicts.items():
        assert numbers_of(verdicts) == expected.scores[key]


def test_a_value_is_held_for_three_steps_and_the_fourth_reading_is_refused() -> None:
    whole = [reading(cycle, float(cycle)) for cycle in range(1, 13)]
    stream = [
        item.model_copy(update={"sensors": {"T24": item.sensors["T24"], "T50": 0.0}})
        if 5 <= item.cycle <= 8
        else item
        for item in whole
    ]

    expected = expect(
        decode_batch(records(stream), fleets_of(MeanScorer(), INPUTS)),
        fleets_of(MeanScorer(), INPUTS, POLICY),
    )

    verdicts = expected.verdicts["engine-1", "run-1"]
    assert expected.repeats == {Verdict.REJECTED: 1}
    for cycle in (5, 6, 7):
        assert verdicts[cycle].detail.startswith("held: T30 as of cycle 4")
    assert verdicts[7].score == (7 + 4 + 0) / 3
    assert 8 not in verdicts
    assert verdicts[9].status is Verdict.GAP


def decoded(stream: list[SensorReading]) -> list[Reading]:
    return [decode(item, fleets_of(MeanScorer())) for item in records(stream)]


def test_sensors_the_model_does_not_use_may_be_missing() -> None:
    used = MeanScorer().spec.channels
    stream = [
        item.model_copy(update={"sensors": {name: item.sensors[name] for name in used}})
        for cycle in range(1, 9)
        for item in [reading(cycle, float(cycle))]
    ]

    # warnings begin at 1: a score is its own severity
    assert batch_scores(fleet_of(MeanScorer()), decoded(stream)) == {
        cycle: Numbers(float(cycle), float(cycle)) for cycle in (4, 5, 6, 7, 8)
    }


def test_a_gap_cuts_the_record_in_two() -> None:
    stream = [reading(cycle, float(cycle)) for cycle in (1, 2, 3, 4, 6, 7, 8, 9, 10)]

    strict, bridging = (replace(INPUTS, bridge_cycles=cycles) for cycles in (0, 1))
    assert sorted(batch_scores(fleet_of(MeanScorer(), strict), decoded(stream))) == [4, 9, 10]
    assert sorted(batch_scores(fleet_of(MeanScorer(), bridging), decoded(stream))) == [
        4, 6, 7, 8, 9, 10,
    ]  # fmt: skip


def test_nothing_gives_nothing() -> None:
    assert batch_scores(fleet_of(MeanScorer()), []) == {}


@given(streams, st.sampled_from([0, 2, 3]))
def test_runs_that_are_opened_by_rule_are_left_to_themselves(
    rows: list[tuple[int, float, float]], follow_after: int
) -> None:
    stream = [
        reading(cycle, value, altitude=altitude).model_copy(
            update={"ts": START + timedelta(seconds=second)}
        )
        for second, (cycle, value, altitude) in enumerate(sorted(rows) + sorted(rows))
    ]
    inputs = replace(INPUTS, bridge_cycles=40, follow_after=follow_after)

    batch = decode_batch(records(stream), fleets_of(MeanScorer(), inputs))

    expected = expect(batch, fleets_of(MeanScorer(), inputs, POLICY))

    for key, verdicts in expected.verdicts.items():
        assert numbers_of(verdicts) == expected.scores[key]
    rising = len({cycle for cycle, _, _ in rows})
    if 0 < follow_after < rising == len(rows):  # a cycle twice in a row is no new life
        assert expected.went_on
    if not follow_after:
        assert not expected.went_on
