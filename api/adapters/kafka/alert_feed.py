"""The alerts topic, and what of it is an alert."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from api.adapters.kafka.feed import KafkaFeed
from api.ports import WireAlert
from common.logs import get_logger
from common.records.alerts import Alert
from common.records.times import LATEST
from common.settings import KafkaSettings, RetentionSettings
from common.topics import Topics

MAX_ID_CHARS: Final = 200

_log = get_logger(__name__)


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
    """Return the alert; what is no alert is logged and left out, or it would block all others."""
    try:
        body = (record.value or b"").decode()
        alert = Alert.model_validate_json(body)
    except (UnicodeDecodeError, ValidationError) as exc:
        why = str(exc).splitlines()[0]
    else:
        if is_usable(alert.alert_id) and is_usable(alert.alarm_id):
            return WireAlert(alert, body, _published_at(record.timestamp))
        why = f"unusable ids {alert.alert_id[:MAX_ID_CHARS]!r} {alert.alarm_id[:MAX_ID_CHARS]!r}"
    _log.warning("not an alert", partition=record.partition, offset=record.offset, why=why)
    return None


def _published_at(ts_ms: int | None) -> datetime | None:
    """Return the time that a record bears; none for one that no alert can have."""
    if ts_ms is None or not 0 <= ts_ms < LATEST.timestamp() * 1000:
        return None
    return datetime.fromtimestamp(ts_ms / 1000, UTC)


def is_usable(name: str) -> bool:
    """Return whether an id fits into an SSE field, a URL and a PostgreSQL text."""
    return 0 < len(name) <= MAX_ID_CHARS and name.isascii() and name.isprintable()
