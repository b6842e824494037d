"""A bell: the projection rings it after each write, streams wait for it.

It carries no data. A stream that wakes reads the history from where it stands, so a missed or a
needless ring loses nothing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Wakeup:
    """Counts rings, so that one between two waits is not missed.

    Attributes:
        rings: How often it rang.
        closed: Whether waiting has no more sense.
    """

    def __init__(self) -> None:
        self.rings = 0
        self.closed = False
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wake everyone who waits."""
        self.rings += 1
        self._next.set()
        self._next = asyncio.Event()

    def close(self) -> None:
        """Wake everyone for the last time."""
        self.closed = True
        self.ring()

    async def wait_beyond(self, rings: int, timeout_s: float) -> None:
        """Return once it rang more often than ``rings``, or ``timeout_s`` passed."""
        if self.rings > rings or self.closed:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._next.wait(), timeout_s)
