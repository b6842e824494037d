"""However a topic grows, expires and is made anew: every alert it holds is read, gaps are told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from api.adapters.kafka.topic_log import AnotherLifeError, TopicLog, mark_of
from api.adapters.memory.alerts import MemoryAlertHistory
from api.ports import FeedPosition, OffsetGap, WireAlert
from common.records.alerts import Alert
from tests.support.alerts import make_alert

PARTITION = TopicPartition("alerts", 0)
ALERTS = [make_alert(cycle) for cycle in range(1, 61)]


@dataclass(frozen=True)
class Record:
    """A record as aiokafka hands it out."""

    offset: int
    timestamp: int
    value: bytes


@dataclass
class Topic:
    """One partition of a broker that keeps what is not expired, compacted or deleted."""

    records: list[Record] = field(default_factory=list)
    begin: int = 0
    end: int = 0
    time: int = 0

    def append(self, alert: Alert) -> None:
        self.records.append(Record(self.end, self.time, alert.to_json()))
        self.end += 1
        self.time += 1

    def expire(self, count: int) -> None:
        """Let retention remove the first records."""
        self.begin = min(self.end, self.begin + count)
        self.records = [record for record in self.records if record.offset >= self.begin]

    def compact(self, index: int) -> None:
        """Let compaction remove one record."""
        if self.records:
            del self.records[index % len(self.records)]

    def make_anew(self) -> None:
        """Delete the topic and make it again."""
        self.records, self.begin, self.end = [], 0, 0


class TopicConsumer:
    """A consumer of it: begins at the earliest where the broker has nothing, if it says so.

    Args:
        topic: What is read.
        resets: Whether the broker refuses offsets beyond the end, as Apache Kafka does; else such
            fetches are empty, as the local broker's are.
    """

    def __init__(self, topic: Topic, *, resets: bool) -> None:
        self._topic = topic
        self._resets = resets
        self._position = 0
        self._highwater: int | None = None

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition == PARTITION
        assert offset >= 0
        self._position = offset

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Any]]:
        await asyncio.sleep(0)
        topic = self._topic
        self._highwater = topic.end
        if self._position < topic.begin or (self._resets and self._position > topic.end):
            self._position = topic.begin
        found = [record for record in topic.records if record.offset >= self._position]
        chosen = found[:max_records]
        if not chosen:
            return {}
        self._position = chosen[-1].offset + 1
        return {PARTITION: chosen}

    async def position(self, partition: TopicPartition) -> int:
        return self._position

    def highwater(self, partition: TopicPartition) -> int | None:
        return self._highwater

    async def beginning_offsets(
        self, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, self._topic.begin)


def decoded(record: Any) -> WireAlert:
    return WireAlert(Alert.model_validate_json(record.value), record.value.decode())


@dataclass
class Reader:
    """What the feed and the projection do, over such a topic."""

    topic: Topic
    resets: bool
    history: MemoryAlertHistory = field(default_factory=MemoryAlertHistory)
    log: TopicLog[WireAlert] | None = None

    async def rounds(self, count: int) -> None:
        for _ in range(count):
            try:
                if self.log is None:
                    known = await self.history.positions("cluster")
                    position = known.get(0, FeedPosition(0))
                    consumer = TopicConsumer(self.topic, resets=self.resets)
                    self.log = TopicLog(consumer, "cluster", {PARTITION: position}, decoded)
                    async for batch in self.log.start():
                        await self.history.store(batch)
                async for batch in self.log.news():
                    await self.history.store(batch)
            except AnotherLifeError:
                self.log = None

    async def restart(self) -> None:
        self.log = None


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 6)),
        st.tuples(st.just("expire"), st.integers(1, 4)),
        st.tuples(st.just("compact"), st.integers(0, 20)),
        st.tuples(st.just("make_anew"), st.just(0)),
        st.tuples(st.just("read"), st.integers(1, 2)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=20,
)


@given(steps=steps, resets=st.booleans())
@settings(max_examples=400, deadline=None)
def test_everything_the_topic_holds_is_read_and_what_expired_unread_is_a_gap(
    steps: list[tuple[str, int]], resets: bool
) -> None:
    async def live() -> None:
        topic = Topic()
        reader = Reader(topic, resets)
        left = iter(ALERTS)
        for what, number in steps:
            match what:
                case "append":
                    for _ in range(number):
                        if (alert := next(left, None)) is not None:
                            topic.append(alert)
                case "read":
                    await reader.rounds(number)
                case "restart":
                    await reader.restart()
                case "make_anew":
                    topic.make_anew()
                case "expire":
                    topic.expire(number)
                case "compact":
                    topic.compact(number)
        await reader.rounds(4)

        held = {Alert.model_validate_json(record.value).alert_id for record in topic.records}
        provable = not any(what in ("expire", "compact") for what, _ in steps)
        if provable or not any(what == "make_anew" for what, _ in steps):
            assert held <= reader.history.ids()
        if not any(what in ("make_anew", "compact") for what, _ in steps):
            gaps = await reader.history.gaps()
            missing = sum(gap.offsets.to_offset - gap.offsets.from_offset for gap in gaps)
            assert len(reader.history.ids()) + missing == topic.end

    asyncio.run(live())


async def test_a_gap_has_the_offsets_that_expired_and_comes_once() -> None:
    topic = Topic()
    reader = Reader(topic, resets=True)
    for alert in ALERTS[:5]:
        topic.append(alert)
    await reader.rounds(1)
    await reader.restart()
    for alert in ALERTS[5:20]:
        topic.append(alert)
    topic.expire(12)

    await reader.rounds(3)
    await reader.restart()
    await reader.rounds(1)

    (gap,) = await reader.history.gaps()
    assert gap.offsets == OffsetGap(5, 12)
    assert len(reader.history.ids()) == 5 + 8


async def test_what_expires_while_it_is_read_is_a_gap_too() -> None:
    topic = Topic()
    reader = Reader(topic, resets=False)
    topic.append(ALERTS[0])
    await reader.rounds(1)
    for alert in ALERTS[1:9]:
        topic.append(alert)
    topic.expire(4)

    await reader.rounds(1)

    (gap,) = await reader.history.gaps()
    assert gap.offsets == OffsetGap(1, 4)
    assert len(reader.history.ids()) == 1 + 5


async def test_holes_that_compaction_or_transactions_leave_are_no_gap() -> None:
    topic = Topic()
    reader = Reader(topic, resets=True)
    for alert in ALERTS[:10]:
        topic.append(alert)
    topic.compact(0)
    topic.compact(4)
    await reader.rounds(1)
    for alert in ALERTS[10:13]:
        topic.append(alert)
    topic.compact(8)

    await reader.rounds(2)

    assert await reader.history.gaps() == []
    assert len(reader.history.ids()) == 8 + 2


def test_a_mark_tells_records_apart() -> None:
    record = Record(3, 7, b"x")

    assert mark_of(record) == mark_of(Record(3, 7, b"x"))
    others = [Record(4, 7, b"x"), Record(3, 8, b"x"), Record(3, 7, b"y"), Record(3, 7, b"")]
    assert len({mark_of(one) for one in [record, *others]}) == 5
