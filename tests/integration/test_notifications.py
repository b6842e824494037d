"""An api that is killed while it tells a bad receiver: in the end each alert was told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from random import Random

from api.adapters.receivers.webhook import AT_ONCE
from common.links.kafka import ensure_topics, make_producer, started
from common.settings import KafkaSettings
from common.topics import Topics
from tests.support.alerts import make_alert
from tests.support.api_process import ApiProcess
from tests.support.receivers import HANGS_UP, STALLS, webhook_receiver
from tests.unit.api.notifications.test_signing import SECRET, verified


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what another process does
            await asyncio.sleep(0.01)


async def test_each_alert_is_told_though_the_api_is_killed_and_the_receiver_is_bad(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    chance = Random(5)
    alerts = [make_alert(cycle, asset_id=f"engine-{cycle % 7}") for cycle in range(1, 61)]
    ids = {alert.alert_id for alert in alerts}

    def half(number: int) -> str:
        if number == 10:
            return STALLS
        return chance.choice(["500 x", HANGS_UP]) if chance.random() < 0.5 else "200 OK"

    async with webhook_receiver(half) as receiver:
        who = tmp_path / "receivers.toml"
        who.write_text(f'[receiver.chat]\nwebhook = "{receiver.url}"\n')
        await ensure_topics(kafka_settings)
        api = ApiProcess(
            kafka_settings,
            tmp_path,
            SURGELINE_NOTIFY__FILE=str(who),
            SURGELINE_NOTIFY__WEBHOOKS__SECRET=SECRET,
            SURGELINE_NOTIFY__RETRY_INITIAL_S="0.02",
            SURGELINE_NOTIFY__RETRY_MAX_S="0.2",
            SURGELINE_NOTIFY__TIMEOUT_S="0.5",
        )
        await asyncio.to_thread(api.start)
        topic = Topics(kafka_settings.topic_prefix).alerts
        async with started(make_producer(kafka_settings)) as producer:
            for alert in alerts:
                await producer.send(topic, alert.to_json(), key=alert.asset_id.encode())
            await producer.flush()
        await until(lambda: len(receiver.accepted) >= 15)
        api.kill()
        assert len(set(receiver.accepted)) < len(ids)

        await asyncio.to_thread(api.start)
        await until(lambda: set(receiver.accepted) >= ids)

        assert api.stop() == 0, api.log()

    assert set(receiver.accepted) == ids
    # what was on its way when the api was killed may come twice, under its own id; and so may what
    # the receiver took and answered late, on a busy machine
    late = api.log().count("no answer within")
    assert len(receiver.accepted) - len(ids) <= AT_ONCE + late
    assert all(verified(SECRET, each.headers, each.body) for each in receiver.requests)
    assert "very-secret-path" not in api.log()
    assert SECRET not in api.log()
