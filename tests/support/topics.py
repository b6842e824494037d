"""What operators do to topics."""

from __future__ import annotations

import asyncio

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from common.settings import KafkaSettings
from common.topics import Topics


async def make_anew(kafka: KafkaSettings, topic: str = "", partitions: int = 0) -> None:
    """Delete a topic and create it again: the readings topic unless told otherwise."""
    topic = topic or Topics(kafka.topic_prefix).readings
    await delete(kafka, topic)
    await make(kafka, topic, partitions or kafka.partitions)


async def delete(kafka: KafkaSettings, topic: str = "") -> None:
    """Delete a topic: the readings topic unless told otherwise; on return it is gone."""
    topic = topic or Topics(kafka.topic_prefix).readings
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        async with asyncio.timeout(20):
            while topic in await admin.list_topics():  # noqa: ASYNC110 - the broker's own pace
                await asyncio.sleep(0.05)
    finally:
        await admin.close()


async def make(kafka: KafkaSettings, topic: str, partitions: int) -> None:
    """Create a topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()
