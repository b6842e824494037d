"""What a whole replay came to, and that two replays came to the same, field by field.

Promised is: the same messages. Only the last bits of a float may differ, because a batch of another
size may be summed in another order: hence of a score, and of the shares behind it. Everything else
is the same to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import structs

from common.records.alerts import Alert
from common.records.evidence import AlertEvidence, derive_evidence_id
from common.records.letters import DeadLetter
from common.records.verdicts import ScoreRecord, Verdict
from common.scorestore.factory import open_score_store
from tests.support.detector import DetectorBench

SCORE_TOLERANCE = 1e-6
"""Relative. Another batch size may change the last bits of a float; nothing else may change."""

SHARE_TOLERANCE = 1e-6

ROUNDED = re.compile(r"score \S+|\(\d+%\)")
"""What a reason says of the score and the shares, whose last bits may round to another digit."""


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """Everything a subscriber could have seen.

    Attributes:
        verdicts: On cycles, by time and asset.
        counts: Readings by verdict, repeats included.
        alerts: By id.
        evidence: What each alert rests on, by the alert's id.
        dead_letters: By partition and offset; their topic, whose name differs from installation to
            installation, and the broker's stamp are looked at and taken out.
    """

    verdicts: Sequence[ScoreRecord]
    counts: Mapping[Verdict, int]
    alerts: Mapping[str, Alert]
    evidence: Mapping[str, AlertEvidence]
    dead_letters: Mapping[tuple[int, int], DeadLetter]


async def outcome_of(bench: DetectorBench) -> ReplayOutcome:
    """Read back what a replay came to; what was delivered again must be the very same message."""
    alerts: dict[str, Alert] = {}
    for alert in await bench.alerts():
        assert_same_alert(alert, alerts.setdefault(alert.alert_id, alert))
    letters: dict[tuple[int, int], DeadLetter] = {}
    for letter in await bench.dead_letters():
        assert letters.setdefault((letter.partition, letter.offset), letter) == letter
        assert letter.topic == bench.topics.readings
        assert letter.received_at is not None
    async with open_score_store(bench.scores) as store:
        counts = await store.verdict_counts()
    return ReplayOutcome(
        await bench.verdicts(),
        counts,
        alerts,
        await _evidence_of(bench, alerts),
        {
            place: letter.model_copy(update={"topic": "", "received_at": None})
            for place, letter in letters.items()
        },
    )


async def _evidence_of(
    bench: DetectorBench, alerts: Mapping[str, Alert]
) -> Mapping[str, AlertEvidence]:
    """Read back what alerts rest on: of each alert one, and the same each time it was delivered."""
    found: dict[str, AlertEvidence] = {}
    for evidence in await bench.evidence():
        first = found.setdefault(evidence.alert_id, evidence)
        assert_same_evidence(evidence, first)
    for alert in alerts.values():
        assert found[alert.alert_id].evidence_id == derive_evidence_id(alert)
    return found


def assert_same_outcome(came: ReplayOutcome, expected: ReplayOutcome) -> None:
    """Same counts, and the same verdicts, alerts and dead letters in every field."""
    assert came.counts == expected.counts
    assert len(came.verdicts) == len(expected.verdicts)
    for verdict, other in zip(came.verdicts, expected.verdicts, strict=True):
        assert_same_verdict(verdict, other)
    assert expected.alerts, "a replay without alerts proves nothing about alerts"
    assert came.alerts.keys() == expected.alerts.keys()
    for alert_id, alert in came.alerts.items():
        assert_same_alert(alert, expected.alerts[alert_id])
    assert came.evidence.keys() == expected.evidence.keys()
    for alert_id, evidence in came.evidence.items():
        assert_same_evidence(evidence, expected.evidence[alert_id])
    assert expected.dead_letters, "a replay without dead letters proves nothing about them"
    assert came.dead_letters == expected.dead_letters


def assert_same_verdict(came: ScoreRecord, expected: ScoreRecord) -> None:
    """Every field is equal, the score and the shares but for their last bits."""
    assert _exact_fields(came) == _exact_fields(expected)
    if came.score is None or expected.score is None:
        assert _numbers(came) == _numbers(expected)
        assert came.shares == expected.shares
        return
    assert _numbers(came) == pytest.approx(_numbers(expected), rel=SCORE_TOLERANCE)
    assert dict(came.shares) == pytest.approx(dict(expected.shares), abs=SHARE_TOLERANCE)


def _numbers(record: ScoreRecord) -> list[float | None]:
    return [record.score, record.severity, *(record.life or ())]


def _exact_fields(record: ScoreRecord) -> ScoreRecord:
    return structs.replace(record, score=None, severity=None, life=None, shares={})


def assert_same_alert(came: Alert, expected: Alert) -> None:
    """Every field is equal, the score and the shares but for their last bits."""
    if came == expected:
        return
    assert came.score == pytest.approx(expected.score, rel=SCORE_TOLERANCE)
    assert came.severity == pytest.approx(expected.severity, rel=SCORE_TOLERANCE)
    assert [(one.name, one.direction) for one in came.channels] == [
        (one.name, one.direction) for one in expected.channels
    ]
    assert [one.share for one in came.channels] == pytest.approx(
        [one.share for one in expected.channels], abs=SHARE_TOLERANCE
    )
    assert _exact_part(came) == _exact_part(expected)


def assert_same_evidence(came: AlertEvidence, expected: AlertEvidence) -> None:
    """Every field is equal, what the model reckoned but for its last bits."""
    exact, reckoned = _parted(came.model_dump(mode="json"))
    others, theirs = _parted(expected.model_dump(mode="json"))
    assert exact == others
    assert reckoned == pytest.approx(theirs, rel=SCORE_TOLERANCE, abs=SHARE_TOLERANCE)


RECKONED = frozenset({"score", "severity", "share", "expected", "low", "high"})


def _parted(dumped: dict[str, Any]) -> tuple[dict[str, Any], list[float | None]]:
    """Return what a record says without the numbers that a model reckons, and these."""
    numbers: list[float | None] = []

    def taken(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: taken(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [taken(item, name) for item in value]
        if name in RECKONED and isinstance(value, float):
            numbers.append(value)
            return "reckoned"
        return value

    return taken(dumped), numbers


def _exact_part(alert: Alert) -> Alert:
    reason = ROUNDED.sub("_", alert.reason)
    return alert.model_copy(
        update={"score": 0.0, "severity": 0.0, "channels": (), "reason": reason}
    )
