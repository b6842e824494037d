"""The producer's ports in memory, keeping the same promises; for tests and examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.records import SensorReading
from producer.fleet import Message
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
