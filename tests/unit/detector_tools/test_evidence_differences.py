"""What counts as a difference of evidence, and what does not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from common.records.alerts import Alert
from common.records.evidence import AlertEvidence
from detector.core.conclusion.evidence import make_evidence
from detector.core.pipeline import decode_batch
from detector.tools.parity.evidence import (
    EvidenceComparison,
    EvidenceDiff,
    LiveEvidence,
    first_difference,
)
from detector.tools.parity.expected import Expected, expect
from models.alarm import AlarmPolicy
from tests.support.builders import INPUTS, MeanScorer, fleets_of, reading, records

POLICY = AlarmPolicy(on_delay_cycles=2, off_delay_cycles=2, deadband=0.05)


@pytest.fixture(scope="module")
def expected() -> Expected:
    """Twelve cycles of which the last six are critical: one alarm."""
    stream = records([reading(cycle, 0.5 if cycle < 7 else 3.0) for cycle in range(1, 13)])
    scorer = MeanScorer()
    batch = decode_batch(stream, fleets_of(scorer, INPUTS))
    return expect(batch, fleets_of(scorer, INPUTS, POLICY))


@pytest.fixture(scope="module")
def made(expected: Expected) -> AlertEvidence:
    return make_evidence(expected.cases[0])


def compared(
    expected: Expected, *evidence: AlertEvidence, alerts: list[Alert] | None = None
) -> EvidenceDiff:
    found = LiveEvidence()
    for one in evidence:
        found.add(one.evidence_id, one.to_json())
    live = expected.alerts if alerts is None else alerts
    comparison = EvidenceComparison({alert.alert_id: alert for alert in live}, found, 1e-6)
    comparison.add(expected.cases)
    return comparison.result()


def with_channel(evidence: AlertEvidence, **change: object) -> AlertEvidence:
    first, *rest = evidence.channels
    channels = (first.model_copy(update=change), *rest)
    return evidence.model_copy(update={"channels": channels})


def test_every_alert_has_a_case(expected: Expected) -> None:
    assert expected.alerts
    assert [case.alert for case in expected.cases] == expected.alerts


def test_the_same_is_the_same_and_a_redelivery_is_no_difference(expected: Expected) -> None:
    evidence = [make_evidence(case) for case in expected.cases]

    found = compared(expected, *evidence, *evidence)

    assert found.equal
    assert found.same == found.compared == len(expected.alerts)


def test_evidence_that_is_not_there_is_missing(expected: Expected) -> None:
    found = compared(expected)

    assert not found.equal
    assert list(found.missing) == expected.alerts
    assert found.same == 0


def test_an_alert_that_is_not_live_is_not_looked_up(expected: Expected) -> None:
    assert compared(expected, alerts=[]) == EvidenceDiff(0, (), ())


def test_two_messages_that_disagree_are_a_difference(
    expected: Expected, made: AlertEvidence
) -> None:
    evidence = [make_evidence(case) for case in expected.cases]
    wrong = made.model_copy(update={"machine": "another"})

    [found] = compared(expected, *evidence, wrong).different

    assert (found.alert_id, found.field) == (made.alert_id, "machine")
    assert (found.live, found.expected) == ("another", made.machine)


def test_a_measured_value_must_be_equal_to_the_last_bit(made: AlertEvidence) -> None:
    [*before, last] = made.channels[0].values
    wrong = with_channel(made, values=(*before, last * (1 + 1e-9)))

    found = first_difference(wrong, made, 1e-6)

    assert found is not None
    assert found[0] == f"channels.0.values.{len(before)}"


@pytest.mark.parametrize("name", ["share", "level_sd", "healthy_mean"])
def test_computed_numbers_may_differ_by_the_bound(made: AlertEvidence, name: str) -> None:
    value = getattr(made.channels[0], name)

    assert first_difference(with_channel(made, **{name: value + 5e-7}), made, 1e-6) is None
    far = first_difference(with_channel(made, **{name: value + 1e-3}), made, 1e-6)
    assert far is not None
    assert far[0] == f"channels.0.{name}"


def test_a_value_too_few_is_said_by_number(made: AlertEvidence) -> None:
    values = made.channels[0].values

    found = first_difference(with_channel(made, values=values[1:]), made, 1e-6)

    said = (f"{len(values) - 1} values", f"{len(values)} values")
    assert found == ("channels.0.values", *said)


def test_times_are_compared_where_both_have_them(made: AlertEvidence) -> None:
    later = [ts and ts + timedelta(seconds=1) for ts in made.window.ts]
    window = made.window.model_copy(update={"ts": tuple(later)})
    wrong = made.model_copy(update={"window": window})
    also = made.model_copy(update={"ts": made.ts + timedelta(seconds=1)})

    for one, name in ((wrong, "window.ts.0"), (also, "ts")):
        found = first_difference(one, made, 1e-6)
        assert found is not None
        assert found[0] == name
        assert first_difference(one, made, 1e-6, times=False) is None
    cycles = window.model_copy(update={"length": made.window.length + 1})
    other = made.model_copy(update={"window": cycles})
    assert first_difference(other, made, 1e-6, times=False) is not None
