"""Alerts in memory: their history, and the feed they come by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Generic

from pydantic import TypeAdapter

from api.adapters.memory.positions import Positions, positions_of
from api.notifications.rules import Arrived
from api.ports import (
    AlertBatch,
    AlertFilter,
    AlertGap,
    AlertKeeping,
    FeedBatch,
    FeedPosition,
    Item,
    OffsetGap,
    Resume,
    StoredAlert,
)
from api.replays.ports import Replay
from common.errors import BackendError
from common.records.alerts import Transition

_REPLAY: Final = TypeAdapter(Replay)


class MemoryAlertHistory:
    """The alert history in lists.

    Attributes:
        failure: When set, every call raises it.
        arrived: When the first alert of each alarm came.
        on_new: Told of alerts that are new, as part of storing them.
        forgotten: Called with the id of each alert that is removed.
    """

    def __init__(self) -> None:
        self.failure: BackendError | None = None
        self._alerts: list[StoredAlert] = []
        self._by_id: dict[str, StoredAlert] = {}
        self._latest: dict[str, StoredAlert] = {}
        self._positions: Positions = {}
        self.arrived: dict[str, datetime] = {}
        self._gaps: dict[tuple[str, int, OffsetGap], datetime] = {}
        self._last = 0
        self._noted: dict[int, datetime] = {}
        self._removed_until: datetime | None = None
        self.on_new: Callable[[Sequence[Arrived], datetime], Awaitable[None]] | None = None
        self.forgotten: list[Callable[[str], object]] = []

    async def store(
        self, batch: AlertBatch, noticed_at: datetime | None = None
    ) -> Sequence[StoredAlert]:
        """Keep the alerts, the position and a gap."""
        self._check()
        now, new = noticed_at or datetime.now(UTC), list[Arrived]()
        for item in batch.items:
            alert = item.alert
            if alert.alert_id in self._by_id:
                continue
            self._last += 1
            stored = StoredAlert(self._last, alert, item.body)
            self._alerts.append(stored)
            self._by_id[alert.alert_id] = stored
            new.append(Arrived(stored, item.published_at))
            self.arrived.setdefault(alert.alarm_id, now)
            latest = self._latest.get(alert.alarm_id)
            if latest is None or alert.cycle >= latest.alert.cycle:
                self._latest[alert.alarm_id] = stored
        self._positions[batch.source, batch.partition] = batch.position
        if batch.gap is not None:
            key = (batch.source, batch.partition, batch.gap)
            self._gaps.setdefault(key, now)
        if self.on_new is not None:
            await self.on_new(new, now)
        return [item.stored for item in new]

    async def gaps(self) -> Sequence[AlertGap]:
        """Return all gaps, the latest noticed first."""
        self._check()
        gaps = [AlertGap(*key, noticed_at) for key, noticed_at in self._gaps.items()]
        gaps.sort(key=lambda gap: (gap.partition, gap.offsets.from_offset))
        return sorted(gaps, key=lambda gap: gap.noticed_at, reverse=True)

    async def positions(self, source: str) -> Mapping[int, FeedPosition]:
        """Return how far each partition was read before."""
        self._check()
        return positions_of(source, self._positions)

    async def page(
        self,
        wanted: AlertFilter,
        limit: int,
        *,
        after: int | None = None,
        newest_first: bool = False,
    ) -> Sequence[StoredAlert]:
        """Return at most ``limit`` alerts in the order of arrival, or backwards."""
        self._check()
        alerts = reversed(self._alerts) if newest_first else iter(self._alerts)
        found = [
            item
            for item in alerts
            if wanted.admits(item.alert)
            and (
                after is None or (item.sequence < after if newest_first else item.sequence > after)
            )
        ]
        return found[:limit]

    async def find(self, alert_id: str) -> StoredAlert | None:
        """Return the alert, or none."""
        self._check()
        return self._by_id.get(alert_id)

    async def last(self) -> StoredAlert | None:
        """Return the alert with the highest sequence, or none."""
        self._check()
        return self._alerts[-1] if self._alerts else None

    async def open_alarms(self, asset_ids: Collection[str]) -> Sequence[StoredAlert]:
        """Return the latest alert of each alarm of these assets that was not cleared."""
        self._check()
        latest = sorted(self._latest.values(), key=lambda item: item.sequence)
        return [
            item
            for item in latest
            if item.alert.state is not Transition.CLEARED and item.alert.asset_id in asset_ids
        ]

    async def trim(self, keep: AlertKeeping, now: datetime, most_rows: int) -> int:
        """Remove a slice of whole alarms that are over and old."""
        self._check()
        for item in self._alerts:
            self._noted.setdefault(item.sequence, now)
        end = 0 if keep.max_rows is None else self._last - keep.max_rows
        if keep.max_age is not None:
            old = [n for n, noted_at in self._noted.items() if noted_at <= now - keep.max_age]
            end = max(end, *old, 0)
        held = {
            item.alert.alarm_id
            for item in self._alerts
            if item.sequence > end
            or self._latest[item.alert.alarm_id].alert.state is not Transition.CLEARED
        }
        gone = [item for item in self._alerts if item.alert.alarm_id not in held]
        for item in islice(gone, most_rows):
            self._alerts.remove(item)
            del self._by_id[item.alert.alert_id]
            for tell in self.forgotten:
                tell(item.alert.alert_id)
            self._removed_until = max(self._removed_until or item.alert.ts, item.alert.ts)
        return min(len(gone), most_rows)

    async def removed_until(self) -> datetime | None:
        """Return the time of the latest reading whose alert was removed."""
        self._check()
        return self._removed_until

    async def ping(self) -> None:
        """Return, or raise what the test asked for."""
        self._check()

    def ids_after(self, sequence: int) -> set[str]:
        """Return the ids of the alerts that arrived later."""
        return {item.alert.alert_id for item in self._alerts if item.sequence > sequence}

    def ids(self) -> set[str]:
        """Return the ids of all alerts, for tests that wait for some."""
        return set(self._by_id)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure


class MemoryFeed(Generic[Item]):
    """A topic that a test fills by hand.

    Attributes:
        failure: When set, ``ping`` raises it.
        taken: How many batches were taken.
    """

    def __init__(self) -> None:
        self.failure: BackendError | None = None
        self.taken = 0
        self._arrived: asyncio.Queue[FeedBatch[Item] | BackendError] = asyncio.Queue()

    def put(self, item: FeedBatch[Item] | BackendError) -> None:
        """Let a batch arrive, or an error happen."""
        self._arrived.put_nowait(item)

    async def batches(self, resume: Resume) -> AsyncGenerator[FeedBatch[Item], None]:
        """Yield what :meth:`put` brings."""
        await resume("memory")
        while True:
            item = await self._arrived.get()
            if isinstance(item, BackendError):
                raise item
            self.taken += 1
            yield item

    async def ping(self) -> None:
        """Return, or raise what the test asked for."""
        if self.failure is not None:
            raise self.failure
