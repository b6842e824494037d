"""Carries alerts from the topic into the history, for as long as the api lives.

Effectively once: the history stores a batch and its next offset in one transaction and knows alerts
by id, so dying anywhere in here repeats at most one fetch, and that changes nothing.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from api.live.change_signal import ChangeSignal
from api.metrics import ApiMetrics
from api.ports import AlertFeed, AlertHistory, FeedBatch
from common.clock import Clock
from common.errors import BackendError
from common.logs import get_logger
from common.retry import Backoff, retrying

RETRY: Final = Backoff(initial_s=0.2, max_s=5.0)

_log = get_logger(__name__)


@dataclass(slots=True)
class Projection:
    """The loop that fills the history.

    Attributes:
        feed: Where alerts come from.
        history: Where they go.
        changed: Told after each batch.
        metrics: Counts.
        clock: What waits between tries.
    """

    feed: AlertFeed
    history: AlertHistory
    changed: ChangeSignal
    metrics: ApiMetrics
    clock: Clock
    _stored: int = 0

    async def run(self) -> None:
        """Project until cancelled. A broker or database that is down is waited for."""
        wait_s = RETRY.initial_s
        while True:
            self._stored = 0
            try:
                await self._project()
                _log.info("the alerts topic changed, connecting again")
            except BackendError as exc:
                self.metrics.projection_failures.inc()
                _log.warning("no alerts for now", why=str(exc), again_in_s=wait_s)
            except Exception:  # noqa: BLE001 - a defect must not silence alerts until a restart
                self.metrics.projection_failures.inc()
                _log.exception("the projection failed", again_in_s=wait_s)
            if self._stored:
                wait_s = RETRY.initial_s
            await self.clock.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY.max_s)

    async def _project(self) -> None:
        async with aclosing(self.feed.batches(self.history.positions)) as batches:
            async for batch in batches:
                new = await self._store(batch)
                self._stored += 1
                if batch.gap is not None:
                    self.metrics.alert_gaps.inc()
                self.metrics.alerts_projected.inc(new)
                self.metrics.alerts_repeated.inc(len(batch.alerts) - new)
                self.changed.notify()

    async def _store(self, batch: FeedBatch) -> int:
        return await retrying(
            lambda: self.history.store(batch, self.clock.now()), RETRY, self.clock, self._note
        )

    def _note(self, failure: BackendError, wait_s: float) -> None:
        self.metrics.projection_failures.inc()
        _log.warning("the history takes no alerts", why=str(failure), again_in_s=wait_s)
