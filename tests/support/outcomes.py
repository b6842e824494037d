"""What a whole replay came to, and that two replays came to the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from common.records import Alert, ScoreRecord, Verdict
from common.scorestore.factory import open_score_store
from tests.support.detector import DetectorBench

SCORE_TOLERANCE = 1e-6
"""Another batch size may change the last bits of a float; nothing else may change at all."""


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """Everything a subscriber could have seen.

    Attributes:
        verdicts: On cycles, by time and asset.
        counts: Readings by verdict, repeats included.
        alerts: By id.
    """

    verdicts: Sequence[ScoreRecord]
    counts: Mapping[Verdict, int]
    alerts: Mapping[str, Alert]


async def outcome_of(bench: DetectorBench) -> ReplayOutcome:
    """Read back what a replay came to; a redelivered alert must be the very same message."""
    alerts: dict[str, Alert] = {}
    for alert in await bench.alerts():
        assert (
            alerts.setdefault(alert.alert_id, alert).model_copy(
                update={"score": alert.score, "channels": alert.channels, "reason": alert.reason}
            )
            == alert
        )
    async with open_score_store(bench.scores) as store:
        counts = await store.verdict_counts()
    return ReplayOutcome(await bench.verdicts(), counts, alerts)


def assert_same_outcome(came: ReplayOutcome, expected: ReplayOutcome) -> None:
    """Same verdicts on the same cycles, same counts, same alert ids, same scores."""
    assert came.counts == expected.counts
    assert [_without_score(item) for item in came.verdicts] == [
        _without_score(item) for item in expected.verdicts
    ]
    np.testing.assert_allclose(
        [item.score or 0.0 for item in came.verdicts],
        [item.score or 0.0 for item in expected.verdicts],
        rtol=SCORE_TOLERANCE,
    )
    assert expected.alerts, "a replay without alerts proves nothing about alerts"
    assert came.alerts.keys() == expected.alerts.keys()


def _without_score(record: ScoreRecord) -> ScoreRecord:
    return replace(record, score=None, shares={})
