"""The past of the readings topic: what is asked for, whole, in order, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from common.errors import BackendUnavailableError
from common.links.kafka import ensure_topics, started
from common.records.verdicts import SourcePosition
from common.settings import KafkaSettings
from deploy.local.programs import broker_command, free_port
from detector.adapters.kafka_history import KafkaHistory
from detector.adapters.memory import MemoryHistory
from detector.core.reading.source import SourceRecord
from detector.ports import TopicHistory
from tests.support.servers.backends import build
from tests.support.servers.own_server import OwnServer

TOPIC = "readings"
FIRST_MS = 1_767_225_600_000
ROWS = 40
BATCH_ROWS = 7


def record(partition: int, offset: int, topic: str = TOPIC) -> SourceRecord:
    return SourceRecord(
        SourcePosition(topic, partition, offset),
        FIRST_MS + offset,
        b"engine-%d" % partition,
        b"%d of %d" % (offset, partition),
    )


async def fill(settings: KafkaSettings, partitions: int, rows: int) -> None:
    await ensure_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    async with started(producer):
        for partition in range(partitions):
            for offset in range(rows):
                item = record(partition, offset)
                await producer.send(
                    f"{settings.topic_prefix}.readings",
                    item.value,
                    key=item.key,
                    partition=partition,
                    timestamp_ms=item.published_ts_ms,
                )
        await producer.flush()


@pytest.fixture(params=["memory", "kafka"])
async def history(request: pytest.FixtureRequest) -> AsyncIterator[tuple[TopicHistory, str]]:
    """The past of two partitions, and the topic's name."""
    if request.param == "memory":
        every = [record(partition, offset) for partition in (0, 1) for offset in range(ROWS)]
        yield MemoryHistory(every, BATCH_ROWS), TOPIC
        return
    settings: KafkaSettings = request.getfixturevalue("kafka_settings")
    await fill(settings, 2, ROWS)
    yield KafkaHistory(settings, BATCH_ROWS), f"{settings.topic_prefix}.readings"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        pytest.param(None, ROWS, id="all"),
        pytest.param(0, ROWS, id="all, by number"),
        pytest.param(5, 25, id="a middle"),
        pytest.param(None, 1, id="the first"),
        pytest.param(ROWS - 1, ROWS, id="the last"),
        pytest.param(None, 0, id="nothing, from the oldest"),
    ],
)
async def test_the_range_is_yielded_in_order_in_batches(
    history: tuple[TopicHistory, str], start: int | None, end: int
) -> None:
    past, topic = history
    for partition in (0, 1):
        async with aclosing(past.read(partition, start, end)) as batches:
            found = [list(batch) async for batch in batches]

        assert all(0 < len(batch) <= BATCH_ROWS for batch in found)
        assert [item for batch in found for item in batch] == [
            record(partition, offset, topic) for offset in range(start or 0, end)
        ]


async def test_whoever_has_enough_may_stop_early(history: tuple[TopicHistory, str]) -> None:
    past, topic = history

    async with aclosing(past.read(0, 3, ROWS)) as batches:
        first = await anext(batches)

    assert first[0] == record(0, 3, topic)


async def test_an_end_the_topic_does_not_reach_is_an_error_that_may_pass(
    kafka_settings: KafkaSettings,
) -> None:
    await fill(kafka_settings, 1, 3)
    impatient = kafka_settings.model_copy(update={"op_timeout_s": 3.0})  # the first are sent
    past = KafkaHistory(impatient, 2).read(0, None, 10)

    came = [*await anext(past), *await anext(past)]
    with pytest.raises(
        BackendUnavailableError, match=r"sent nothing of .*\.readings\[0\] before 10"
    ):
        await anext(past)

    assert [item.position.offset for item in came] == [0, 1, 2]


async def test_no_broker_is_an_error_that_may_pass() -> None:
    nobody = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", op_timeout_s=1)

    with pytest.raises(BackendUnavailableError, match="past cannot be read"):
        await anext(KafkaHistory(nobody, 10).read(0, None, 10))


async def test_a_past_that_is_given_up_leaves_nothing_open(kafka_settings: KafkaSettings) -> None:
    await fill(kafka_settings, 1, 20)

    for _ in range(3):
        async with aclosing(KafkaHistory(kafka_settings, 2).read(0, None, 20)) as past:
            await anext(past)


async def test_a_broker_that_freezes_is_an_error_that_may_pass(tmp_path: Path) -> None:
    port = free_port()
    broker = OwnServer(build(lambda: broker_command(port)), port, tmp_path / "log")
    settings = KafkaSettings(bootstrap_servers=f"127.0.0.1:{port}", op_timeout_s=3, partitions=1)
    patient = settings.model_copy(update={"op_timeout_s": 30.0})
    with broker.running():
        await fill(patient, 1, 3)
        past = KafkaHistory(settings, 2).read(0, None, 10)
        await anext(past)
        await anext(past)
        with broker.frozen(), pytest.raises(BackendUnavailableError):
            await anext(past)
