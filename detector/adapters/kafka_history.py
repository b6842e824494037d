"""The past of the readings topic, read outside the consumer group."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from common.errors import BackendMissingError, BackendUnavailableError
from common.kafka import started
from common.settings import KafkaSettings
from common.topics import Topics
from detector.adapters.source_records import source_records
from detector.core.source import SourceRecord

FETCH_WAIT_MS = 500

FETCH_MAX_BYTES = 1024 * 1024
"""What is fetched ahead. The driver's 50 MiB would be held in full, and are no faster. One batch of
records that is larger comes whole all the same."""


class KafkaHistory:
    """Reads ranges of offsets with a consumer of its own."""

    def __init__(self, settings: KafkaSettings, batch_rows: int) -> None:
        self._settings = settings
        self._topic = Topics(settings.topic_prefix).readings
        self._batch_rows = batch_rows

    async def read(
        self, partition: int, start: int | None, end: int
    ) -> AsyncGenerator[Sequence[SourceRecord], None]:
        """Yield what the topic still holds of the range, in order."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap_servers,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # retention may have eaten the start
            fetch_max_wait_ms=100,
            fetch_max_bytes=FETCH_MAX_BYTES,
            request_timeout_ms=int(self._settings.op_timeout_s * 1000),
        )
        where = TopicPartition(self._topic, partition)
        silent, limit = 0, max(4, int(self._settings.op_timeout_s * 1000 / FETCH_WAIT_MS))
        try:
            async with started(consumer):
                consumer.assign([where])
                if start is None:
                    await consumer.seek_to_beginning(where)
                else:
                    consumer.seek(where, start)
                while await consumer.position(where) < end:
                    fetched = await consumer.getmany(
                        where, timeout_ms=FETCH_WAIT_MS, max_records=self._batch_rows
                    )
                    records = [record for record in fetched.get(where, ()) if record.offset < end]
                    silent = 0 if records else silent + 1
                    if silent > limit:
                        raise BackendUnavailableError(
                            f"The broker sent nothing of {self._topic}[{partition}] before {end}."
                        )
                    if records:
                        yield source_records(records)
        except (KafkaError, BackendMissingError) as exc:  # it was there when the worker started
            raise BackendUnavailableError(f"The topic's past cannot be read: {exc!r}") from exc
