"""What makes a topic another one, and how often the broker is asked; with a scripted consumer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from aiokafka.structs import ConsumerRecord

from common.errors import BackendUnavailableError
from common.settings import KafkaSettings
from detector.adapters import kafka_topic_life as module
from detector.adapters.kafka_topic_life import look_back
from detector.adapters.source_records import source_records
from detector.core.state.progress import Progress, mark_of
from detector.ports import TopicLook

TOPIC = "plant.readings"


def fetched(offset: int, value: bytes = b"{}", partition: int = 0) -> ConsumerRecord:
    return ConsumerRecord(
        TOPIC, partition, offset, 1_767_225_600_000, 0, b"engine-1", value, None, 8, 2, ()
    )


def after(next_offset: int, marked: ConsumerRecord | None, topic_id: str = "") -> Progress:
    mark = None if marked is None else mark_of(*source_records([marked]))
    return Progress(next_offset, 0, mark, 0, topic_id)


@dataclass(frozen=True)
class Answer:
    """What one fetch brings, and how far the broker then says that partitions reach."""

    reach: Mapping[int, int] = field(default_factory=dict)
    records: Sequence[ConsumerRecord] = ()


SILENCE = Answer()


class ScriptedConsumer:
    """Answers fetches as scripted; a script that ends is silent, but knows how far it reaches."""

    script: Sequence[Answer] = ()
    topic_id_of_broker: str | None = None
    error: Exception | None = None
    start_error: Exception | None = None
    calls: list[object]
    fetch_max_bytes: int

    def __init__(self) -> None:
        self._left = list(self.script)
        self._reach: Mapping[int, int] = {}

    async def start(self) -> None:
        self.calls.append("start")
        if self.start_error is not None:
            raise self.start_error

    async def stop(self) -> None:
        self.calls.append("stop")

    async def topic_id(self, topic: str) -> str | None:
        assert topic == TOPIC
        if self.error is not None:
            raise self.error
        return self.topic_id_of_broker

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self.calls.append(("assign", partitions))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.calls.append(("seek", partition, offset))

    async def getmany(self, *, timeout_ms: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        self.calls.append(("getmany", timeout_ms))
        answer = self._left.pop(0) if self._left else Answer(self._reach)
        self._reach = answer.reach
        brought: dict[TopicPartition, list[ConsumerRecord]] = {}
        for record in answer.records:
            brought.setdefault(TopicPartition(TOPIC, record.partition), []).append(record)
        return brought

    def highwater(self, partition: TopicPartition) -> int | None:
        return self._reach.get(partition.partition)


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedConsumer]:
    class Consumer(ScriptedConsumer):
        calls: list[object] = []  # noqa: RUF012 - of this test alone

    def make(settings: KafkaSettings, fetch_max_bytes: int) -> Consumer:
        assert settings.bootstrap_servers == "a:1,b:2"
        Consumer.fetch_max_bytes = fetch_max_bytes
        return Consumer()

    monkeypatch.setattr(module, "make_consumer", make)
    return Consumer


async def look(progress: Mapping[int, Progress], op_timeout_s: float = 7.0) -> TopicLook:
    settings = KafkaSettings(bootstrap_servers="a:1,b:2", op_timeout_s=op_timeout_s)
    return await look_back(settings, TOPIC, progress)


def fetches(consumer: type[ScriptedConsumer]) -> int:
    return consumer.calls.count(("getmany", 500))


async def test_the_marked_record_alone_is_fetched_and_the_client_stopped(
    consumer: type[ScriptedConsumer],
) -> None:
    consumer.script = [Answer({0: 9}, [fetched(5), fetched(6)])]

    assert await look({0: after(9, fetched(5))}) == TopicLook(set(), "")
    assert consumer.fetch_max_bytes == 262_144
    where = TopicPartition(TOPIC, 0)
    assert consumer.calls == [
        "start",
        ("assign", [where]),
        ("seek", where, 5),
        ("getmany", 500),
        "stop",
    ]


async def test_without_a_mark_the_last_applied_record_is_sought_whatever_it_holds(
    consumer: type[ScriptedConsumer],
) -> None:
    consumer.script = [Answer({0: 9}, [fetched(8, b"anything")])]

    assert (await look({0: after(9, None)})).gone == set()
    assert ("seek", TopicPartition(TOPIC, 0), 8) in consumer.calls
    assert fetches(consumer) == 1


@pytest.mark.parametrize(
    ("found", "gone"),
    [
        pytest.param(fetched(5), set(), id="the very record"),
        pytest.param(fetched(5, b"another"), {0}, id="another record"),
        pytest.param(fetched(7, b"another"), set(), id="retention has removed it"),
        pytest.param(fetched(0), {0}, id="the topic was shorter when it was asked"),
    ],
)
async def test_another_record_where_the_mark_was_tells_another_topic(
    consumer: type[ScriptedConsumer], found: ConsumerRecord, gone: set[int]
) -> None:
    consumer.script = [Answer({0: 20}, [found, fetched(found.offset + 1, b"and more")])]

    assert (await look({0: after(9, fetched(5))})).gone == gone
    assert fetches(consumer) == 1


@pytest.mark.parametrize(("first", "gone"), [(7, {0}), (8, set()), (9, set())])
async def test_without_a_mark_the_first_record_must_not_stand_before_the_place(
    consumer: type[ScriptedConsumer], first: int, gone: set[int]
) -> None:
    consumer.script = [Answer({0: 20}, [fetched(first)])]

    assert (await look({0: after(9, None)})).gone == gone


@pytest.mark.parametrize("reach", [9, 10])
async def test_a_topic_that_reaches_as_far_but_sends_nothing_is_the_same_after_a_second_look(
    consumer: type[ScriptedConsumer], reach: int
) -> None:
    consumer.script = [Answer({0: reach})]

    assert (await look({0: after(9, fetched(5))})).gone == set()
    assert fetches(consumer) == 2


@pytest.mark.parametrize("records", [[], [fetched(5)]], ids=["nothing", "the marked record"])
async def test_a_topic_that_is_shorter_is_another_after_a_second_look(
    consumer: type[ScriptedConsumer], records: list[ConsumerRecord]
) -> None:
    consumer.script = [Answer({0: 8}, records)]

    assert (await look({0: after(9, fetched(5))})).gone == {0}
    assert fetches(consumer) == 2


async def test_a_leader_that_lags_for_a_moment_makes_no_other_topic(
    consumer: type[ScriptedConsumer],
) -> None:
    consumer.script = [Answer({0: 8}), Answer({0: 9}, [fetched(5)])]

    assert (await look({0: after(9, fetched(5))})).gone == set()


async def test_each_partition_is_judged_by_itself(consumer: type[ScriptedConsumer]) -> None:
    known = {number: after(9, fetched(5, partition=number)) for number in range(4)}
    records = [
        fetched(5, b"another", partition=0),
        fetched(5, partition=1),
        fetched(5, partition=3),
    ]
    consumer.script = [
        Answer({0: 9, 1: 9, 2: 3}, records),
        Answer({0: 1, 1: 1, 2: 3, 3: 9}, records[2:]),  # 0 and 1 are decided by now
    ]

    assert (await look(known)).gone == {0, 2}


@pytest.mark.parametrize(
    ("of_broker", "known_id", "gone", "asked"),
    [
        pytest.param("new", "old", {0}, 0, id="another id"),
        pytest.param("old", "old", set(), 0, id="the same id"),
        pytest.param(None, "old", set(), 1, id="a broker without ids"),
        pytest.param("new", "", set(), 1, id="not known by its id"),
    ],
)
async def test_two_ids_settle_it_without_a_fetch(
    consumer: type[ScriptedConsumer],
    of_broker: str | None,
    known_id: str,
    gone: set[int],
    asked: int,
) -> None:
    consumer.topic_id_of_broker = of_broker
    consumer.script = [Answer({0: 9}, [fetched(5)])]

    found = await look({0: after(9, fetched(5), known_id)})

    assert found == TopicLook(gone, of_broker or "")
    assert fetches(consumer) == asked


async def test_partitions_known_by_id_and_by_record_are_told_together(
    consumer: type[ScriptedConsumer],
) -> None:
    consumer.topic_id_of_broker = "new"
    consumer.script = [Answer({2: 9}, [fetched(5, b"another", partition=2)])]
    by_record = after(9, fetched(5, partition=2))
    progress = {0: after(9, None, "old"), 1: replace(by_record, topic_id="new"), 2: by_record}

    assert await look(progress) == TopicLook({0, 2}, "new")
    assert ("assign", [TopicPartition(TOPIC, 2)]) in consumer.calls


@pytest.mark.parametrize(
    ("op_timeout_s", "borne"),
    [
        pytest.param(7.0, 14, id="seven seconds of half a second each"),
        pytest.param(0.5, 4, id="four at least"),
        pytest.param(500.0, 1000, id="eight minutes"),
    ],
)
async def test_a_broker_that_does_not_say_how_far_it_reaches_is_asked_as_long_as_a_request_may_take(
    consumer: type[ScriptedConsumer], op_timeout_s: float, borne: int
) -> None:
    progress = {number: after(9, fetched(5, partition=number)) for number in (3, 0, 1)}
    known = Answer({1: 9}, [fetched(5, partition=1)])
    consumer.script = [known, *[SILENCE] * borne]

    with pytest.raises(
        BackendUnavailableError,
        match=r"does not say how far plant\.readings reaches in partitions \[0, 3\]\.$",
    ):
        await look(progress, op_timeout_s)
    assert fetches(consumer) == borne
    assert consumer.calls[-1] == "stop"

    late = Answer({0: 9, 3: 9}, [fetched(5), fetched(5, partition=3)])
    consumer.script = [known, *[SILENCE] * (borne - 3), late]
    assert (await look(progress, op_timeout_s)).gone == set()


@pytest.mark.parametrize(
    ("name", "error"),
    [
        pytest.param("error", TopicAuthorizationFailedError("plant"), id="it refuses"),
        pytest.param("start_error", KafkaConnectionError("nobody"), id="none answers"),
    ],
)
async def test_a_broker_that_fails_is_an_error_that_may_pass(
    consumer: type[ScriptedConsumer], name: str, error: Exception
) -> None:
    setattr(consumer, name, error)

    with pytest.raises(BackendUnavailableError, match=r"plant\.readings cannot be looked at: .*"):
        await look({0: after(9, fetched(5))})
    assert consumer.calls[-1] == "stop"
