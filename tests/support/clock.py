"""A clock that tests turn by hand."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class FakeClock:
    """A :class:`common.clock.Clock` whose time passes only by sleeping.

    Attributes:
        elapsed_s: Time since it was made, s.
        slept_s: Every wait asked for, s.
    """

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self.slept_s: list[float] = []

    def now(self) -> datetime:
        """Return the time: 2026-01-01 plus what has passed."""
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.elapsed_s)

    def monotonic(self) -> float:
        """Return what has passed, s."""
        return self.elapsed_s

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.slept_s.append(seconds)
        self.elapsed_s += max(0.0, seconds)
        await asyncio.sleep(0)


class StillClock(FakeClock):
    """A clock that goes on only when a test turns it: whoever waits for a while, waits for ever."""

    async def sleep(self, seconds: float) -> None:
        """Wait for ever."""
        self.slept_s.append(seconds)
        await asyncio.Event().wait()
