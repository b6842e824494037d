"""Takes their messages, sends readings, then commits: at least once, and repeats are harmless.

For each batch:

1. take messages, in order of offset, partition by partition;
2. translate them; what cannot be translated is counted and logged;
3. send the readings, keyed by asset id, and wait until the broker has acknowledged all;
4. commit the offsets.

A process that dies after 3 and before 4 leaves readings that are sent again. They have the same
asset, run and cycle (or time), so the detector gives the second ones the verdict ``duplicate``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from common.clock import Clock
from common.errors import BackendError
from common.logs import get_logger
from common.retry import Backoff, retrying
from common.terminal.printable import one_line
from producer.fleet import Message
from producer.ingest.ports import MessageSource, SourceMessage, Taken
from producer.ingest.tally import Tally
from producer.ingest.translate import Reason, Refusal, Translated, Translator
from producer.ports import ReadingPublisher
from producer.stopping import StoppedError, unless_stopped

BATCH_MESSAGES: Final = 1000
"""Most messages in one batch; a stop waits for it."""

CHUNK_ROWS: Final = 4000
"""Most readings in one publish, as in a replay."""

WAIT_S: Final = 0.5
"""Longest wait for messages without a word to ``on_progress``, s."""

RETRIES: Final = Backoff(initial_s=0.2, max_s=10.0, attempts=8)
"""22 s of waits beside the tries; then the process ends, for a supervisor to start it again."""

_log = get_logger(__name__)

T = TypeVar("T")


class Ingest:
    """One ingest.

    Args:
        translator: Makes readings.
        source: Their topic.
        publisher: Ours.
        clock: What waits between tries.
        stop: When set, the batch at hand is finished and nothing more is begun.
        on_progress: Told the counts after each batch, and while nothing comes.
    """

    def __init__(
        self,
        translator: Translator,
        source: MessageSource,
        publisher: ReadingPublisher,
        clock: Clock,
        stop: asyncio.Event,
        on_progress: Callable[[Tally], None],
    ) -> None:
        self._translator = translator
        self._source = source
        self._publisher = publisher
        self._clock = clock
        self._stop = stop
        self._on_progress = on_progress
        self.tally = Tally()

    async def run(self) -> None:
        """Work until stopped.

        Raises:
            BackendError: If a broker keeps failing. What was committed has been sent.
        """
        while not self._stop.is_set():
            try:
                taken = await unless_stopped(self._retrying(self._take), self._stop)
            except StoppedError:
                return
            self.tally.behind = taken.behind
            if taken.ends:
                await self._carry_over(taken)
            self._on_progress(self.tally)

    async def _take(self) -> Taken:
        return await self._source.take(BATCH_MESSAGES, WAIT_S)

    async def _carry_over(self, taken: Taken) -> None:
        for sentence in taken.unreadable:
            self.tally.refuse(Refusal(Reason.UNREADABLE, sentence), _log_batch)
        chunk: list[Message] = []
        for message in taken.messages:
            self.tally.messages += 1
            self._translate(message, chunk)
            if len(chunk) >= CHUNK_ROWS:
                await self._send(chunk)
                chunk = []
        await self._send(chunk)
        if not await self._retrying(lambda: self._source.commit(taken)):
            _log.info(
                "partitions went to another member before the commit; it sends the same again"
            )

    def _translate(self, message: SourceMessage, chunk: list[Message]) -> None:
        for outcome in self._translator.translate(message.value):
            checked = self.tally.checked(outcome)
            if isinstance(checked, Translated):
                chunk.append(checked.message())
            else:
                self.tally.refuse(checked, partial(_log_message, message))

    async def _send(self, chunk: list[Message]) -> None:
        if chunk:
            await self._retrying(lambda: self._publisher.publish(chunk))
            self.tally.readings += len(chunk)

    async def _retrying(self, action: Callable[[], Awaitable[T]]) -> T:
        return await retrying(action, RETRIES, self._clock, self._on_failure)

    def _on_failure(self, error: BackendError, wait_s: float) -> None:
        """Say that the broker failed; once a stop is asked for, do not try again."""
        if self._stop.is_set():
            raise error
        _log.warning("the broker failed; trying again", why=str(error), wait_s=wait_s)


def _log_message(message: SourceMessage, refusal: Refusal, times: int) -> None:
    _log.warning(
        "a message became no reading",
        reason=refusal.reason.value,
        why=one_line(refusal.message),
        partition=message.partition,
        offset=message.offset,
        times=times,
    )


def _log_batch(refusal: Refusal, times: int) -> None:
    _log.warning(
        "a batch of records cannot be read and is skipped",
        why=one_line(refusal.message),
        times=times,
    )
