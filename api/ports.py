"""What the api needs from the outside, as small protocols, and the values that cross them.

One fake per port is in ``adapters/memory.py``; ``tests/contract`` holds fakes and real adapters to
the same promises.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from common.records import Alert, Level, Transition


@dataclass(frozen=True, slots=True)
class WireAlert:
    """An alert and the very text it came in.

    Attributes:
        alert: The decoded message.
        body: The message as it stood on the topic; streams hand it on unchanged.
    """

    alert: Alert
    body: str


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert in the history.

    Attributes:
        sequence: Its place in the order of arrival: 1, 2, 3 …, without gaps. Whoever has seen
            sequence n will never find a new alert at or below n.
        alert: The decoded message.
        body: The message as it stood on the topic.
    """

    sequence: int
    alert: Alert
    body: str


@dataclass(frozen=True, slots=True)
class FeedBatch:
    """What one fetch brought from one partition.

    Attributes:
        source: One life of the topic (cluster id and topic name); offsets of another life differ.
        partition: Which partition.
        next_offset: Where to go on reading once ``alerts`` are stored.
        alerts: In the partition's order; messages that are no alerts are left out.
    """

    source: str
    partition: int
    next_offset: int
    alerts: Sequence[WireAlert]


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; all conditions apply together, none given means all alerts.

    Attributes:
        asset_id: Only this asset.
        run_id: Only this run.
        alarm_id: Only this alarm.
        level: Only this level.
        min_level: Only this level or worse.
        state: Only this transition.
        since: Only readings at or after this time.
        until: Only readings before this time.
    """

    asset_id: str | None = None
    run_id: str | None = None
    alarm_id: str | None = None
    level: Level | None = None
    min_level: Level | None = None
    state: Transition | None = None
    since: datetime | None = None
    until: datetime | None = None


class AlertHistory(Protocol):
    """Every alert once, in the order of arrival, and how far the topic has been read.

    Raises, from every method: ``BackendUnavailableError`` when a later try may work,
    ``BackendRefusedError`` when it will not.
    """

    async def store(self, batch: FeedBatch) -> int:
        """Keep the alerts and the batch's ``next_offset`` in one transaction.

        Idempotent by ``alert_id``: a known id is left as it is and keeps its sequence. Safe from
        several processes at once; sequences become visible in their order.

        Returns:
            How many alerts were new.
        """

    async def positions(self, source: str) -> Mapping[int, int]:
        """Return the next offset of each partition of ``source`` that was ever read."""

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

    async def open_alarms(self) -> Sequence[StoredAlert]:
        """Return the latest alert of each alarm that was not cleared, in the order of arrival.

        The latest is the one of the highest cycle, whenever it arrived.
        """

    async def ping(self) -> None:
        """Return when the history answers; raise ``BackendError`` with why not."""


Resume = Callable[[str], Awaitable[Mapping[int, int]]]
"""Tells a feed where to go on in a source: next offset by partition."""


class AlertFeed(Protocol):
    """The alerts topic."""

    def batches(self, resume: Resume) -> AsyncGenerator[FeedBatch, None]:
        """Connect and yield what arrives, from where ``resume`` says, each partition in order.

        Ends when the topic turned out to be another one than it was, or its partitions changed:
        call again. A partition unknown to ``resume`` is read from its beginning.

        Raises:
            BackendError: If the broker does not answer.
        """

    async def ping(self) -> None:
        """Return when the broker answers; raise ``BackendError`` with why not."""


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
            BackendError: With why not; beginning with "unknown" where the broker does not say.
        """


SIMULATOR: Final = "SIM"
"""The data set that is no recording; its runs are named as simulated."""


class ReplayState(StrEnum):
    """What a replay is doing, or how it ended."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class ReplaySpec:
    """What to replay.

    Attributes:
        run_id: Name of the run, and of the replay: sending goes on where the run stopped.
        dataset: ``FD001`` … ``FD004``, or ``SIM`` for the simulator.
        split: ``train`` or ``test``.
        engines: ``all``, or numbers and ranges such as ``1-20,42``.
        speed: ``max``, or a factor such as ``60x``.
        start: Timestamp of the first cycle.
        cycle_interval_s: Time between two cycles of an engine, s.
        seed: The simulator's seed; none for data files.
    """

    run_id: str
    dataset: str
    split: str
    engines: str
    speed: str
    start: datetime
    cycle_interval_s: float
    seed: int | None


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """What the producer last said.

    Attributes:
        sent: Readings sent by this process.
        skipped: Readings that the topic already held.
        total: Readings of the whole run; none until it is known.
        state: The producer's own word: running, done, stopped, failed.
        error: Why it failed.
    """

    sent: int = 0
    skipped: int = 0
    total: int | None = None
    state: ReplayState = ReplayState.RUNNING
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay at a moment: what was asked, and how far it came."""

    spec: ReplaySpec
    progress: ReplayProgress
    started_at: datetime
    ended_at: datetime | None = None


class ReplayProcess(Protocol):
    """One producer at work."""

    def progress(self) -> AsyncGenerator[ReplayProgress, None]:
        """Yield what it says; ends with the process. The last one tells how it ended."""

    def terminate(self) -> None:
        """Ask it to stop after the reading at hand; harmless when it has ended."""

    def kill(self) -> None:
        """End it at once; harmless when it has ended."""


class ReplayLauncher(Protocol):
    """Starts producers."""

    async def launch(self, spec: ReplaySpec) -> ReplayProcess:
        """Start one.

        Raises:
            BackendError: If no process can be started.
        """


class ReplayRecords(Protocol):
    """Replays as they are remembered, one per run id. Raises ``BackendError``."""

    async def put(self, replay: Replay) -> None:
        """Remember the replay, in place of what was known under its run id."""

    async def find(self, run_id: str) -> Replay | None:
        """Return the replay, or none."""

    async def all(self) -> Sequence[Replay]:
        """Return all replays, the latest started first."""
