"""Readings to the topic, one batch per partition at a time, each acknowledged.

Order and gaps: aiokafka keeps a partition muted while a batch of it is in flight or being retried,
so retries never overtake. But a batch that fails for good does not stop the one behind it. Hence no
batch is handed over before the one ahead of it is acknowledged: what reaches the topic is always a
beginning of what was given. Whole batches also cost no future per reading.

Without the idempotent producer, an acknowledgement lost on the way makes a retry write a batch
twice; the detector gives the second copy the verdict ``duplicate``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from common.errors import BackendRefusedError, BackendUnavailableError
from common.links.kafka import make_producer, started
from common.links.kafka_access import refusal
from common.settings import KafkaSettings
from common.topics import Topics
from producer.fleet import Message


class KafkaReadingPublisher:
    """A :class:`producer.ports.ReadingPublisher` on aiokafka. The readings topic must exist."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = Topics(settings.topic_prefix).readings
        self._producer = make_producer(settings)
        self._partitioner = DefaultPartitioner()
        self._partitions: list[int] = []
        self._partition_of: dict[bytes, int] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BackendMissingError: If no broker answers.
            BackendUnavailableError: If the topic's partitions are not told in time.
        """
        await self._stack.enter_async_context(started(self._producer, self._settings))
        try:
            async with asyncio.timeout(self._settings.op_timeout_s):
                self._partitions = sorted(await self._producer.partitions_for(self._topic))
        except BaseException as exc:
            await self.__aexit__(None, None, None)
            if isinstance(exc, KafkaError | TimeoutError):
                raise BackendUnavailableError(
                    f"The broker does not tell the partitions of {self._topic}: {exc!r}"
                ) from exc
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect; what was not acknowledged by then is given up after the timeout."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.op_timeout_s):
                await self._stack.aclose()

    async def publish(self, messages: Sequence[Message]) -> None:
        """Publish all, partitions side by side; see the port."""
        by_partition: dict[int, list[Message]] = {}
        for message in messages:
            by_partition.setdefault(self._partition(message.key), []).append(message)
        try:
            async with asyncio.TaskGroup() as group:
                for partition, queue in by_partition.items():
                    group.create_task(self._publish_in_order(partition, queue))
        except ExceptionGroup as errors:
            first = errors.exceptions[0]
            if isinstance(first, KafkaError | TimeoutError):
                raise await refusal(self._settings) or _ours(first, self._topic) from first
            raise

    def _partition(self, key: bytes) -> int:
        partition = self._partition_of.get(key)
        if partition is None:
            # the hash every Kafka client uses, so that other producers of an asset agree
            partition = int(self._partitioner(key, self._partitions, self._partitions))
            self._partition_of[key] = partition
        return partition

    async def _publish_in_order(self, partition: int, queue: Sequence[Message]) -> None:
        position = 0
        while position < len(queue):
            batch = self._producer.create_batch()
            while position < len(queue):
                message = queue[position]
                # none: the batch is full; its first message is taken whatever its size
                if batch.append(key=message.key, value=message.value, timestamp=None) is None:
                    break
                position += 1
            batch.close()
            await self._deliver(batch, partition)

    async def _deliver(self, batch: BatchBuilder, partition: int) -> None:
        timeout_s = self._settings.op_timeout_s
        async with asyncio.timeout(timeout_s):
            delivery = await self._producer.send_batch(batch, self._topic, partition=partition)
        # waited for without cancelling: else its failure, later on, would be nobody's
        delivery.add_done_callback(lambda future: future.cancelled() or future.exception())
        await asyncio.wait([delivery], timeout=timeout_s)
        if not delivery.done():
            raise TimeoutError(f"not within {timeout_s:g} s")
        delivery.result()


def _ours(error: Exception, topic: str) -> BackendUnavailableError | BackendRefusedError:
    if isinstance(error, KafkaError) and not error.retriable:
        return BackendRefusedError(f"The broker refuses readings for {topic}: {error!r}")
    return BackendUnavailableError(f"The broker did not acknowledge readings: {error!r}")
