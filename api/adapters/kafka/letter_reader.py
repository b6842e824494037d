"""The dead-letter topic, from its end backwards.

Each page is read anew, by a consumer of its own: such messages are rare, and so is who asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import TopicPartition

from api.adapters.kafka.decoding import decoded
from api.adapters.kafka.feed import our_errors
from api.letters import LetterPage
from common.errors import BackendUnavailableError
from common.intake.consumer import IntakeConsumer
from common.links.kafka import make_consumer, started
from common.records.letters import DeadLetter
from common.settings import KafkaSettings
from common.topics import Topics

WAIT_MS: Final = 100


class KafkaLetterReader:
    """Reads the latest dead letters, one caller after the other.

    Args:
        settings: Which broker.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = Topics(settings.topic_prefix).dead_letter
        self._busy = asyncio.Lock()

    async def latest(self, most: int, before: Mapping[int, int] | None = None) -> LetterPage:
        """Return the latest dead letters; see the port."""
        try:
            with our_errors(self._settings):
                async with asyncio.timeout(self._settings.op_timeout_s), self._busy:
                    return await self._page(most, before or {})
        except TimeoutError as exc:
            raise BackendUnavailableError(
                f"The broker at {self._settings.bootstrap_servers} did not hand out the latest of "
                f"{self._topic} within {self._settings.op_timeout_s:g} s."
            ) from exc

    async def _page(self, most: int, before: Mapping[int, int]) -> LetterPage:
        async with started(make_consumer(self._settings), self._settings) as consumer:
            await consumer.topics()  # brings the metadata that the next line needs
            numbers = sorted(consumer.partitions_for_topic(self._topic) or ())
            wheres = [TopicPartition(self._topic, number) for number in numbers]
            if not wheres:
                return LetterPage((), None)
            consumer.assign(wheres)
            begins, ends = await _bounds(consumer, wheres)
            for where in wheres:
                ends[where] = min(ends[where], before.get(where.partition, ends[where]))
            records = await _read(consumer, most, begins, ends)
        return _newest(records, most, begins, ends)


async def _bounds(
    consumer: IntakeConsumer, wheres: Sequence[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    """Return where each partition begins and ends. The end is what a fetch says: see the intake."""
    await consumer.seek_to_beginning(*wheres)
    begins = {where: int(await consumer.position(where)) for where in wheres}
    ends: dict[TopicPartition, int] = {}
    while len(ends) < len(wheres):
        await consumer.parts(timeout_ms=WAIT_MS, max_records=1)
        for where in wheres:
            end = consumer.end_of_committed(where)
            if end is not None:
                ends[where] = end
    return begins, ends


async def _read(
    consumer: IntakeConsumer,
    most: int,
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> list[Any]:
    """Return the last records of each partition before its end."""
    found: list[Any] = []
    for where, end in ends.items():
        consumer.seek(where, max(begins[where], end - most))
    while waiting := [where for where, end in ends.items() if await consumer.position(where) < end]:
        parts = await consumer.parts(*waiting, timeout_ms=WAIT_MS, max_records=most)
        for where, part in parts.items():
            found += [record for record in part.records if record.offset < ends[where]]
    return found


def _newest(
    records: Sequence[Any],
    most: int,
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> LetterPage:
    """Return the newest of what was read, and where older ones are."""
    newest = sorted(
        records, key=lambda each: (each.timestamp or 0, each.partition, each.offset), reverse=True
    )[:most]
    older = {where.partition: end for where, end in ends.items()}
    for record in newest:
        older[record.partition] = min(older[record.partition], record.offset)
    read = {record.partition for record in records}
    for where, begin in begins.items():
        if where.partition not in read:
            older[where.partition] = begin  # nothing but holes before its end
    letters = [decoded(record, DeadLetter, (), "a dead letter") for record in newest]
    is_more = any(older[where.partition] > begin for where, begin in begins.items())
    return LetterPage([each[0] for each in letters if each], older if is_more else None)
