"""How the topic's past is asked for, and how long silence is borne; with a scripted consumer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from structlog.testing import capture_logs

from common.errors import BackendUnavailableError, RejectReason
from common.intake.fetcher import Part
from common.intake.response import SetAside
from common.settings import KafkaSettings
from detector.adapters import kafka_history as module
from detector.adapters.kafka_history import KafkaHistory
from tests.support.batches import fetched_records

WHERE = TopicPartition("plant.readings", 3)
SILENCE = 0


class ScriptedConsumer:
    """Answers fetches as scripted: so many records, or silence; a script that ends is silent."""

    script: Sequence[int] = ()
    set_aside: Sequence[SetAside] = ()
    begin = 0
    asked: list[object]
    settings: Mapping[str, object]

    def __init__(self, **settings: object) -> None:
        type(self).settings = settings
        self.calls: list[object] = []
        type(self).asked = self.calls
        self._left = list(self.script)
        self._next = self.begin

    async def start(self) -> None:
        self.calls.append("start")

    async def stop(self) -> None:
        self.calls.append("stop")

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self.calls.append(("assign", partitions))

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self.calls.append(("seek_to_beginning", partitions))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.calls.append(("seek", partition, offset))
        self._next = max(offset, self.begin)

    async def position(self, partition: TopicPartition) -> int:
        assert partition == WHERE
        return self._next

    async def parts(
        self, where: TopicPartition, *, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, Part]:
        self.calls.append(("parts", where, timeout_ms, max_records))
        count = self._left.pop(0) if self._left else SILENCE
        first = max(self._next, self.begin)
        self._next = first + count
        if not count:
            return {}
        records = fetched_records([fetched(offset) for offset in range(first, first + count)])
        return {WHERE: Part(records, first, first + count, self.set_aside)}


def fetched(offset: int) -> ConsumerRecord:
    return ConsumerRecord(
        WHERE.topic, WHERE.partition, offset, 1_767_225_600_000, 0, None, b"", None, -1, 0, ()
    )


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedConsumer]:
    class Consumer(ScriptedConsumer):
        pass

    def make(settings: KafkaSettings, fetch_max_bytes: int) -> Consumer:
        return Consumer(
            bootstrap_servers=settings.bootstrap_servers,
            op_timeout_s=settings.op_timeout_s,
            fetch_max_bytes=fetch_max_bytes,
        )

    monkeypatch.setattr(module, "make_consumer", make)
    return Consumer


def history(op_timeout_s: float = 7.0) -> KafkaHistory:
    settings = KafkaSettings(
        bootstrap_servers="a:1,b:2", topic_prefix="plant", op_timeout_s=op_timeout_s
    )
    return KafkaHistory(settings, 50)


async def offsets(start: int | None, end: int, op_timeout_s: float = 7.0) -> list[list[int]]:
    return [
        [item.position.offset for item in batch]
        async for batch in history(op_timeout_s).read(3, start, end)
    ]


async def test_a_client_of_its_own_fetches_little_ahead_and_commits_nothing(
    consumer: type[ScriptedConsumer],
) -> None:
    consumer.script = [2, 3]

    assert await offsets(None, 5) == [[0, 1], [2, 3, 4]]
    assert consumer.settings == {
        "bootstrap_servers": "a:1,b:2",
        "op_timeout_s": 7.0,
        "fetch_max_bytes": 1_048_576,
    }
    assert consumer.asked == [
        "start",
        ("assign", [WHERE]),
        ("seek_to_beginning", (WHERE,)),
        ("parts", WHERE, 500, 50),
        ("parts", WHERE, 500, 50),
        "stop",
    ]


async def test_a_start_is_sought_and_what_lies_behind_the_end_is_left_out(
    consumer: type[ScriptedConsumer],
) -> None:
    consumer.script = [4, 4]

    assert await offsets(10, 15) == [[10, 11, 12, 13], [14]]
    assert consumer.asked[2] == ("seek", WHERE, 10)


async def test_what_retention_has_eaten_is_left_out(consumer: type[ScriptedConsumer]) -> None:
    consumer.begin = 30
    consumer.script = [5]

    assert await offsets(10, 35) == [[30, 31, 32, 33, 34]]


@pytest.mark.parametrize(
    ("op_timeout_s", "borne"),
    [
        pytest.param(7.0, 14, id="seven seconds of half a second each"),
        pytest.param(0.5, 4, id="four at least"),
        pytest.param(500.0, 1000, id="eight minutes"),
    ],
)
async def test_silence_is_borne_for_as_long_as_a_request_may_take(
    consumer: type[ScriptedConsumer], op_timeout_s: float, borne: int
) -> None:
    consumer.script = [*[SILENCE] * borne, 2, *[SILENCE] * borne, 2, *[SILENCE] * borne, 1]
    assert await offsets(None, 5, op_timeout_s) == [[0, 1], [2, 3], [4]]

    consumer.script = [2, *[SILENCE] * (borne + 1), 3]
    with pytest.raises(
        BackendUnavailableError,
        match=r"The broker sent nothing of plant\.readings\[3\] before 5\.$",
    ):
        await offsets(None, 5, op_timeout_s)
    assert consumer.asked[-1] == "stop"


async def test_a_batch_nobody_can_read_is_skipped_with_a_line_in_the_log(
    consumer: type[ScriptedConsumer],
) -> None:
    consumer.script = [3]
    consumer.set_aside = [
        SetAside(3, 9, RejectReason.DAMAGED_BATCH, "its checksum is wrong", b"", 99, "ab" * 32)
    ]

    with capture_logs() as logs:
        assert await offsets(None, 3) == [[0, 1, 2]]

    (line,) = logs
    assert (line["topic"], line["partition"], line["first_offset"]) == ("plant.readings", 3, 3)
    assert (line["reason"], line["why"]) == ("damaged_batch", "its checksum is wrong")
