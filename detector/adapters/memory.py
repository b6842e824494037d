"""The detector's ports in memory: what unit tests trust, with the promises of the real ones."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Final, Self

from common.records.alerts import Alert
from common.records.evidence import AlertEvidence, EvidenceMessage
from common.records.letters import DeadLetter
from detector.adapters.stored_values import RawValues, packed_progress
from detector.core.intent import NextIntent
from detector.core.ledger import Ledger, entries, pack_entry, unpack_entry
from detector.core.next_states import NextStates
from detector.core.pipeline import AssetRun, NextState
from detector.core.reading.source import SourceRecord
from detector.core.state.asset import FENCE, Fence
from detector.core.state.progress import Mark, NextProgress, Progress, mark_of
from detector.ports import Stored, TopicLook

NO_ASSETS: Final[Mapping[int, Sequence[AssetRun]]] = MappingProxyType({})


class MemoryStateStore:
    """States in a dict, packed as Redis holds them.

    A partition's ledger is lost with its progress, as in Redis, where both are under one key.
    """

    def __init__(self) -> None:
        self.values: dict[AssetRun, bytes] = {}
        self.progress: dict[int, bytes] = {}
        self.intents: dict[int, bytes] = {}
        self.ledgers: dict[int, dict[AssetRun, bytes]] = {}

    async def __aenter__(self) -> Self:
        """Connect."""
        return self

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
        speakers: Mapping[int, Sequence[AssetRun]] = NO_ASSETS,
    ) -> Stored:
        """Return what is stored; progress that cannot be read is removed."""
        raw = RawValues(
            {key: self.values[key] for key in keys if key in self.values},
            {number: self.progress[number] for number in partitions if number in self.progress},
            {number: self.intents[number] for number in partitions if number in self.intents},
            {
                number: {key: found[key] for key in speakers.get(number, ()) if key in found}
                for number in partitions
                if (found := self.ledgers.get(number)) and number in self.progress
            },
        )
        stored, foreign = raw.read()
        for partition in foreign.progress:
            del self.progress[partition]
        for partition in foreign.intents:
            del self.intents[partition]
        return stored

    async def write(
        self, states: Mapping[AssetRun, NextState], progress: Mapping[int, NextProgress]
    ) -> Sequence[AssetRun]:
        """Store what is still the next one; return the states that are not."""
        refused: list[AssetRun] = []
        after = NextStates.of(states)
        packed, sizes = after.pack(list(after))
        end = 0
        for key, size in zip(after, sizes, strict=True):
            begin, end = end, end + size
            value = packed[begin:end]
            fence = self.values.get(key, b"")[: FENCE.size]
            expected = after.expected[key].pack(), value[: FENCE.size]
            if len(fence) < FENCE.size or fence in expected:
                self.values[key] = value
            else:
                refused.append(key)
        for partition, item in progress.items():
            stored = self.progress.get(partition, b"")
            if stored in (packed_progress(item.expected), item.progress.pack()):
                self.progress[partition] = item.progress.pack()
                self._note(
                    partition, entries(after, partition) | dict(item.ledger), anew=not stored
                )
        return refused

    def _note(
        self, partition: int, changes: Mapping[AssetRun, Fence | None], *, anew: bool
    ) -> None:
        found = {} if anew else self.ledgers.get(partition, {})
        told = {key: pack_entry(fence) for key, fence in changes.items() if fence is not None}
        kept = {key: entry for key, entry in found.items() if key not in changes}
        self.ledgers[partition] = kept | told

    async def ledger(self, partition: int) -> Ledger:
        """Return the whole ledger of a partition."""
        found = self.ledgers.get(partition, {}) if partition in self.progress else {}
        return {key: unpack_entry(value, partition) for key, value in found.items()}

    async def intend(self, intents: Mapping[int, NextIntent]) -> Collection[int]:
        """Note what is still to be done; return the partitions that have gone on."""
        refused: list[int] = []
        for partition, item in intents.items():
            if self.progress.get(partition, b"") != packed_progress(item.expected):
                refused.append(partition)
            elif item.intent is not None:
                self.intents[partition] = item.intent.pack()
        return refused

    async def ping(self) -> None:
        """Return."""


class MemoryHistory:
    """The past of a topic, as a list of records."""

    def __init__(self, records: Sequence[SourceRecord] = (), batch: int = 100) -> None:
        self.records = list(records)
        self.reads: list[tuple[int, int | None, int]] = []
        self.looks: list[Mapping[int, Progress]] = []
        self.topic_id = ""
        self._batch = batch

    async def read(
        self, partition: int, start: int | None, end: int
    ) -> AsyncGenerator[Sequence[SourceRecord], None]:
        """Yield the partition's records in the range."""
        self.reads.append((partition, start, end))
        found = [
            record
            for record in self.records
            if record.position.partition == partition
            and (start or 0) <= record.position.offset < end
        ]
        for first in range(0, len(found), self._batch):
            yield found[first : first + self._batch]

    async def look_back(self, progress: Mapping[int, Progress]) -> TopicLook:
        """Return what partitions have another id, do not reach that far, or have another mark."""
        self.looks.append(progress)
        gone = [
            partition
            for partition, known in progress.items()
            if (
                known.topic_id != self.topic_id
                if known.topic_id and self.topic_id
                else self._is_gone(partition, known, known.mark)
            )
        ]
        return TopicLook(gone, self.topic_id)

    def _is_gone(self, partition: int, known: Progress, mark: Mark | None) -> bool:
        there = {
            record.position.offset: record
            for record in self.records
            if record.position.partition == partition
        }
        if max(there, default=-1) + 1 < known.next_offset:
            return True
        return mark is not None and mark.offset in there and mark_of(there[mark.offset]) != mark


class MemoryPublisher:
    """Alerts, evidence and dead letters in lists, in the order of publishing."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.dead_letters: list[DeadLetter] = []
        self.evidence: list[AlertEvidence] = []
        self.evidence_values: list[bytes] = []

    async def __aenter__(self) -> Self:
        """Connect."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Disconnect."""

    async def publish_evidence(self, evidence: Sequence[EvidenceMessage]) -> None:
        """Keep it, as whoever reads the topic understands it."""
        for each in evidence:
            self.evidence_values.append(each.value)
            self.evidence.append(AlertEvidence.model_validate_json(each.value))

    async def publish(self, alerts: Sequence[Alert], dead_letters: Sequence[DeadLetter]) -> None:
        """Keep them."""
        self.alerts.extend(alerts)
        self.dead_letters.extend(dead_letters)
