"""The producer's ports in memory, keeping the same promises; for tests and examples."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from common.records.readings import SensorReading
from producer.fleet import Message
from producer.ingest.ports import SourceMessage, Taken
from producer.ports import AssetHistory


class MemoryTopic:
    """A readings topic in memory: a publisher, and the history of what it published.

    Attributes:
        messages: All that was published, in order.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        """Append all."""
        self.messages.extend(messages)

    async def of_run(self, run_id: str) -> Mapping[str, AssetHistory]:
        """Return what was published of a run."""
        found: dict[str, dict[int, bytes]] = {}
        for message in self.messages:
            reading = SensorReading.model_validate_json(message.value)
            if reading.run_id == run_id:
                found.setdefault(reading.asset_id, {})[reading.cycle] = message.value
        return {
            asset_id: AssetHistory(frozenset(values), values[max(values)])
            for asset_id, values in found.items()
        }


class MemoryMessages:
    """Their topic in memory: a :class:`producer.ingest.ports.MessageSource`.

    Attributes:
        committed: For each partition, the offset that comes after what is committed.
    """

    def __init__(self, partitions: Sequence[Sequence[bytes | None]]) -> None:
        self._partitions = partitions
        self.committed = dict.fromkeys(range(len(partitions)), 0)
        self._next = dict(self.committed)

    def rejoin(self) -> None:
        """Begin again after what is committed, as another member would."""
        self._next = dict(self.committed)

    async def take(self, max_messages: int, timeout_s: float) -> Taken:
        """Return what has come; it does not wait for more."""
        messages: list[SourceMessage] = []
        for number, values in enumerate(self._partitions):
            begin = self._next[number]
            end = min(len(values), begin + max_messages - len(messages))
            messages += [SourceMessage(number, at, values[at]) for at in range(begin, end)]
            self._next[number] = end
        await asyncio.sleep(0 if messages else min(timeout_s, 0.001))
        touched = {message.partition for message in messages}
        behind = sum(map(len, self._partitions)) - sum(self._next.values())
        return Taken(messages, {at: self._next[at] for at in touched}, behind=behind)

    async def commit(self, taken: Taken) -> bool:
        """Commit that all of it has been sent."""
        self.committed |= taken.ends
        return True
