"""Alerts on their way: into the history first, then to whoever listens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from api.live.pages import StreamPages
from api.ports import AlertBatch, AlertHistory, FeedPosition


@dataclass(frozen=True, slots=True)
class Arriving:
    """Keeps alerts, and tells streams of those that are new as soon as they are durable.

    Dying between the two loses nothing: a stream that comes back reads the history.

    Attributes:
        history: Where they are kept.
        pages: What streams read.
    """

    history: AlertHistory
    pages: StreamPages

    async def store(self, batch: AlertBatch, noticed_at: datetime | None = None) -> int:
        """Keep a batch, tell of it, and return how many of its alerts were new."""
        new = await self.history.store(batch, noticed_at)
        self.pages.came(new)
        return len(new)

    async def positions(self, source: str) -> Mapping[int, FeedPosition]:
        """Return how far each partition of a source was read before."""
        return await self.history.positions(source)
