"""Is it still the topic we know? Asked of a real broker: by id, and without one by its records."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.links.kafka import ensure_topics
from common.settings import KafkaSettings
from common.topics import Topics
from detector.adapters.kafka_history import KafkaHistory
from detector.core.reading.source import SourceRecord
from detector.core.state.progress import Progress, mark_of
from tests.support.batches import batch, produce_raw
from tests.support.topics import make_anew


async def put(kafka: KafkaSettings, *values: bytes) -> None:
    for value in values:
        await produce_raw(
            kafka.bootstrap_servers, Topics(kafka.topic_prefix).readings, batch([value])
        )


async def known(kafka: KafkaSettings, count: int) -> Progress:
    """What a worker remembers of partition 0 after so many records; without the topic's id."""
    await ensure_topics(kafka)
    await put(kafka, *(b"old %d" % number for number in range(count)))
    found: list[SourceRecord] = []
    async for records in KafkaHistory(kafka, 100).read(0, None, count):
        found += records
    return Progress(count, 0, mark_of(found[-1]))


async def gone(kafka: KafkaSettings, progress: Progress) -> bool:
    look = await KafkaHistory(kafka, 100).look_back({0: progress})
    assert look.topic_id, "the local broker has ids"
    return 0 in look.gone


async def test_the_same_topic_is_known_again_however_it_has_grown(
    kafka_settings: KafkaSettings,
) -> None:
    progress = await known(kafka_settings, 5)

    assert not await gone(kafka_settings, progress)
    assert not await gone(kafka_settings, replace(progress, mark=None))
    await put(kafka_settings, b"more")
    assert not await gone(kafka_settings, progress)


@pytest.mark.parametrize("count", [0, 3, 5, 9])
async def test_another_topic_is_told_by_its_records(
    kafka_settings: KafkaSettings, count: int
) -> None:
    progress = await known(kafka_settings, 5)
    await make_anew(kafka_settings)
    await put(kafka_settings, *(b"new %d" % number for number in range(count)))

    assert await gone(kafka_settings, progress)


async def test_another_topic_that_holds_the_same_is_told_by_its_id(
    kafka_settings: KafkaSettings,
) -> None:
    progress = await known(kafka_settings, 5)
    look = await KafkaHistory(kafka_settings, 100).look_back({0: progress})
    with_id = replace(progress, topic_id=look.topic_id)
    assert not await gone(kafka_settings, with_id)
    await make_anew(kafka_settings)
    await known(kafka_settings, 5)

    assert await gone(kafka_settings, with_id)
