"""``kill -9`` of the detector in the middle of a replay changes nothing that anyone can see."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.records import Alert, ScoreRecord
from common.settings import KafkaSettings, RedisSettings
from deploy.local.programs import free_port
from producer.simulator import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages

FLEET = simulate(12, seed=11, split="train")
MESSAGES = fleet_messages(FLEET, "run-1")
KILLS = 3


def named(alerts: Sequence[Alert]) -> dict[str, Alert]:
    """Alerts by id; that a redelivery is the very same message is part of the promise."""
    by_id: dict[str, Alert] = {}
    for alert in alerts:
        assert by_id.setdefault(alert.alert_id, alert) == alert
    return by_id


def assert_same_verdicts(came: Sequence[ScoreRecord], expected: Sequence[ScoreRecord]) -> None:
    """Same verdicts on the same cycles, and the same scores but for the last bits of a float."""
    assert [replace(item, score=None, shares={}) for item in came] == [
        replace(item, score=None, shares={}) for item in expected
    ]
    np.testing.assert_allclose(
        [item.score or 0.0 for item in came], [item.score or 0.0 for item in expected], rtol=1e-6
    )


@pytest.mark.timeout(240)
async def test_kills_at_random_times_leave_scores_and_alert_ids_as_if_undisturbed(
    kafka_settings: KafkaSettings, redis_settings: RedisSettings, tmp_path: Path
) -> None:
    calm = DetectorBench(kafka_settings, redis_settings, tmp_path / "calm")
    rough = DetectorBench(
        kafka_settings.model_copy(update={"topic_prefix": f"{kafka_settings.topic_prefix}-r"}),
        redis_settings.model_copy(update={"key_prefix": f"{redis_settings.key_prefix}:r"}),
        tmp_path / "rough",
        free_port(),
    )
    for bench in (calm, rough):
        bench.folder.mkdir()
    with calm.running():
        await calm.send(MESSAGES)
        await calm.wait_for_verdicts(len(MESSAGES))

    chance = random.Random(5)
    await rough.send(MESSAGES)
    for _ in range(KILLS):
        # Small batches, so that there are many moments to die at; the kill comes once a random
        # part of the next stretch is done, wherever the worker is by then.
        process = rough.start(SURGELINE_DETECTOR__MAX_BATCH_ROWS="50")
        done = await rough.verdict_total() if rough.scores.sqlite_path.exists() else 0
        target = done + chance.randrange(1, (len(MESSAGES) - done) // 2)
        await rough.wait_for_verdicts(target)
        process.kill()
        process.wait()
    killed_at = await rough.verdict_total()
    with rough.running():
        await rough.wait_for_verdicts(len(MESSAGES))

    assert killed_at < len(MESSAGES), "every kill came too late to disturb anything"
    assert_same_verdicts(await rough.verdicts(), await calm.verdicts())
    assert await rough.verdict_total() == len(MESSAGES)
    calm_alerts = named(await calm.alerts())
    assert calm_alerts
    assert named(await rough.alerts()).keys() == calm_alerts.keys()
