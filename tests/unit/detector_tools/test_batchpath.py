"""The batch path agrees with the core on any stream, although it shares no code with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from common.records import SensorReading, Verdict
from detector.core.pipeline import decode_batch
from detector.tools.parity.expected import batch_scores, expect
from models.alarm import AlarmPolicy
from tests.support.builders import INPUTS, START, MeanScorer, reading, records

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

    expected = expect(decode_batch(records(stream), scorer, inputs), scorer, POLICY, inputs)

    for key, verdicts in expected.verdicts.items():
        scored = {c: row.score for c, row in verdicts.items() if row.status is Verdict.SCORED}
        assert scored == expected.scores[key]


def without_unused(item: SensorReading) -> SensorReading:
    return item.model_copy(
        update={"sensors": {n: item.sensors[n] for n in MeanScorer().spec.channels}}
    )


def test_sensors_the_model_does_not_use_may_be_missing() -> None:
    stream = [reading(cycle, float(cycle)) for cycle in range(1, 9)]

    assert batch_scores(MeanScorer(), [without_unused(item) for item in stream], 0) == {
        4: 4.0, 5: 5.0, 6: 6.0, 7: 7.0, 8: 8.0,
    }  # fmt: skip


def test_a_gap_cuts_the_record_in_two() -> None:
    stream = [reading(cycle, float(cycle)) for cycle in (1, 2, 3, 4, 6, 7, 8, 9, 10)]

    assert sorted(batch_scores(MeanScorer(), stream, 0)) == [4, 9, 10]
    assert sorted(batch_scores(MeanScorer(), stream, 1)) == [4, 6, 7, 8, 9, 10]


def test_nothing_gives_nothing() -> None:
    assert batch_scores(MeanScorer(), [], 0) == {}


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

    batch = decode_batch(records(stream), MeanScorer(), inputs)

    expected = expect(batch, MeanScorer(), POLICY, inputs)

    for key, verdicts in expected.verdicts.items():
        scored = {c: row.score for c, row in verdicts.items() if row.status is Verdict.SCORED}
        assert scored == expected.scores[key]
    rising = len({cycle for cycle, _, _ in rows})
    if 0 < follow_after < rising:
        assert expected.went_on
    if not follow_after:
        assert not expected.went_on
