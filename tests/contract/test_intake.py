"""The intake on the real broker, and the private names of aiokafka that it needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer import fetcher

from common.errors import BackendUnavailableError
from common.intake.consumer import IntakeConsumer
from common.intake.fetcher import Fetcher, Part
from common.intake.response import PartitionRecords
from common.links.kafka import ensure_topics, make_consumer, read_to_end, started
from common.settings import KafkaSettings
from common.topics import Topics
from detector.adapters.kafka_history import KafkaHistory
from tests.support.batches import SPOILT, batch, marker, produce_raw, with_header
from tests.support.topics import delete, make, make_anew

CODECS = ("gzip", "snappy", "lz4", "zstd")


def test_the_names_that_are_given_another_meaning_are_still_in_use() -> None:
    assert "Fetcher" in AIOKafkaConsumer.start.__code__.co_names
    names = fetcher.Fetcher._proc_fetch_request.__code__.co_names
    assert {"MemoryRecords", "PartitionRecords", "FetchResult", "has_next"} <= set(names)
    assert "_unpack_records" in fetcher.PartitionRecords.__init__.__code__.co_names
    for name in ("_consume_aborted_up_to", "_consumer_record", "__next__"):
        assert hasattr(PartitionRecords, name)
    for name in ("check_assignment", "has_more", "_update_position"):
        assert hasattr(fetcher.FetchResult, name)
    for name in ("_create_fetch_waiter", "_notify", "next_record"):
        assert hasattr(Fetcher, name)


async def test_a_consumer_of_ours_has_our_fetcher(kafka_settings: KafkaSettings) -> None:
    async with started(make_consumer(kafka_settings)) as consumer:
        await consumer.topics()
        assert isinstance(consumer, IntakeConsumer)
        assert type(consumer._fetcher) is Fetcher
        assert consumer._fetcher._isolation_level == fetcher.READ_COMMITTED


async def send(kafka: KafkaSettings, topic: str, codec: str, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, compression_type=codec, linger_ms=50
    )
    async with started(producer):
        for value in values:
            await producer.send(topic, value, key=b"key", partition=0)
        await producer.flush()


async def test_every_codec_of_a_real_producer_is_read_to_the_end(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    sent = []
    for codec in CODECS:
        values = [b'{"codec": "%s", "number": %d}' % (codec.encode(), n) for n in range(200)]
        await send(kafka_settings, topic, codec, values)
        sent += values

    assert [record.value async for record in read_to_end(kafka_settings, topic)] == sent


async def test_reading_to_the_end_passes_damage_markers_and_gaps(
    kafka_settings: KafkaSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    sound = batch([b"a", b"b"])
    await produce_raw(
        kafka_settings.bootstrap_servers,
        topic,
        sound,
        *(spoil(batch([b"x", b"y", b"z"])) for spoil in SPOILT.values()),
        with_header(sound, delta=9),
        marker(0, 1, committed=True),
        sound,
        marker(0, 1, committed=True),
        SPOILT["checksum"](sound),
    )

    values = [record.value async for record in read_to_end(kafka_settings, topic)]

    assert values == [b"a", b"b"] * 3


async def test_a_topics_id_changes_when_it_is_made_anew(kafka_settings: KafkaSettings) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    async with started(make_consumer(kafka_settings)) as consumer:
        first = await consumer.topic_id(topic)
        again = await consumer.topic_id(topic)
        nobodys = await consumer.topic_id("no-such-topic")
        await make_anew(kafka_settings)
        second = await consumer.topic_id(topic)

    assert first is not None
    assert first == again != second
    assert second is not None
    assert nobodys is None


async def one_part(consumer: IntakeConsumer) -> Part:
    """What a fetch of one partition brings."""
    async with asyncio.timeout(30):
        while not (parts := await consumer.parts(timeout_ms=200, max_records=100)):
            pass
    (part,) = parts.values()
    return part


async def test_the_first_part_has_its_topics_id_and_none_has_that_of_a_later_one(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    where = TopicPartition(topic, 0)
    server = kafka_settings.bootstrap_servers
    await produce_raw(server, topic, batch([b"old"] * 5))
    async with started(make_consumer(kafka_settings)) as consumer:
        consumer.assign([where])
        await consumer.seek_to_beginning(where)
        first = await one_part(consumer)
        old = await consumer.topic_id(topic)
        await delete(kafka_settings)
        async with asyncio.timeout(30):
            while await consumer.position(where) != 0:  # noqa: ASYNC110 - the fetcher's own pace
                await asyncio.sleep(0.05)
        await make(kafka_settings, topic, kafka_settings.partitions)
        await produce_raw(server, topic, batch([b"new"] * 9))
        second = await one_part(consumer)

    assert (first.topic_id, first.end) == (old, 5)
    assert [record.value for record in second.records] == [b"new"] * 9
    assert second.topic_id != old  # it is not known when the topic was gone


async def fetched(consumer: IntakeConsumer, where: TopicPartition) -> None:
    """Wait until something is there to be taken."""
    async with asyncio.timeout(30):
        while where not in consumer._fetcher._records:  # noqa: ASYNC110 - the fetcher's own pace
            await asyncio.sleep(0.01)


@asynccontextmanager
async def with_one_ready(kafka: KafkaSettings) -> AsyncIterator[IntakeConsumer]:
    """A consumer that has fetched a record nobody has taken, behind which two more have come."""
    await ensure_topics(kafka)
    where = TopicPartition(Topics(kafka.topic_prefix).readings, 0)
    async with started(make_consumer(kafka)) as consumer:
        consumer._fetcher._prefetch_backoff = 60.0  # as behind a batch that takes long
        consumer.assign([where])
        await consumer.seek_to_beginning(where)
        await produce_raw(kafka.bootstrap_servers, where.topic, batch([b"a"]))
        await fetched(consumer, where)
        await produce_raw(kafka.bootstrap_servers, where.topic, batch([b"b"]), batch([b"c"]))
        yield consumer


async def test_what_came_behind_a_record_that_lay_ready_is_taken_with_it(
    kafka_settings: KafkaSettings,
) -> None:
    async with with_one_ready(kafka_settings) as consumer:
        parts = await consumer.parts(timeout_ms=100, max_records=100, top_up_ms=20_000)

    (part,) = parts.values()
    assert [record.value for record in part.records] == [b"a", b"b", b"c"]
    assert (part.begin, part.end) == (0, 3)


@pytest.mark.parametrize(
    ("most", "top_up_ms"),
    [pytest.param(100, 0, id="nobody waits for more"), pytest.param(1, 20_000, id="no room")],
)
async def test_else_it_is_taken_next(
    kafka_settings: KafkaSettings, most: int, top_up_ms: int
) -> None:
    async def never(_: float) -> bool:
        raise AssertionError("it waited")

    async with with_one_ready(kafka_settings) as consumer:
        with pytest.MonkeyPatch.context() as patching:
            patching.setattr(consumer._fetcher, "_news_within", never)
            parts = await consumer.parts(timeout_ms=100, max_records=most, top_up_ms=top_up_ms)
        second = await one_part(consumer)

    (first,) = parts.values()
    assert [record.value for record in first.records] == [b"a"]
    assert (first.end, second.begin) == (1, 1)
    assert second.records[0].value == b"b"


async def test_what_is_of_another_life_of_the_topic_stays_for_the_next_call(
    kafka_settings: KafkaSettings,
) -> None:
    async with with_one_ready(kafka_settings) as consumer:
        (first,) = (await consumer.parts(timeout_ms=100, max_records=100, top_up_ms=0)).values()
        where = TopicPartition(Topics(kafka_settings.topic_prefix).readings, 0)
        await fetched(consumer, where)
        taken = {where: replace(first, topic_id="another")}

        consumer._fetcher._take(taken, [], 100, 2**20)
        second = await one_part(consumer)

    assert taken[where].end == 1
    assert second.records[0].value == b"b"


async def past(kafka: KafkaSettings, start: int | None, end: int) -> list[bytes | None]:
    """What the detector reads again of partition 0."""
    history = KafkaHistory(kafka, batch_rows=4)
    return [record.value async for part in history.read(0, start, end) for record in part]


async def test_the_past_is_read_past_damage_markers_and_gaps(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    await produce_raw(
        kafka_settings.bootstrap_servers,
        Topics(kafka_settings.topic_prefix).readings,
        batch([b"a", b"b"], codec=4),
        *(spoil(batch([b"x"] * 3)) for spoil in SPOILT.values()),
        with_header(batch([b"c"]), delta=9),
        marker(0, 1, committed=True),
        batch([b"d", b"e"]),
    )
    end = 2 + 3 * len(SPOILT) + 10 + 1

    assert await past(kafka_settings, None, end) == [b"a", b"b", b"c"]
    assert await past(kafka_settings, 1, end + 1) == [b"b", b"c", b"d"]


async def test_the_past_of_a_topic_that_has_become_shorter_may_come_yet(
    kafka_settings: KafkaSettings,
) -> None:
    kafka = kafka_settings.model_copy(update={"op_timeout_s": 2.0})
    await ensure_topics(kafka)
    topic = Topics(kafka.topic_prefix).readings
    await produce_raw(kafka.bootstrap_servers, topic, batch([b"a"] * 5))

    for start in (3, 20):
        with pytest.raises(BackendUnavailableError, match="sent nothing of"):
            await past(kafka, start, 30)
