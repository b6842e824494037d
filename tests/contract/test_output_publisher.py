"""Alerts and dead letters on their topics: whole, in order, acknowledged; else an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from common.errors import BackendMissingError, BackendUnavailableError
from common.links.kafka import ensure_topics, read_to_end
from common.records.alerts import Alert
from common.records.evidence import EvidenceMessage
from common.records.letters import DeadLetter
from common.settings import KafkaSettings
from deploy.local.programs import broker_command, free_port
from detector.adapters.kafka_publisher import KafkaPublisher
from tests.support.alerts import make_alert
from tests.support.evidence import make_evidence
from tests.support.servers.backends import build
from tests.support.servers.own_server import OwnServer

ALERTS = [make_alert(cycle, asset_id=asset) for cycle in (1, 2, 3) for asset in ("a", "b")]


def letter(offset: int) -> DeadLetter:
    return DeadLetter(
        reason="empty",
        message="The message has no value.",
        original_key=None,
        original="",
        original_size=0,
        original_sha256="e3",
        topic="fleet.readings",
        partition=3,
        offset=offset,
        received_at=None,
    )


LETTERS = [letter(41), letter(42)]


@pytest.fixture
async def settings(kafka_settings: KafkaSettings) -> KafkaSettings:
    await ensure_topics(kafka_settings)
    return kafka_settings


async def on_topic(settings: KafkaSettings, name: str) -> list[Any]:
    topic = f"{settings.topic_prefix}.{name}"
    return [(item.key, item.value) async for item in read_to_end(settings, topic)]


async def test_what_is_published_stands_on_its_topic_word_for_word(settings: KafkaSettings) -> None:
    async with KafkaPublisher(settings) as publisher:
        await publisher.publish(ALERTS, LETTERS)

        alerts = await on_topic(settings, "alerts")  # acknowledged, hence there already
        letters = await on_topic(settings, "dead-letter")

    assert alerts == [(alert.asset_id.encode(), alert.to_json()) for alert in ALERTS]
    assert letters == [
        (b"fleet.readings-3-41", LETTERS[0].to_json()),
        (b"fleet.readings-3-42", LETTERS[1].to_json()),
    ]


async def test_evidence_stands_on_a_topic_of_its_own_word_for_word(settings: KafkaSettings) -> None:
    evidence = [
        EvidenceMessage(item.asset_id, item.to_json()) for item in map(make_evidence, ALERTS)
    ]
    async with KafkaPublisher(settings) as publisher:
        await publisher.publish_evidence(evidence)
        await publisher.publish_evidence([])

        came = await on_topic(settings, "evidence")

    assert came == [(item.asset_id.encode(), item.value) for item in evidence]
    assert await on_topic(settings, "alerts") == []


async def test_nothing_waits_for_more_to_send(settings: KafkaSettings) -> None:
    lingering = settings.model_copy(update={"linger_ms": 10_000, "op_timeout_s": 9.0})

    async with KafkaPublisher(lingering) as publisher:
        await publisher.publish(ALERTS, LETTERS)  # else it would be a timeout

    assert len(await on_topic(settings, "alerts")) == len(ALERTS)


@pytest.mark.parametrize(
    ("alerts", "letters"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(ALERTS, [], id="alerts alone"),
        pytest.param([], LETTERS, id="dead letters alone"),
        pytest.param(ALERTS[:1], [], id="one alert"),
    ],
)
async def test_either_may_be_missing(
    settings: KafkaSettings, alerts: list[Alert], letters: list[DeadLetter]
) -> None:
    async with KafkaPublisher(settings) as publisher:
        await publisher.publish(alerts, letters)

    assert [value for _, value in await on_topic(settings, "alerts")] == [
        alert.to_json() for alert in alerts
    ]
    assert [value for _, value in await on_topic(settings, "dead-letter")] == [
        item.to_json() for item in letters
    ]


async def test_a_listener_is_told_between_the_first_alert_and_the_next_message(
    settings: KafkaSettings,
) -> None:
    class StoppedError(Exception):
        pass

    def stop() -> None:
        raise StoppedError

    async with KafkaPublisher(settings, stop) as publisher:
        await publisher.publish(ALERTS[:1], [])  # one alone has no next
        await publisher.publish([], LETTERS)  # no alert: nothing to be told of
        with pytest.raises(StoppedError):
            await publisher.publish(ALERTS[1:2], LETTERS)
        with pytest.raises(StoppedError):
            await publisher.publish(ALERTS[2:4], [])

    assert [value for _, value in await on_topic(settings, "dead-letter")] == [
        letter.to_json() for letter in LETTERS
    ]
    assert [value for _, value in await on_topic(settings, "alerts")] == [
        alert.to_json() for alert in ALERTS[:3]
    ]


async def test_a_listener_that_returns_loses_no_message(settings: KafkaSettings) -> None:
    told: list[str] = []

    async with KafkaPublisher(settings, lambda: told.append("once")) as publisher:
        await publisher.publish(ALERTS, LETTERS)

    assert told == ["once"]
    assert [value for _, value in await on_topic(settings, "alerts")] == [
        alert.to_json() for alert in ALERTS
    ]
    assert len(await on_topic(settings, "dead-letter")) == 2


async def test_a_broker_that_does_not_acknowledge_may_be_tried_again(tmp_path: Path) -> None:
    port = free_port()
    broker = OwnServer(build(lambda: broker_command(port)), port, tmp_path / "log")
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}")
    impatient = settings.model_copy(update={"op_timeout_s": 3.0})  # the first is acknowledged
    with broker.running():
        await ensure_topics(settings)
        async with KafkaPublisher(impatient) as publisher:
            await publisher.publish(ALERTS[:1], [])
            with (
                broker.frozen(),
                pytest.raises(BackendUnavailableError, match="did not acknowledge 2 messages"),
            ):
                await publisher.publish(ALERTS[1:2], LETTERS[:1])


async def test_no_broker_is_one_clear_sentence() -> None:
    publisher = KafkaPublisher(
        KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", op_timeout_s=1)
    )

    with pytest.raises(BackendMissingError, match="No broker answers"):
        await publisher.__aenter__()


async def test_a_publisher_that_is_closed_publishes_no_more(settings: KafkaSettings) -> None:
    async with KafkaPublisher(settings) as publisher:
        pass

    with pytest.raises(BackendUnavailableError, match="did not acknowledge 1 messages"):
        await publisher.publish(ALERTS[:1], [])
