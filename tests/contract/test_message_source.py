"""What ingesting needs of a topic of messages, kept by the real broker and in memory alike."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from common.clock import SystemClock
from common.links.kafka import make_producer, started
from common.settings import KafkaSettings
from producer.adapters.kafka_source import KafkaMessageSource
from producer.adapters.memory import MemoryMessages
from producer.ingest.ports import MessageSource, SourceMessage, Taken
from tests.support.topics import make

VALUES: tuple[tuple[bytes | None, ...], ...] = (
    tuple(b"a%d" % n for n in range(25)),
    (b"b0", None, b"b2"),
)


@dataclass(frozen=True, slots=True)
class Topic:
    """Two partitions, and members of one group, one after the other."""

    member: Callable[[], Awaitable[MessageSource]]


@pytest.fixture(params=["memory", "kafka"])
async def topic(request: pytest.FixtureRequest) -> AsyncIterator[Topic]:
    if request.param == "memory":
        memory = MemoryMessages(VALUES)

        async def again() -> MessageSource:
            memory.rejoin()
            return memory

        yield Topic(again)
        return
    settings: KafkaSettings = request.getfixturevalue("kafka_settings")
    name = f"plant-{uuid.uuid4().hex[:8]}"
    await make(settings, name, len(VALUES))
    async with started(make_producer(settings)) as producer:
        for partition, values in enumerate(VALUES):
            for value in values:
                await producer.send(name, value, key=b"k", partition=partition)
        await producer.flush()
    async with AsyncExitStack() as last:
        stack = await last.enter_async_context(AsyncExitStack())

        async def member() -> MessageSource:
            await stack.aclose()
            source = KafkaMessageSource(settings, name, f"{name}-group", SystemClock())
            return await stack.enter_async_context(source)

        yield Topic(member)


async def take_all(source: MessageSource, commit_after: int = 0) -> list[SourceMessage]:
    """Take until there is no more; commit while fewer messages were taken than this."""
    found: list[SourceMessage] = []
    async with asyncio.timeout(30):
        while True:
            taken: Taken = await source.take(max_messages=10, timeout_s=0.2)
            found += taken.messages
            if len(found) <= commit_after and taken.ends:
                assert await source.commit(taken)
            if taken.behind == 0 and not taken.messages and found:
                return found


def by_partition(messages: list[SourceMessage]) -> dict[int, list[bytes | None]]:
    found: dict[int, list[bytes | None]] = {}
    for message in messages:
        values = found.setdefault(message.partition, [])
        values.append(message.value)
    return found


async def test_all_comes_once_and_each_partition_in_order(topic: Topic) -> None:
    source = await topic.member()

    messages = await take_all(source)

    assert by_partition(messages) == {n: list(values) for n, values in enumerate(VALUES)}
    offsets = [m.offset for m in messages if m.partition == 0]
    assert offsets == list(range(25))


async def test_what_was_not_committed_and_nothing_else_comes_again(topic: Topic) -> None:
    first = await take_all(await topic.member(), commit_after=15)
    committed = {(message.partition, message.offset) for message in first[:15]}

    second = await take_all(await topic.member())

    again = {(message.partition, message.offset) for message in second}
    everything = {(message.partition, message.offset) for message in first}
    assert len(again) == len(second)
    assert again | committed == everything
    assert 28 - 15 <= len(second) < 28
