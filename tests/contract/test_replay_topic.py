"""What a replay needs of a topic, kept by the real broker and by the one in memory alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from common.links.kafka import ensure_topics
from common.settings import KafkaSettings
from producer.adapters.kafka_history import KafkaRunHistory
from producer.adapters.kafka_publisher import KafkaReadingPublisher
from producer.adapters.memory import MemoryTopic
from producer.ports import ReadingPublisher, RunHistory
from tests.support.engines import fleet_of


@dataclass(frozen=True, slots=True)
class ReplayTopic:
    """The two ports on one topic."""

    publisher: ReadingPublisher
    history: RunHistory


@pytest.fixture(params=["memory", "kafka"])
async def topic(request: pytest.FixtureRequest) -> AsyncIterator[ReplayTopic]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            memory = MemoryTopic()
            yield ReplayTopic(memory, memory)
        else:
            settings: KafkaSettings = request.getfixturevalue("kafka_settings")
            await ensure_topics(settings)
            publisher = await stack.enter_async_context(KafkaReadingPublisher(settings))
            yield ReplayTopic(publisher, KafkaRunHistory(settings))


async def test_of_a_run_never_sent_nothing_is_there(topic: ReplayTopic) -> None:
    assert await topic.history.of_run("run") == {}


async def test_what_is_published_is_there_when_publish_returns(topic: ReplayTopic) -> None:
    fleet = fleet_of([4, 2])
    slots = fleet.slots()

    for end in range(0, len(slots), 2):
        await topic.publisher.publish(fleet.messages(slots[end : end + 2]))
        history = await topic.history.of_run("run")
        assert sum(len(asset.cycles) for asset in history.values()) == end + 2

    history = await topic.history.of_run("run")
    assert {asset_id: set(asset.cycles) for asset_id, asset in history.items()} == {
        "FD001-test-001": {1, 2, 3, 4},
        "FD001-test-002": {1, 2},
    }


async def test_the_latest_reading_is_kept_as_it_was_sent(topic: ReplayTopic) -> None:
    fleet = fleet_of([3])
    messages = fleet.messages(fleet.slots())

    await topic.publisher.publish([messages[2], messages[0]])

    assert (await topic.history.of_run("run"))["FD001-test-001"].latest == messages[2].value


async def test_runs_are_kept_apart(topic: ReplayTopic) -> None:
    for run_id, length in (("run", 3), ("run-2", 5)):
        fleet = fleet_of([length], run_id=run_id)
        await topic.publisher.publish(fleet.messages(fleet.slots()))

    assert len((await topic.history.of_run("run"))["FD001-test-001"].cycles) == 3
    assert len((await topic.history.of_run("run-2"))["FD001-test-001"].cycles) == 5


async def test_a_repeated_reading_counts_once(topic: ReplayTopic) -> None:
    fleet = fleet_of([2])
    messages = fleet.messages(fleet.slots())

    await topic.publisher.publish(messages + messages)

    assert (await topic.history.of_run("run"))["FD001-test-001"].cycles == {1, 2}


async def test_publishing_nothing_is_fine(topic: ReplayTopic) -> None:
    await topic.publisher.publish([])

    assert await topic.history.of_run("run") == {}
