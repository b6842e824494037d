"""The replay loop: sends what is due, waits for what is not, stops between two chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from common.clock import Clock
from producer.fleet import SentFleet, Slot
from producer.pacing import Pace, due_until
from producer.ports import ReadingPublisher

CHUNK_ROWS: Final = 4000
"""Most readings in one publish: about 1.8 MB of JSON and 40 ms of encoding; a stop waits for it."""

TICK_S: Final = 0.5
"""Longest wait without a word to ``on_progress``, s."""


@dataclass(frozen=True, slots=True)
class Sent:
    """How a replay ended.

    Attributes:
        rows: Readings the broker acknowledged.
        seconds: How long it took, s.
        finished: False if it was stopped before the last reading.
    """

    rows: int
    seconds: float
    finished: bool


async def replay(
    fleet: SentFleet,
    slots: Sequence[Slot],
    pace: Pace,
    publisher: ReadingPublisher,
    clock: Clock,
    stop: asyncio.Event,
    on_progress: Callable[[int], None],
) -> Sent:
    """Publish readings of a fleet, each when it is due.

    The first one is due at once; a replay that fell behind catches up at once.

    Args:
        fleet: Makes the messages.
        slots: What to send, in order of time.
        pace: How fast.
        publisher: Where to.
        clock: What waits.
        stop: When set, the chunk at hand is finished and nothing more is begun.
        on_progress: Told how many readings the broker has acknowledged, after each chunk and at
            least every ``TICK_S``.

    Raises:
        BackendError: If publishing fails. ``on_progress`` has been told what was acknowledged.
    """
    first = fleet.offset_s(slots[0]) if slots else 0.0
    offsets = [fleet.offset_s(slot) - first for slot in slots]
    began = clock.monotonic()
    sent = 0
    on_progress(sent)
    while sent < len(slots) and not stop.is_set():
        elapsed = clock.monotonic() - began
        end = due_until(offsets, sent, elapsed, pace, CHUNK_ROWS)
        if end == sent:
            wait_s = pace.due_s(offsets[sent]) - elapsed
            await _sleep_or_stop(clock, min(wait_s, TICK_S), stop)
        else:
            await publisher.publish(fleet.messages(slots[sent:end]))
            sent = end
        on_progress(sent)
    return Sent(sent, clock.monotonic() - began, finished=sent == len(slots))


async def _sleep_or_stop(clock: Clock, seconds: float, stop: asyncio.Event) -> None:
    waits = {asyncio.create_task(clock.sleep(seconds)), asyncio.create_task(stop.wait())}
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
