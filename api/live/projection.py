"""Carries a topic into the history, for as long as the api lives: alerts, and what they rest on.

Effectively once: the history stores a batch and its next offset in one transaction and knows items
by id, so dying anywhere in here repeats at most one fetch, and that changes nothing. Each topic has
a loop of its own: one that fails, or is far behind, does not hold the other up.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Generic, Protocol

from api.metrics import ProjectionMetrics
from api.ports import Feed, FeedBatch, FeedPosition, Item
from common.clock import Clock
from common.errors import BackendError
from common.logs import get_logger
from common.retry import Backoff, retrying

RETRY: Final = Backoff(initial_s=0.2, max_s=5.0)

_log = get_logger(__name__)


class Keeper(Protocol[Item]):
    """Where a projection puts what it carries."""

    async def store(self, batch: FeedBatch[Item], noticed_at: datetime | None = None) -> int:
        """Keep the items and the batch's position in one transaction; return how many were new."""

    async def positions(self, source: str) -> Mapping[int, FeedPosition]:
        """Return how far each partition of ``source`` that was ever read has been read."""


@dataclass(slots=True)
class Projection(Generic[Item]):
    """The loop that carries one topic.

    Attributes:
        what: What it carries, such as ``alerts``, for the log.
        feed: Where it comes from.
        keeper: Where it goes.
        metrics: Counts.
        clock: What waits between tries.
    """

    what: str
    feed: Feed[Item]
    keeper: Keeper[Item]
    metrics: ProjectionMetrics
    clock: Clock
    _stored: int = 0

    async def run(self) -> None:
        """Project until cancelled. A broker or database that is down is waited for."""
        wait_s = RETRY.initial_s
        while True:
            self._stored = 0
            try:
                await self._project()
                _log.info(f"the topic of {self.what} changed, connecting again")
            except BackendError as exc:
                self.metrics.failures.inc()
                _log.warning(f"no {self.what} for now", why=str(exc), again_in_s=wait_s)
            except Exception:  # noqa: BLE001 - a defect must not silence alerts until a restart
                self.metrics.failures.inc()
                _log.exception(f"the projection of {self.what} failed", again_in_s=wait_s)
            if self._stored:
                wait_s = RETRY.initial_s
            await self.clock.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY.max_s)

    async def _project(self) -> None:
        async with aclosing(self.feed.batches(self.keeper.positions)) as batches:
            async for batch in batches:
                new = await self._store(batch)
                self._stored += 1
                if batch.gap is not None:
                    self.metrics.gaps.inc()
                self.metrics.new.inc(new)
                self.metrics.repeated.inc(len(batch.items) - new)

    async def _store(self, batch: FeedBatch[Item]) -> int:
        return await retrying(
            lambda: self.keeper.store(batch, self.clock.now()), RETRY, self.clock, self._note
        )

    def _note(self, failure: BackendError, wait_s: float) -> None:
        self.metrics.failures.inc()
        _log.warning(f"the history takes no {self.what}", why=str(failure), again_in_s=wait_s)
