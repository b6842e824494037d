"""aiokafka's fetcher, handing over parts: records, how far they reach, what cannot be read.

aiokafka's function that takes a fetch response runs here with other meanings for a few of its
module's names, instead of being copied.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any, Final, cast

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import ConsumerStoppedError, KafkaError
from aiokafka.structs import ConsumerRecord

from common.intake.fetched import FetchedRecords
from common.intake.response import Body, PartitionRecords, SetAside
from common.intake.topic_id import topic_id_of
from common.logs import get_logger

MAX_TAKEN_BYTES: Final = 8 * 1024 * 1024
"""What one call hands over, keys and values, unless told otherwise; at least one record."""

TOPIC_CHECK_S: Final = 5.0
"""How often a topic's id is asked for."""

UNTOLD: Final = "the broker does not say whether its topics are the same"

_log = get_logger(__name__)


def rebound(function: Callable[..., Any], **names: object) -> Callable[..., Any]:
    """Return a function as it is, but for what some of its module's names mean."""
    plain = cast(FunctionType, function)
    meanings = {**plain.__globals__, **names}
    copy = FunctionType(plain.__code__, meanings, plain.__name__, plain.__defaults__)
    copy.__kwdefaults__ = plain.__kwdefaults__
    return copy


@dataclass(frozen=True, slots=True)
class Part:
    """What was taken of one partition.

    Attributes:
        records: In offset order.
        begin: The offset it was fetched from.
        end: The offset the next part begins at; all between them was seen.
        set_aside: The batches between them that nobody can read.
        topic_id: The topic's id as last heard of the broker, which may be some seconds ago: that of
            the topic the records are of, or of one before it. Empty where the broker did not say,
            and where it has none.
        highwater: Where committed data of the partition ended when this was taken, as the last
            fetch said; none where the broker has not said so.
    """

    records: FetchedRecords
    begin: int
    end: int
    set_aside: Sequence[SetAside]
    topic_id: str = ""
    highwater: int | None = None

    def joined_by(self, later: Part) -> Part:
        """Return this part and the one that begins where it ends as one."""
        return replace(
            later,
            records=self.records.joined_by(later.records),
            begin=self.begin,
            set_aside=[*self.set_aside, *later.set_aside],
        )


Parts = Mapping[TopicPartition, Part]


class Fetcher(fetcher.Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher, handing over parts."""

    _take_response = rebound(
        fetcher.Fetcher._proc_fetch_request,
        MemoryRecords=Body,
        PartitionRecords=PartitionRecords,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._last_set_aside: dict[TopicPartition, SetAside] = {}
        self._topic_ids: dict[str, str] = {}
        self._next_topic_check: dict[str, float] = {}

    async def parts(
        self,
        partitions: Collection[TopicPartition],
        timeout_s: float,
        max_records: int,
        max_bytes: int,
        top_up_s: float = 0.0,
    ) -> Parts:
        """Return what has come of some partitions (none: of all), waiting if it is nothing yet.

        Args:
            partitions: Which.
            timeout_s: How long to wait for something.
            max_records: Records handed over at most.
            max_bytes: Their keys and values at most; at least one record is handed over.
            top_up_s: How long to wait for more, if something was here already. aiokafka fetches
                nothing while it is, so what came to the topic since would wait for the next call.

        Raises:
            KafkaError: If the broker refuses a partition.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if self._closed:
                raise ConsumerStoppedError
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
            taken: dict[TopicPartition, Part] = {}
            has_room = self._take(taken, partitions, max_records, max_bytes)
            if taken and has_room and top_up_s and await self._news_within(top_up_s):
                records, size = _amount(taken)
                self._take(taken, partitions, max_records - records, max_bytes - size)
            left = deadline - time.monotonic()
            if taken or left <= 0:
                return taken
            if not await self._news_within(left):
                return {}
            top_up_s = 0.0  # what comes now is fresh

    async def _news_within(self, wait_s: float) -> bool:
        """Wait until a fetch has brought something; return whether one has.

        Raises:
            KafkaError: What the coordinator or the broker refused.
        """
        waiter = self._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=wait_s)
        if not done:
            waiter.cancel()
            return False
        waiter.result()
        return True

    async def fetched_records(
        self,
        partitions: Collection[TopicPartition],
        timeout: float = 0,
        max_records: int | None = None,
    ) -> dict[TopicPartition, Sequence[ConsumerRecord]]:
        """Return the records alone, as aiokafka does; batches nobody can read leave a log line."""
        parts = await self.parts(partitions, timeout, max_records or 2**31, MAX_TAKEN_BYTES)
        log_set_aside(parts)
        return {where: part.records for where, part in parts.items() if part.records}

    async def _proc_fetch_request(self, assignment: Any, node_id: int, request: Any) -> bool:
        try:
            await self._learn_ids(node_id, [topic for topic, _ in request.topics])
            has_news: bool = await self._take_response(assignment, node_id, request)
        except asyncio.CancelledError:
            return False  # closed while it waited for a broker that is away; aiokafka awaits this
        if has_news:  # what came does not wait for the next answer
            for waiter in self._fetch_waiters:
                self._notify(waiter)
        try:
            for topic, partitions in request.topics:
                wheres = [TopicPartition(topic, number) for number, *_ in partitions]
                await self._notice_new_topic(assignment, node_id, topic, wheres)
        except KafkaError as exc:
            _log.info(UNTOLD, why=repr(exc))
        except asyncio.CancelledError:
            return False  # as aiokafka does: closed, or the partitions are somebody else's
        return has_news

    async def _learn_ids(self, node_id: int, topics: Sequence[str]) -> None:
        """Ask for ids that are not known before anything is fetched, so that no part lacks one."""
        try:
            for topic in topics:
                if topic not in self._topic_ids and self._is_check_due(topic):
                    await self._ask_id(node_id, topic)
        except KafkaError as exc:
            _log.info(UNTOLD, why=repr(exc))

    def _is_check_due(self, topic: str) -> bool:
        return time.monotonic() >= self._next_topic_check.get(topic, 0.0)

    async def _ask_id(self, node_id: int, topic: str) -> str | None:
        self._next_topic_check[topic] = time.monotonic() + TOPIC_CHECK_S
        found = await topic_id_of(self._client, node_id, topic)
        if found is not None:
            self._topic_ids[topic] = found
        return found

    async def _notice_new_topic(
        self, assignment: Any, node_id: int, topic: str, wheres: Sequence[TopicPartition]
    ) -> None:
        """Begin anew where a topic was deleted and made anew: its offsets mean something else.

        Apache Kafka refuses an offset beyond the end; a new topic that has grown past it, and the
        local broker, do not. The topic's id tells, where the broker has one.
        """
        beyond = {where: at for where in wheres if (at := _beyond_end(assignment, where))}
        if not beyond and not self._is_check_due(topic):
            return
        before, found = self._topic_ids.get(topic), await self._ask_id(node_id, topic)
        if before is not None and found is not None and found != before:
            self._begin_anew(assignment, [w for w in assignment.tps if w.topic == topic])
        elif beyond:
            # A new leader's high watermark may lag for a moment; its answer about the end waits.
            latest = fetcher.OffsetResetStrategy.LATEST
            asked = {topic: [(where.partition, latest) for where in beyond]}
            ends = await self._proc_offset_request(node_id, asked)
            shorter = [w for w, at in beyond.items() if w in ends and ends[w][0] < at]
            if shorter and found is None:  # the id that is known may be that of a topic before
                self._topic_ids.pop(topic, None)
                self._next_topic_check.pop(topic, None)
            self._begin_anew(assignment, shorter)

    def _begin_anew(self, assignment: Any, wheres: Sequence[TopicPartition]) -> None:
        for where in wheres:
            state = assignment.state_value(where)
            if not assignment.active or not state.has_valid_position:
                continue
            _log.warning(
                "the topic was made anew and is read from its beginning",
                topic=where.topic,
                partition=where.partition,
                position=state.position,
            )
            self._records.pop(where, None)
            state.await_reset(fetcher.OffsetResetStrategy.EARLIEST)

    def _take(
        self,
        taken: dict[TopicPartition, Part],
        partitions: Collection[TopicPartition],
        max_records: int,
        max_bytes: int,
    ) -> bool:
        """Add what has come to what was taken; return whether more may be added."""
        for where in list(self._records):
            if partitions and where not in partitions:
                if not self._subscriptions.is_assigned(where):
                    del self._records[where]
                continue
            result = self._records[where]
            before = taken.get(where)
            if isinstance(result, fetcher.FetchResult):
                if before is not None and not self._goes_on(before, where, result):
                    continue
                part = self._part(where, result, max_records, max_bytes)
            elif taken:
                break  # the error is raised by the next call
            else:
                self._forget(where)
                result.check_raise()
                continue
            if part is None:
                continue
            taken[where] = part if before is None else before.joined_by(part)
            if where in self._records:  # the others' turn: who reads partitions side by side
                self._records.move_to_end(where)  # finds another one in what comes next
            max_records -= len(part.records)
            max_bytes -= part.records.size
            if max_records <= 0 or max_bytes <= 0 or part.set_aside:
                return False
        return True

    def _goes_on(self, before: Part, where: TopicPartition, result: Any) -> bool:
        """Return whether a result begins where a part of the same life of the topic ended."""
        source: PartitionRecords | None = result._partition_records
        topic_id = self._topic_ids.get(where.topic, "")
        is_next = source is not None and source.next_fetch_offset == before.end
        return is_next and topic_id == before.topic_id

    def _part(
        self, where: TopicPartition, result: Any, max_records: int, max_bytes: int
    ) -> Part | None:
        if not result.check_assignment(where) or not result.has_more():
            self._forget(where)
            return None
        source: PartitionRecords = result._partition_records
        begin = source.next_fetch_offset
        state = result._assignment.state_value(where)
        if state.highwater is not None and state.highwater > begin:
            source.highwater = state.highwater
        records, more = source.take(max_records, max_bytes)
        result._update_position()
        if not more:
            self._forget(where)
        set_aside = self._new_ones(where, source)
        end = source.next_fetch_offset
        topic_id = self._topic_ids.get(where.topic, "")
        if end == begin:
            return None
        return Part(records, begin, end, set_aside, topic_id, _end_of_committed(state))

    def _forget(self, where: TopicPartition) -> None:
        del self._records[where]
        self._notify(self._wait_consume_future)

    def _new_ones(self, where: TopicPartition, source: PartitionRecords) -> list[SetAside]:
        """Leave out a damaged batch that is met again only because it reaches further than said."""
        found: list[SetAside] = []
        for item in source.set_aside:
            before = self._last_set_aside.get(where)
            self._last_set_aside[where] = item
            again = (
                before is not None
                and before.sha256 == item.sha256
                and before.last_offset + 1 == item.first_offset
            )
            if not again:
                found.append(item)
        source.set_aside.clear()
        return found


def _amount(taken: Parts) -> tuple[int, int]:
    """Return how many records were taken, and how much of a limit in bytes they take."""
    records = [part.records for part in taken.values()]
    return sum(map(len, records)), sum(each.size for each in records)


def _end_of_committed(state: Any) -> int | None:
    """Return where committed data end: open transactions begin there, and wait for their end."""
    highwater: int | None = state.highwater
    stable: int | None = state.lso
    if highwater is None or stable is None or stable < 0:
        return highwater
    return min(highwater, stable)


def _beyond_end(assignment: Any, where: TopicPartition) -> int | None:
    """Return the position in a partition if the broker says that its end is before it."""
    state = assignment.state_value(where)
    if state.highwater is None or not state.has_valid_position:
        return None
    position: int = state.position
    return position if 0 <= state.highwater < position else None


def log_set_aside(parts: Parts) -> None:
    """Log one line for each batch that was skipped, for readers whose business it is not."""
    for where, part in parts.items():
        for item in part.set_aside:
            _log.warning(
                "a batch of records cannot be read and is skipped",
                topic=where.topic,
                partition=where.partition,
                first_offset=item.first_offset,
                last_offset=item.last_offset,
                reason=item.reason.value,
                why=item.message,
            )
