"""Creating topics and reading them to their end, on a real broker."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from common.errors import BackendMissingError
from common.links.kafka import ensure_topics, make_producer, read_to_end, started
from common.settings import KafkaSettings, RetentionSettings
from common.topics import Topics
from deploy.local.programs import free_port


async def test_reading_to_the_end_yields_every_record_once_and_stops(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    sent = {b"value-%d" % number for number in range(3000)}

    async with started(make_producer(kafka_settings)) as producer:
        for value in sent:
            await producer.send(topic, value, key=value[-1:])
        await producer.flush()
    values = [record.value async for record in read_to_end(kafka_settings, topic)]

    assert len(values) == len(sent)
    assert set(values) == sent


async def test_an_empty_topic_ends_at_once(kafka_settings: KafkaSettings) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings

    assert [record async for record in read_to_end(kafka_settings, topic)] == []


async def test_services_that_start_together_create_the_topics_once(
    kafka_settings: KafkaSettings,
) -> None:
    await asyncio.gather(*(ensure_topics(kafka_settings) for _ in range(4)))
    await ensure_topics(kafka_settings)


async def test_dead_letters_are_removed_by_the_broker(kafka_settings: KafkaSettings) -> None:
    """The local broker takes the configuration and tells it; whether it acts on it is its own."""
    wanted = RetentionSettings(dead_letters_days=2, dead_letters_max_mib=3)
    await ensure_topics(kafka_settings, wanted)
    topics = Topics(kafka_settings.topic_prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_settings.bootstrap_servers)
    await admin.start()
    try:
        answers = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topics.dead_letter)]
        )
    finally:
        await admin.close()

    told = {entry[0]: entry[1] for answer in answers for entry in answer.resources[0][4]}
    assert told["retention.ms"] == str(2 * 86_400_000)
    assert told["retention.bytes"] == str(3 * 1024 * 1024)


async def test_no_broker_is_one_clear_sentence() -> None:
    address = f"127.0.0.1:{free_port()}"
    settings = KafkaSettings(bootstrap_servers=address, op_timeout_s=1)

    with pytest.raises(BackendMissingError, match=f"No broker answers at {address}"):
        await ensure_topics(settings)
