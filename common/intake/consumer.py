"""aiokafka's consumer, reading through the intake: only committed data, bounded, past all damage.

Two functions of aiokafka run here with other meanings for a few of their module's names, instead of
being copied: the one that starts a consumer's fetcher, and the one that takes a fetch response.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Final, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import ConsumerStoppedError
from aiokafka.structs import ConsumerRecord

from common.intake.response import Body, PartitionRecords, SetAside, record_bytes
from common.logs import get_logger

MAX_TAKEN_BYTES: Final = 8 * 1024 * 1024
"""What one call hands over, keys and values, unless told otherwise; at least one record."""

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
    """

    records: Sequence[ConsumerRecord]
    begin: int
    end: int
    set_aside: Sequence[SetAside]


Parts = Mapping[TopicPartition, Part]


class Fetcher(fetcher.Fetcher):  # type: ignore[misc]
    """aiokafka's fetcher, handing over parts."""

    _proc_fetch_request = rebound(
        fetcher.Fetcher._proc_fetch_request,
        MemoryRecords=Body,
        PartitionRecords=PartitionRecords,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._last_set_aside: dict[TopicPartition, SetAside] = {}

    async def parts(
        self,
        partitions: Collection[TopicPartition],
        timeout_s: float,
        max_records: int,
        max_bytes: int,
    ) -> Parts:
        """Return what has come of some partitions (none: of all), waiting if it is nothing yet.

        Raises:
            KafkaError: If the broker refuses a partition.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if self._closed:
                raise ConsumerStoppedError
            if self._subscriptions.reassignment_in_progress:
                await self._subscriptions.wait_for_assignment()
            taken = self._take(partitions, max_records, max_bytes)
            left = deadline - time.monotonic()
            if taken or left <= 0:
                return taken
            waiter = self._create_fetch_waiter()
            done, _ = await asyncio.wait([waiter], timeout=left)
            if not done:
                waiter.cancel()
                return {}
            waiter.result()  # raises what the coordinator or the broker refused

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

    def _take(
        self, partitions: Collection[TopicPartition], max_records: int, max_bytes: int
    ) -> dict[TopicPartition, Part]:
        taken: dict[TopicPartition, Part] = {}
        for where in list(self._records):
            if partitions and where not in partitions:
                if not self._subscriptions.is_assigned(where):
                    del self._records[where]
                continue
            result = self._records[where]
            if isinstance(result, fetcher.FetchResult):
                part = self._part(where, result, max_records, max_bytes)
            elif taken:
                break  # the error is raised by the next call
            else:
                self._forget(where)
                result.check_raise()
                continue
            if part is None:
                continue
            taken[where] = part
            max_records -= len(part.records)
            max_bytes -= sum(map(record_bytes, part.records))
            if max_records <= 0 or max_bytes <= 0:
                break
        return taken

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
        return Part(records, begin, end, set_aside) if end != begin else None

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


class IntakeConsumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer on the fetcher above; ``getmany`` works as ever."""

    start = rebound(AIOKafkaConsumer.start, Fetcher=Fetcher)

    async def parts(
        self,
        *partitions: TopicPartition,
        timeout_ms: int,
        max_records: int,
        max_bytes: int = MAX_TAKEN_BYTES,
    ) -> Parts:
        """Return what has come, with how far it reaches and what cannot be read; see ``Fetcher``.

        A part may hold no record: a transaction's end, an aborted one, a gap, or damage.
        """
        if self._closed:
            raise ConsumerStoppedError
        self._coordinator.check_errors()
        with self._subscription.fetch_context():
            found: Parts = await self._fetcher.parts(
                partitions, timeout_ms / 1000, max_records, max_bytes
            )
            return found

    def end_of_committed(self, where: TopicPartition) -> int | None:
        """Return where committed data of a partition end, as its last fetch said; none before.

        Transactions that are still open begin there.
        """
        end, stable = self.highwater(where), self.last_stable_offset(where)
        if end is None or stable is None or stable < 0:
            return cast("int | None", end)
        return min(end, cast(int, stable))


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
