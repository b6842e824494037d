"""The alerts topic, and what of it is an alert."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from api.adapters.kafka.decoding import decoded
from api.adapters.kafka.feed import KafkaFeed
from api.ports import WireAlert
from common.records.alerts import Alert
from common.records.times import LATEST
from common.settings import KafkaSettings, RetentionSettings
from common.topics import Topics


class KafkaAlertFeed(KafkaFeed[WireAlert]):
    """Reads all partitions of the alerts topic."""

    def __init__(
        self,
        settings: KafkaSettings,
        retention: RetentionSettings = RetentionSettings(),  # noqa: B008 - immutable
    ) -> None:
        topic = Topics(settings.topic_prefix).alerts
        super().__init__(settings, retention, "alerts", topic, decoded_alert)


def decoded_alert(record: Any) -> WireAlert | None:
    """Return the alert, or nothing where it is none."""
    found = decoded(record, Alert, ("alert_id", "alarm_id"), "an alert")
    return None if found is None else WireAlert(*found, _published_at(record.timestamp))


def _published_at(ts_ms: int | None) -> datetime | None:
    """Return the time that a record bears; none for one that no alert can have."""
    if ts_ms is None or not 0 <= ts_ms < LATEST.timestamp() * 1000:
        return None
    return datetime.fromtimestamp(ts_ms / 1000, UTC)
