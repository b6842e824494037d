"""The past of the readings topic, read outside the consumer group."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from common.errors import BackendMissingError, BackendUnavailableError
from common.intake.consumer import IntakeConsumer
from common.intake.fetcher import log_set_aside
from common.links.kafka import make_consumer, started
from common.settings import KafkaSettings
from common.topics import Topics
from detector.adapters.kafka_topic_life import look_back
from detector.adapters.source_records import record_columns
from detector.core.reading.source import SourceRecord
from detector.core.state.progress import Progress
from detector.ports import TopicLook

FETCH_WAIT_MS: Final = 500

FETCH_MAX_BYTES: Final = 1024 * 1024
"""What is fetched ahead: more would be held beside the past that is being rebuilt, to no use."""


class KafkaHistory:
    """Reads ranges of offsets with a consumer of its own."""

    def __init__(self, settings: KafkaSettings, batch_rows: int) -> None:
        self._settings = settings
        self._topic = Topics(settings.topic_prefix).readings
        self._batch_rows = batch_rows

    async def read(
        self, partition: int, start: int | None, end: int
    ) -> AsyncGenerator[Sequence[SourceRecord], None]:
        """Yield what the topic still holds of the range, in order; batches nobody can read do not.

        Where retention has removed the start, that is what there is of it.
        """
        where = TopicPartition(self._topic, partition)
        try:
            async with started(
                make_consumer(self._settings, FETCH_MAX_BYTES), self._settings
            ) as consumer:
                consumer.assign([where])
                if start is None:
                    await consumer.seek_to_beginning(where)
                else:
                    consumer.seek(where, start)
                async with aclosing(self._until(consumer, where, start or 0, end)) as past:
                    async for records in past:
                        yield records
        except (KafkaError, BackendMissingError) as exc:  # it was there when the worker started
            raise BackendUnavailableError(f"The topic's past cannot be read: {exc!r}") from exc

    async def look_back(self, progress: Mapping[int, Progress]) -> TopicLook:
        """Look whether partitions are still those the progress speaks of, asked now."""
        return await look_back(self._settings, self._topic, progress)

    async def _until(
        self, consumer: IntakeConsumer, where: TopicPartition, start: int, end: int
    ) -> AsyncGenerator[Sequence[SourceRecord], None]:
        silent, limit = 0, max(4, int(self._settings.op_timeout_s * 1000 / FETCH_WAIT_MS))
        while await consumer.position(where) < end:
            parts = await consumer.parts(
                where, timeout_ms=FETCH_WAIT_MS, max_records=self._batch_rows
            )
            log_set_aside(parts)
            silent = 0 if parts else silent + 1
            if silent > limit:
                raise BackendUnavailableError(
                    f"The broker sent nothing of {where.topic}[{where.partition}] before {end}."
                )
            for part in parts.values():
                records = record_columns(where, part.records)
                records = records[bisect_left(records.offsets, start) :]
                records = records[: bisect_left(records.offsets, end)]
                if records:
                    yield records
