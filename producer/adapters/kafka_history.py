"""What the readings topic holds of one run: reads all of it, decodes only what may match."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from common.links.kafka import read_to_end
from common.records.readings import SensorReading
from common.settings import KafkaSettings
from common.topics import Topics
from producer.ports import AssetHistory


class KafkaRunHistory:
    """A :class:`producer.ports.RunHistory` on the topic itself: nothing else can be out of step."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = Topics(settings.topic_prefix).readings

    async def of_run(self, run_id: str) -> Mapping[str, AssetHistory]:
        """Return what the topic holds of a run now, by asset id."""
        wanted = run_id.encode()
        cycles: dict[str, set[int]] = {}
        latest: dict[str, tuple[int, bytes]] = {}
        async for record in read_to_end(self._settings, self._topic):
            # most records are of other runs: this check is a hundredth of the price of decoding
            if record.value is None or wanted not in record.value:
                continue
            try:
                reading = SensorReading.model_validate_json(record.value)
            except ValidationError:
                continue  # it has no verdict as a reading, so it is not one that was sent
            if reading.run_id != run_id:
                continue
            cycles.setdefault(reading.asset_id, set()).add(reading.cycle)
            if reading.cycle >= latest.get(reading.asset_id, (0, b""))[0]:
                latest[reading.asset_id] = (reading.cycle, record.value)
        return {
            asset_id: AssetHistory(frozenset(found), latest[asset_id][1])
            for asset_id, found in cycles.items()
        }
