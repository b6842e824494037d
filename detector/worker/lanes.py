"""Work on partitions: on different ones side by side, on each one after the other.

What a model does with numbers needs no interpreter, and while it does it another batch can be
decoded, concluded and stored. Batches of different partitions share nothing: states, progress,
ledger and offsets are each partition's own, as if another worker had them. So a worker may take two
such batches at once, and the order of each partition stays what it was
(docs/decisions/0034-batches-of-different-partitions-side-by-side.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from types import TracebackType
from typing import Self


class Lanes:
    """Begins work in the order given, as soon as what is under way allows.

    Whoever leaves the block gives up what has not ended.

    Args:
        most: How much may be under way at once.
    """

    def __init__(self, most: int) -> None:
        self._room = asyncio.Semaphore(most)
        self._last: dict[int, asyncio.Task[None]] = {}
        self._all: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel what has not ended, and wait until it has."""
        for task in self._all:
            task.cancel()
        if self._all:
            await asyncio.wait(self._all)

    def add(self, partitions: Collection[int], work: Callable[[], Awaitable[None]]) -> None:
        """Begin work on partitions behind all that was added for one of them before.

        Work that was given up, or raised, has ended too: it is for the work behind it to look
        whether it may still be done.

        Args:
            partitions: What it works on.
            work: Does it, and raises nothing.
        """
        before = {self._last[number] for number in partitions if number in self._last}
        task = asyncio.create_task(self._run(before, work))
        self._last |= dict.fromkeys(partitions, task)
        self._all.add(task)
        task.add_done_callback(self._forget)

    async def _run(
        self, before: Collection[asyncio.Task[None]], work: Callable[[], Awaitable[None]]
    ) -> None:
        if before:
            await asyncio.wait(before)
        async with self._room:
            await work()

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._all.discard(task)
        self._last = {number: last for number, last in self._last.items() if last is not task}
