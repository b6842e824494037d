"""The promises of the chunked Faust consumer, on a real broker.

These fail when an upgrade of Faust or aiokafka moves a private name the adapter needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.metadata import version
from itertools import pairwise

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from common.links.kafka import ensure_topics, make_producer, started
from common.settings import DetectorSettings, KafkaSettings
from common.topics import Topics
from detector.adapters import faust_chunks
from detector.adapters.faust_stream import SIDE_BY_SIDE, add_agent, build_faust_app
from detector.core.reading.source import SourceBatch, SourceRecord, UnreadableBatch
from tests.support.batches import SPOILT, batch, marker, produce_raw, with_header
from tests.support.topics import make_anew


class Recorder:
    """Stands for the service: remembers what it was given, and may wait or fail."""

    def __init__(self) -> None:
        self.batches: list[list[SourceRecord]] = []
        self.sources: list[SourceBatch] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.fails = False
        self.started = False
        self.in_hand: list[set[int]] = []
        self.most_in_hand = 0

    @property
    def unreadable(self) -> list[UnreadableBatch]:
        return [item for source in self.sources for item in source.unreadable]

    def reached(self, partition: int = 0) -> int:
        """How far the spans of a partition reach, each beginning where the one before ended."""
        spans = [s.spans[partition] for s in self.sources if partition in s.spans]
        for before, after in pairwise(spans):
            assert after.begin == before.end
        return spans[-1].end if spans else 0

    @property
    def values(self) -> list[bytes | None]:
        return [record.value for batch in self.batches for record in batch]

    @contextmanager
    def holding(self, partitions: set[int]) -> Iterator[None]:
        """Note what is in hand: of no partition twice."""
        assert not any(others & partitions for others in self.in_hand)
        self.in_hand.append(partitions)
        self.most_in_hand = max(self.most_in_hand, len(self.in_hand))
        try:
            yield
        finally:
            self.in_hand.remove(partitions)

    async def process(self, source: SourceBatch) -> None:
        self.started = True
        with self.holding(set(source.spans)):
            await self.may_go_on.wait()
        if self.fails:
            raise RuntimeError("the service gave up")
        self.batches.append(list(source.records))
        self.sources.append(source)


async def until(condition: Callable[[], bool], timeout_s: float = 40.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for is in another library's hands
            await asyncio.sleep(0.01)


@asynccontextmanager
async def worker(
    kafka: KafkaSettings, recorder: Recorder, grace_s: float = 5.0, max_batch_bytes: int = 2**25
) -> AsyncIterator[asyncio.Future[None]]:
    joined = asyncio.Event()
    fatal = asyncio.get_running_loop().create_future()
    abandon = asyncio.Event()
    app = build_faust_app(
        kafka,
        DetectorSettings(
            group_id=f"{kafka.topic_prefix}-group",
            max_batch_rows=500,
            max_batch_bytes=max_batch_bytes,
            session_timeout_s=2,
        ),
    )
    add_agent(
        app,
        Topics(kafka.topic_prefix).readings,
        recorder.process,
        lambda _: joined.set(),
        lambda: None,
        fatal,
        abandon,
    )
    app.finalize()
    await app.start()
    try:
        await asyncio.wait_for(joined.wait(), 40)
        yield fatal
    finally:
        asyncio.get_running_loop().call_later(grace_s, abandon.set)
        await app.stop()


async def send(kafka: KafkaSettings, values: list[bytes]) -> None:
    async with started(make_producer(kafka)) as producer:
        for value in values:
            await producer.send(Topics(kafka.topic_prefix).readings, value, key=value[-2:])
        await producer.flush()


def test_faust_and_aiokafka_are_the_versions_the_adapter_was_written_for() -> None:
    assert version("faust-streaming") == "0.15.3"
    assert version("aiokafka") == "0.14.0"


async def test_every_record_arrives_once_in_order_and_in_chunks(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    sent = [b"value-%05d" % number for number in range(3000)]
    recorder = Recorder()

    async with worker(kafka_settings, recorder):
        await send(kafka_settings, sent)
        await until(lambda: len(recorder.values) >= len(sent))

    assert sorted(value or b"" for value in recorder.values) == sent
    assert len(recorder.batches) < len(sent) / 10
    for partition in range(kafka_settings.partitions):
        offsets = [
            record.position.offset
            for batch in recorder.batches
            for record in batch
            if record.position.partition == partition
        ]
        assert offsets == list(range(len(offsets)))


async def test_what_was_processed_is_committed_at_a_polite_stop(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    first, second = Recorder(), Recorder()
    async with worker(kafka_settings, first):
        await send(kafka_settings, [b"a-%03d" % number for number in range(200)])
        await until(lambda: len(first.values) == 200)

    async with worker(kafka_settings, second):
        await send(kafka_settings, [b"b-%03d" % number for number in range(50)])
        await until(lambda: len(second.values) >= 50)

    assert {(value or b"")[:2] for value in second.values} == {b"b-"}


async def test_what_failed_is_never_committed_and_comes_again(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    failing, healthy = Recorder(), Recorder()
    failing.fails = True
    await send(kafka_settings, [b"a-%03d" % number for number in range(100)])

    async with worker(kafka_settings, failing) as fatal:
        with pytest.raises(RuntimeError, match="gave up"):
            await asyncio.wait_for(asyncio.shield(fatal), 30)
    async with worker(kafka_settings, healthy):
        await until(lambda: len(healthy.values) >= 100)

    assert len(set(healthy.values)) == 100


async def test_a_slow_service_holds_a_bounded_number_of_records(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    recorder = Recorder()
    recorder.may_go_on.clear()
    await send(kafka_settings, [b"a-%04d" % number for number in range(5000)])

    async with worker(kafka_settings, recorder):
        await until(lambda: recorder.most_in_hand == SIDE_BY_SIDE)
        await asyncio.sleep(1.0)  # time in which an unbounded consumer would fetch everything
        recorder.may_go_on.set()
        await until(lambda: len(recorder.values) >= 5000)

    assert recorder.most_in_hand == SIDE_BY_SIDE, "chunks of different partitions go side by side"
    assert max(len(batch) for batch in recorder.batches) <= 500
    assert len(set(recorder.values)) == 5000


async def test_what_came_meanwhile_is_one_chunk(
    kafka_settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits in a small chunk of its own behind another batch."""
    monkeypatch.setattr(faust_chunks, "TOP_UP_S", 5.0)  # the machine may be busy
    kafka = kafka_settings.model_copy(update={"partitions": 1})
    await ensure_topics(kafka)
    recorder = Recorder()

    async with worker(kafka, recorder):
        recorder.may_go_on.clear()
        await send(kafka, [b"first"])
        await until(lambda: recorder.started)
        for number in range(4):
            await send(kafka, [b"meanwhile-%d" % number])
        recorder.may_go_on.set()
        await until(lambda: len(recorder.values) == 5)

    assert [len(batch) for batch in recorder.batches] == [1, 4]


async def test_a_large_message_passes(kafka_settings: KafkaSettings) -> None:
    await ensure_topics(kafka_settings)
    recorder = Recorder()

    async with worker(kafka_settings, recorder):
        await send(kafka_settings, [b"x" * 900_000, b"after"])
        await until(lambda: len(recorder.values) == 2)


async def test_a_batch_that_cannot_end_is_given_up_at_a_stop_and_comes_again(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    stuck, healthy = Recorder(), Recorder()
    stuck.may_go_on.clear()

    async with worker(kafka_settings, stuck, grace_s=0.2):
        await send(kafka_settings, [b"a-%03d" % number for number in range(100)])
        await until(lambda: stuck.started)
    async with worker(kafka_settings, healthy):
        await until(lambda: len(healthy.values) >= 100)

    assert stuck.batches == []
    assert len(set(healthy.values)) == 100


async def committed(kafka: KafkaSettings, partition: int = 0) -> int | None:
    """What the group has committed."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=f"{kafka.topic_prefix}-group",
        enable_auto_commit=False,
    )
    async with started(consumer):
        where = TopicPartition(Topics(kafka.topic_prefix).readings, partition)
        consumer.assign([where])
        found: int | None = await consumer.committed(where)
        return found


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_records_arrive(kafka_settings: KafkaSettings, codec: str) -> None:
    await ensure_topics(kafka_settings)
    recorder = Recorder()
    sent = [b"value %05d of a compressed producer" % number for number in range(500)]
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka_settings.bootstrap_servers, compression_type=codec, linger_ms=50
    )

    async with worker(kafka_settings, recorder):
        async with started(producer):
            for value in sent:
                await producer.send(Topics(kafka_settings.topic_prefix).readings, value)
            await producer.flush()
        await until(lambda: len(recorder.values) >= len(sent))

    assert sorted(value or b"" for value in recorder.values) == sent


@pytest.mark.parametrize("how", list(SPOILT))
async def test_a_damaged_batch_is_handed_over_once_and_the_stream_goes_on(
    kafka_settings: KafkaSettings, how: str
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    recorder, successor = Recorder(), Recorder()
    damaged = SPOILT[how](batch([b"x", b"y", b"z"]))

    async with worker(kafka_settings, recorder):
        await produce_raw(
            kafka_settings.bootstrap_servers, topic, batch([b"a", b"b"]), damaged, batch([b"c"])
        )
        await until(lambda: recorder.reached() == 6)
    async with worker(kafka_settings, successor):
        await produce_raw(kafka_settings.bootstrap_servers, topic, batch([b"d"]))
        await until(lambda: successor.values != [])

    assert recorder.values == [b"a", b"b", b"c"]
    [item] = recorder.unreadable
    assert (item.position.partition, item.position.offset, item.last_offset) == (0, 2, 4)
    assert item.original[12:] == damaged[12:]
    assert (successor.values, successor.unreadable) == ([b"d"], [])


async def test_ends_of_transactions_and_gaps_lie_within_spans_and_are_committed(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    recorder = Recorder()

    async with worker(kafka_settings, recorder):
        for number in range(5):
            await produce_raw(
                kafka_settings.bootstrap_servers,
                topic,
                batch([b"a", b"b"]),
                marker(0, 1, committed=True),
                with_header(batch([b"c"]), delta=6),
            )
            end = (number + 1) * 10
            await until(lambda end=end: recorder.reached() == end)  # type: ignore[misc]
        await produce_raw(kafka_settings.bootstrap_servers, topic, marker(0, 1, committed=True))
        await until(lambda: recorder.reached() == 51)

    assert recorder.values == [b"a", b"b", b"c"] * 5
    assert recorder.unreadable == []
    assert await committed(kafka_settings) == 51


async def test_a_chunk_is_closed_at_so_many_bytes(kafka_settings: KafkaSettings) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    recorder = Recorder()
    recorder.may_go_on.clear()
    for _ in range(3):
        await produce_raw(
            kafka_settings.bootstrap_servers, topic, batch([bytes(100_000)] * 40, codec=1)
        )

    async with worker(kafka_settings, recorder, max_batch_bytes=1_000_000):
        recorder.may_go_on.set()
        await until(lambda: len(recorder.values) >= 120)

    assert len(recorder.values) == 120
    assert max(len(found) for found in recorder.batches) == 10
    assert recorder.reached() == 120


async def test_a_topic_made_anew_under_a_running_worker_is_delivered_whole(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    server = kafka_settings.bootstrap_servers
    recorder = Recorder()

    async with worker(kafka_settings, recorder):
        await produce_raw(server, topic, *(batch([b"old-%02d" % n]) for n in range(25)))
        await until(lambda: len(recorder.values) == 25)
        await make_anew(kafka_settings)
        for number in range(20):
            await produce_raw(server, topic, batch([b"new-%02d" % number]))
        await until(lambda: len(recorder.values) >= 45)

    new = [value for value in recorder.values if (value or b"").startswith(b"new")]
    assert new == [b"new-%02d" % number for number in range(20)]
    assert await committed(kafka_settings) == 20


async def test_a_topic_made_anew_that_has_outgrown_the_old_one_is_delivered_whole(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    server = kafka_settings.bootstrap_servers
    recorder = Recorder()

    async with worker(kafka_settings, recorder):
        await produce_raw(server, topic, batch([b"old"] * 5))
        await until(lambda: len(recorder.values) == 5)
        await make_anew(kafka_settings)
        sent = [b"new-%02d" % number for number in range(40)]
        await produce_raw(server, topic, batch(sent))
        await until(lambda: set(recorder.values) >= set(sent))

    assert await committed(kafka_settings) == 40


async def test_a_topic_made_anew_between_two_workers_is_delivered_whole(
    kafka_settings: KafkaSettings,
) -> None:
    await ensure_topics(kafka_settings)
    topic = Topics(kafka_settings.topic_prefix).readings
    server = kafka_settings.bootstrap_servers
    first, second = Recorder(), Recorder()

    async with worker(kafka_settings, first):
        await produce_raw(server, topic, *(batch([b"old-%02d" % n]) for n in range(25)))
        await until(lambda: len(first.values) == 25)
    await make_anew(kafka_settings)
    await produce_raw(server, topic, *(batch([b"new-%02d" % n]) for n in range(10)))
    async with worker(kafka_settings, second):
        await until(lambda: len(second.values) >= 10)

    assert second.values == [b"new-%02d" % number for number in range(10)]
    assert await committed(kafka_settings) == 10
