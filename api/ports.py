"""What the api needs from the outside, as small protocols, and the values that cross them.

One fake per port is in ``adapters/memory.py``; ``tests/contract`` holds fakes and real adapters to
the same promises.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeAlias, TypeVar

from api.known_fleets import KnownFleets
from common.records.alerts import Alert, Transition
from common.records.verdicts import Level

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class WireAlert:
    """An alert and the very text it came in.

    Attributes:
        alert: The decoded message.
        body: The message as it stood on the topic; streams hand it on unchanged.
        published_at: When the broker was given it, UTC; none if that is not known.
    """

    alert: Alert
    body: str
    published_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert in the history.

    Attributes:
        sequence: Its place in the order of arrival: 1, 2, 3 …, without gaps but where old alerts
            were removed. Whoever has seen sequence n will never find a new alert at or below n.
        alert: The decoded message.
        body: The message as it stood on the topic.
    """

    sequence: int
    alert: Alert
    body: str


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """How far a partition was read.

    Attributes:
        next_offset: Where to go on.
        mark: What tells the record before that from any other; none if it is not known.
    """

    next_offset: int
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class OffsetGap:
    """Messages that the topic no longer had when they were to be read.

    Attributes:
        from_offset: The first.
        to_offset: The first that was there again. At most the difference is missing: some of the
            offsets may never have held an alert.
    """

    from_offset: int
    to_offset: int


@dataclass(frozen=True, slots=True)
class AlertGap:
    """A gap as the history keeps it.

    Attributes:
        source: The life of the topic.
        partition: Which partition.
        offsets: Which offsets.
        noticed_at: When it was noticed, UTC.
    """

    source: str
    partition: int
    offsets: OffsetGap
    noticed_at: datetime


@dataclass(frozen=True, slots=True)
class FeedBatch(Generic[Item]):
    """What one fetch brought from one partition.

    Attributes:
        source: One life of the topic (cluster id and topic name); offsets of another life differ.
        partition: Which partition.
        position: Where to go on reading once ``items`` are stored.
        items: In the partition's order; messages that are something else are left out.
        gap: What was missing before them.
    """

    source: str
    partition: int
    position: FeedPosition
    items: Sequence[Item]
    gap: OffsetGap | None = None


AlertBatch: TypeAlias = FeedBatch[WireAlert]


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; all conditions apply together, none given means all alerts.

    Attributes:
        asset_id: Only this asset.
        run_id: Only this run.
        alarm_id: Only this alarm.
        fleet: Only this fleet.
        level: Only this level.
        min_level: Only this level or worse.
        state: Only this transition.
        since: Only readings at or after this time.
        until: Only readings before this time.
    """

    asset_id: str | None = None
    run_id: str | None = None
    alarm_id: str | None = None
    fleet: str | None = None
    level: Level | None = None
    min_level: Level | None = None
    state: Transition | None = None
    since: datetime | None = None
    until: datetime | None = None

    def admits(self, alert: Alert) -> bool:
        """Return whether an alert is wanted."""
        return (
            self.asset_id in (None, alert.asset_id)
            and self.run_id in (None, alert.run_id)
            and self.alarm_id in (None, alert.alarm_id)
            and self.fleet in (None, alert.fleet)
            and self.level in (None, alert.level)
            and self.state in (None, alert.state)
            and (self.min_level is None or alert.level.rank >= self.min_level.rank)
            and (self.since is None or alert.ts >= self.since)
            and (self.until is None or alert.ts < self.until)
        )


@dataclass(frozen=True, slots=True)
class AlertKeeping:
    """Which alerts are kept. None means no bound.

    Attributes:
        max_age: How long after they were stored.
        max_rows: How many, the newest.
    """

    max_age: timedelta | None = None
    max_rows: int | None = None


class AlertHistory(Protocol):
    """Every alert once, in the order of arrival, and how far the topic has been read.

    Raises, from every method: ``BackendUnavailableError`` when a later try may work,
    ``BackendRefusedError`` when it will not.
    """

    async def store(
        self, batch: AlertBatch, noticed_at: datetime | None = None
    ) -> Sequence[StoredAlert]:
        """Keep the alerts, the batch's position and its gap in one transaction.

        Idempotent by ``alert_id``: a known id is left as it is and keeps its sequence. Safe from
        several processes at once; sequences become visible in their order.

        Args:
            batch: What was read.
            noticed_at: When; now, where it is not said.

        Returns:
            The alerts that were new, in the order of their sequences.
        """

    async def positions(self, source: str) -> Mapping[int, FeedPosition]:
        """Return how far each partition of ``source`` that was ever read has been read."""

    async def gaps(self) -> Sequence[AlertGap]:
        """Return all gaps, the latest noticed first."""

    async def page(
        self,
        wanted: AlertFilter,
        limit: int,
        *,
        after: int | None = None,
        newest_first: bool = False,
    ) -> Sequence[StoredAlert]:
        """Return at most ``limit`` alerts in the order of arrival.

        Args:
            wanted: Which alerts.
            limit: Most alerts, at least 1.
            after: Only alerts beyond this sequence, in the direction of reading.
            newest_first: Read backwards.
        """

    async def find(self, alert_id: str) -> StoredAlert | None:
        """Return the alert, or none."""

    async def last(self) -> StoredAlert | None:
        """Return the alert with the highest sequence, or none."""

    async def open_alarms(self, asset_ids: Collection[str]) -> Sequence[StoredAlert]:
        """Return the latest alert of each alarm of these assets that was not cleared.

        The latest is the one of the highest cycle, whenever it arrived. In the order of arrival.
        """

    async def trim(self, keep: AlertKeeping, now: datetime, most_rows: int) -> int:
        """Remove a slice of the alerts that are not to be kept, the oldest first.

        Alarms go as a whole, once their last alert may: never one that is open. Age is measured
        from the first trim that found the alert, so it is never shorter than asked.

        Args:
            keep: What stays.
            now: The time.
            most_rows: Most alerts to remove.

        Returns:
            How many went; fewer than ``most_rows`` when nothing more is to go.
        """

    async def removed_until(self) -> datetime | None:
        """Return a time after which no alert's reading was removed; none if none ever was."""

    async def ping(self) -> None:
        """Return when the history answers; raise ``BackendError`` with why not."""


Resume = Callable[[str], Awaitable[Mapping[int, FeedPosition]]]
"""Tells a feed where to go on in a source, by partition."""


class Feed(Protocol[Item]):
    """A topic that is carried into the history."""

    def batches(self, resume: Resume) -> AsyncGenerator[FeedBatch[Item], None]:
        """Connect and yield what arrives, from where ``resume`` says, each partition in order.

        Ends when the topic turned out to be another one than it was, or its partitions changed:
        call again. A partition unknown to ``resume`` is read from its beginning.

        Raises:
            BackendError: If the broker does not answer.
        """

    async def ping(self) -> None:
        """Return when the broker answers; raise ``BackendError`` with why not."""


AlertFeed: TypeAlias = Feed[WireAlert]


class DetectorProbe(Protocol):
    """Whether the detector works."""

    async def ping(self) -> None:
        """Return when it says that it is ready; raise ``BackendError`` with why not."""


class GroupProbe(Protocol):
    """Whether the detector's workers as a whole move on, as the broker sees them."""

    async def ping(self) -> None:
        """Return when the group owns its partitions, and none stands still with readings waiting.

        Asked often, it may repeat what it found a moment ago.

        Raises:
            NotKnownError: Where the broker does not say.
            BackendError: With why not.
        """


class FleetCatalogue(Protocol):
    """Which fleets there are, and what their machines report."""

    async def fleets(self) -> KnownFleets:
        """Return them as they are now, or were a moment ago; what cannot be read is told."""
