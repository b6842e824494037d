"""What the detector needs of the world: four protocols beside the score store's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from common.records.alerts import Alert
from common.records.evidence import EvidenceMessage
from common.records.letters import DeadLetter
from detector.core.intent import Intent, NextIntent
from detector.core.ledger import Ledger
from detector.core.pipeline import AssetRun, NextState
from detector.core.reading.source import SourceRecord
from detector.core.state.asset import AssetState, Fence
from detector.core.state.progress import NextProgress, Progress
from models.scoring.history import Trail
from models.scoring.scorer import WindowScorer, WindowScores


@dataclass(frozen=True, slots=True)
class Stored:
    """What a state store holds.

    A value that this program did not write is as good as lost, and is rebuilt from the topic:
    progress and intents are left out and removed, states are left out and named.

    Attributes:
        states: States by key; a key without one is left out.
        progress: How far all states of a partition are stored; a partition without is left out.
        intents: What a worker was about to publish of a partition; left out where nothing was, and
            where the progress has passed it.
        unreadable: Keys whose value was not written by this program, each with the fence that a
            write must expect to replace it.
        ledgers: By partition, how far the states of the assets that were asked for should reach; an
            asset of which nothing is said is left out. Nothing where there is no progress.
    """

    states: Mapping[AssetRun, AssetState]
    progress: Mapping[int, Progress]
    intents: Mapping[int, Intent] = field(default_factory=dict)
    unreadable: Mapping[AssetRun, Fence] = field(default_factory=dict)
    ledgers: Mapping[int, Ledger] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicLook:
    """What a look at the readings topic has shown.

    Attributes:
        gone: Partitions that are not those that were known: the topic was made anew.
        topic_id: The topic's id; empty where the broker has none.
    """

    gone: Collection[int]
    topic_id: str


class TopicHistory(Protocol):
    """The past of the readings topic."""

    def read(
        self, partition: int, start: int | None, end: int
    ) -> AsyncGenerator[Sequence[SourceRecord], None]:
        """Yield what the topic still holds of a partition's offsets, in order, in batches.

        Args:
            partition: Which partition.
            start: First offset; none means the oldest there is.
            end: The offset after the last; the topic reaches at least this far.

        Raises:
            BackendUnavailableError: If the broker does not deliver.
        """

    async def look_back(self, progress: Mapping[int, Progress]) -> TopicLook:
        """Look whether partitions are still those the progress speaks of, asked now.

        They are certainly not when the topic has another id, when another record stands where the
        mark was, or when the topic does not reach that far. A record that retention has removed
        says nothing.

        Args:
            progress: What is known of partitions of which something has been applied.

        Raises:
            BackendUnavailableError: If the broker does not answer.
        """


class StateStore(Protocol):
    """Where rings and alarm states are kept. An async context manager.

    Raises, from every method: ``BackendUnavailableError`` when a later try may work,
    ``BackendRefusedError`` when it will not.
    """

    async def __aenter__(self) -> Self:
        """Connect."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""

    async def read(
        self,
        keys: Sequence[AssetRun],
        partitions: Sequence[int],
        speakers: Mapping[int, Sequence[AssetRun]] = ...,
    ) -> Stored:
        """Return what is stored of these assets and partitions, in one round trip.

        Args:
            keys: Whose states.
            partitions: Whose progress and intents.
            speakers: Of which assets each partition's ledger is asked.
        """

    async def write(
        self, states: Mapping[AssetRun, NextState], progress: Mapping[int, NextProgress]
    ) -> Sequence[AssetRun]:
        """Store the states and the progress, in one round trip, each only if it is the next one.

        A state is stored when what is there carries the expected fence, or the very fence being
        written (the retry of a write that had arrived), or when nothing is there. Else another
        worker has gone on with the asset; that key is left alone.

        Progress is stored after all states, and more strictly: only over exactly what was
        expected, or over itself. A store that lost its data in between therefore keeps no progress,
        which is how the loss is noticed.

        With a partition's progress, and only with it, its ledger is written: the fence of each of
        the states that is at home there, whether it was stored or left alone, and what the step
        says. An entry lives as long as a state does that was written with it.

        Returns:
            The keys of states that were left alone.
        """

    async def intend(self, intents: Mapping[int, NextIntent]) -> Collection[int]:
        """Note what is about to be published, in one round trip, if the progress is as expected.

        Returns:
            The partitions with which another worker has gone on: nothing was noted of them, and
            nothing may be published.
        """

    async def ledger(self, partition: int) -> Ledger:
        """Return the whole ledger of a partition; entries of expired states may be among it."""

    async def ping(self) -> None:
        """Return when the store answers and would take a write."""


class OutputPublisher(Protocol):
    """Where alerts, their evidence and dead letters go. An async context manager."""

    async def __aenter__(self) -> Self:
        """Connect."""

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Flush and disconnect."""

    async def publish_evidence(self, evidence: Sequence[EvidenceMessage]) -> None:
        """Publish what alerts rest on, keyed by asset; on return the broker has acknowledged all.

        When it raises, any part may have been published: publish again; the ids are the same.

        Raises:
            BackendUnavailableError: If the broker did not acknowledge in time.
        """

    async def publish(self, alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]) -> None:
        """Publish all, keyed by asset; on return the broker has acknowledged every one.

        The alerts of one asset keep their order. When it raises, any part may have been published:
        publish again; the ids are the same.

        Raises:
            BackendUnavailableError: If the broker did not acknowledge in time.
        """


class ToScore(NamedTuple):
    """Windows, and who scores them: what ``WindowScorer.score`` is called with."""

    scorer: WindowScorer
    windows: NDArray[np.float32]
    trail: Trail | None


class Scoring(Protocol):
    """Where there are processors to score with."""

    async def score(self, work: Sequence[ToScore]) -> Sequence[WindowScores]:
        """Return the scores of each, in the same order.

        Raises:
            ValueError: If a value is not finite.
        """
