"""Their topic on a real broker, read as a member of a group of our own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Final, Self

from aiokafka import TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
)

from common.clock import Clock
from common.errors import BackendRefusedError, BackendUnavailableError
from common.intake.fetcher import Parts
from common.links.kafka import make_consumer, started
from common.links.kafka_access import refusal
from common.settings import KafkaSettings
from producer.ingest.ports import SourceMessage, Taken

CHECK_EVERY_S: Final = 5.0
"""After such a silence the broker is asked whether it is there: the driver waits without a word."""


class KafkaMessageSource:
    """A :class:`producer.ingest.ports.MessageSource` on aiokafka. The topic must exist.

    Args:
        settings: Which broker.
        topic: Theirs.
        group_id: The group, which no one else uses. A new one begins at the oldest message.
        clock: Tells how long it has been silent.
    """

    def __init__(self, settings: KafkaSettings, topic: str, group_id: str, clock: Clock) -> None:
        self._settings = settings
        self._topic = topic
        self._clock = clock
        self._consumer = make_consumer(settings, group_id=group_id)
        self._stack = AsyncExitStack()
        self._heard_s = clock.monotonic()

    async def __aenter__(self) -> Self:
        """Connect and join the group, which takes as long as its other members need."""
        self._consumer.subscribe([self._topic])
        await self._stack.enter_async_context(started(self._consumer, self._settings))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the group and disconnect."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.op_timeout_s):
                await self._stack.aclose()

    async def take(self, max_messages: int, timeout_s: float) -> Taken:
        """Return what has come; see the port."""
        try:
            parts = await self._consumer.parts(
                timeout_ms=int(timeout_s * 1000), max_records=max_messages
            )
        except KafkaError as exc:
            raise _ours(exc, f"hand over messages of {self._topic}") from exc
        if not parts and self._clock.monotonic() - self._heard_s >= CHECK_EVERY_S:
            await self._require_broker()
        if parts:
            self._heard_s = self._clock.monotonic()
        return await self._taken(parts)

    async def commit(self, taken: Taken) -> bool:
        """Commit that all of it has been sent; see the port."""
        ends = {TopicPartition(self._topic, number): end for number, end in taken.ends.items()}
        try:
            async with asyncio.timeout(self._settings.op_timeout_s):
                await self._consumer.commit(ends)
        except (CommitFailedError, IllegalStateError, RebalanceInProgressError):
            return False
        except (KafkaError, TimeoutError) as exc:
            raise _ours(exc, f"commit offsets of {self._topic}") from exc
        return True

    async def _require_broker(self) -> None:
        try:
            async with asyncio.timeout(self._settings.op_timeout_s):
                await self._consumer.topics()
        except (KafkaError, TimeoutError) as exc:  # whatever the driver calls it
            raise await refusal(self._settings) or BackendUnavailableError(
                f"The broker does not answer: {exc!r}"
            ) from exc
        self._heard_s = self._clock.monotonic()

    async def _taken(self, parts: Parts) -> Taken:
        return Taken(
            messages=[
                SourceMessage(where.partition, record.offset, record.value)
                for where, part in parts.items()
                for record in part.records
            ],
            ends={where.partition: part.end for where, part in parts.items()},
            unreadable=[
                f"partition {where.partition}, offsets {item.first_offset} to {item.last_offset}: "
                f"{item.message}"
                for where, part in parts.items()
                for item in part.set_aside
            ],
            behind=await self._behind(),
        )

    async def _behind(self) -> int | None:
        behind = 0
        for where in self._consumer.assignment():
            end = self._consumer.end_of_committed(where)
            if end is None:
                return None
            try:
                behind += max(0, end - await self._consumer.position(where))
            except (KafkaError, IllegalStateError):  # somebody else's since a moment ago
                return None
        return behind


def _ours(
    error: KafkaError | TimeoutError, what: str
) -> BackendUnavailableError | BackendRefusedError:
    if isinstance(error, KafkaError) and not error.retriable:
        return BackendRefusedError(f"The broker does not {what}: {error!r}")
    return BackendUnavailableError(f"The broker does not {what} now: {error!r}")
