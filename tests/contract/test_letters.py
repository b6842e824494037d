"""The latest dead letters: from the broker, or from memory, a page at a time."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import AIOKafkaProducer

from api.adapters.kafka.letter_reader import KafkaLetterReader
from api.adapters.memory.letters import MemoryLetterReader
from api.letters import LetterReader
from common.errors import BackendUnavailableError
from common.links.kafka import ensure_topics, started
from common.records.letters import DeadLetter
from common.settings import KafkaSettings
from common.topics import Topics
from deploy.local.programs import free_port
from tests.support.alerts import START

COUNT = 7

Fill = Callable[[list[bytes]], Awaitable[LetterReader]]


def letter(offset: int) -> DeadLetter:
    return DeadLetter(
        reason="schema",
        message=f"number {offset}",
        original_key=base64.b64encode(b"pump").decode(),
        original=base64.b64encode(b"secret").decode(),
        original_size=6,
        original_sha256="0" * 64,
        topic="readings",
        partition=3,
        offset=offset,
        received_at=START,
    )


def body(offset: int) -> bytes:
    return letter(offset).model_dump_json().encode()


@pytest.fixture(params=["memory", "kafka"])
def fill(request: pytest.FixtureRequest) -> Fill:
    """Put messages on a dead-letter topic, and return who reads it."""
    if request.param == "memory":

        async def remember(messages: list[bytes]) -> LetterReader:
            return MemoryLetterReader([DeadLetter.model_validate_json(each) for each in messages])

        return remember
    settings: KafkaSettings = request.getfixturevalue("kafka_settings")

    async def send(messages: list[bytes]) -> LetterReader:
        await put(settings, messages)
        return KafkaLetterReader(settings)

    return send


async def put(settings: KafkaSettings, messages: list[bytes]) -> None:
    await ensure_topics(settings)
    producer = AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    async with started(producer):
        for message in messages:
            await producer.send(Topics(settings.topic_prefix).dead_letter, message)
        await producer.flush()


@pytest.mark.parametrize("most", [1, 3, COUNT, 100])
async def test_pages_go_back_to_the_first_each_letter_once(fill: Fill, most: int) -> None:
    reader = await fill([body(offset) for offset in range(COUNT)])
    found: list[DeadLetter] = []
    pages, before = 0, None

    while pages == 0 or before is not None:
        page = await reader.latest(most, before)
        assert len(page.letters) <= most
        found += page.letters
        pages, before = pages + 1, page.older

    assert found == [letter(offset) for offset in reversed(range(COUNT))]
    assert pages == -(-COUNT // most)


async def test_where_there_is_none_the_page_is_empty(fill: Fill) -> None:
    page = await (await fill([])).latest(5)

    assert (list(page.letters), page.older) == ([], None)


async def test_what_is_no_dead_letter_is_left_out(kafka_settings: KafkaSettings) -> None:
    await put(kafka_settings, [body(0), b"hello", b"\xff", body(1)])

    page = await KafkaLetterReader(kafka_settings).latest(3)

    assert list(page.letters) == [letter(1)]
    assert page.older is not None
    assert list((await KafkaLetterReader(kafka_settings).latest(3, page.older)).letters) == [
        letter(0)
    ]


async def test_a_broker_that_is_away_is_an_error_that_may_pass() -> None:
    nobody = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", op_timeout_s=1)

    with pytest.raises(BackendUnavailableError):
        await KafkaLetterReader(nobody).latest(5)
