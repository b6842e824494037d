"""A bell: it is rung after each write, streams wait for it.

It carries no data. A stream that wakes reads the history from where it stands, so a missed or a
needless ring loses nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress


class ChangeSignal:
    """Counts count, so that one between two waits is not missed.

    Attributes:
        count: How often it rang.
        closed: Whether waiting has no more sense.
    """

    def __init__(self) -> None:
        self.count = 0
        self.closed = False
        self._next = asyncio.Event()

    def notify(self) -> None:
        """Wake everyone who waits."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """Wake everyone for the last time."""
        self.closed = True
        self.notify()

    async def wait_beyond(self, count: int, timeout_s: float) -> None:
        """Return once it rang more often than ``count``, or ``timeout_s`` passed."""
        if self.count > count or self.closed:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._next.wait(), timeout_s)
