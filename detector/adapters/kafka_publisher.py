"""Alerts, evidence and dead letters to their topics, each acknowledged by the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiokafka.errors import KafkaError

from common.errors import BackendUnavailableError
from common.links.kafka import make_producer, started
from common.links.kafka_access import refusal
from common.records.alerts import Alert
from common.records.evidence import EvidenceMessage
from common.records.letters import DeadLetter
from common.settings import KafkaSettings
from common.topics import Topics


class KafkaPublisher:
    """Publishes through one aiokafka producer.

    Args:
        settings: Which broker.
        after_first: For tests: called once the first alert is acknowledged and before the other
            messages of its batch are sent. Costs a round trip; without it all are sent at once.
    """

    def __init__(
        self, settings: KafkaSettings, after_first: Callable[[], None] | None = None
    ) -> None:
        self._settings = settings
        self._after_first = after_first
        self._topics = Topics(settings.topic_prefix)
        self._producer = make_producer(settings, linger_ms=0)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BackendMissingError: If no broker answers.
        """
        await self._stack.enter_async_context(started(self._producer, self._settings))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Flush and disconnect."""
        await self._stack.aclose()

    async def publish_evidence(self, evidence: Sequence[EvidenceMessage]) -> None:
        """Publish all; on return the broker has acknowledged every one."""
        topic = self._topics.evidence
        await self._send([(topic, item.value, item.asset_id.encode()) for item in evidence])

    async def publish(self, alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]) -> None:
        """Publish all; on return the broker has acknowledged every one."""
        messages = [
            (self._topics.alerts, alert.to_json(), alert.asset_id.encode()) for alert in alerts
        ]
        messages += [
            (self._topics.dead_letter, letter.to_json(), _letter_key(letter))
            for letter in dead_letters
        ]
        if self._after_first is not None and alerts and len(messages) > 1:
            await self._send([messages.pop(0)])
            self._after_first()
        await self._send(messages)

    async def _send(self, messages: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Send (topic, value, key) messages, and wait for all acknowledgements."""
        if not messages:
            return
        try:
            async with asyncio.timeout(self._settings.op_timeout_s):
                acknowledgements = [
                    await self._producer.send(topic, value, key=key)
                    for topic, value, key in messages
                ]
                await asyncio.gather(*acknowledgements)
        except (KafkaError, TimeoutError) as exc:
            raise await refusal(self._settings) or BackendUnavailableError(
                f"The broker did not acknowledge {len(messages)} messages: {exc!r}"
            ) from exc


def _letter_key(letter: DeadLetter) -> bytes:
    """A dead letter's asset is unknown; where it was read is what tells it apart."""
    return f"{letter.topic}-{letter.partition}-{letter.offset}".encode()
