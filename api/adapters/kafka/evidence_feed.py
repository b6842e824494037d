"""The topic of what alerts rest on, and what of it is evidence."""

from __future__ import annotations

from typing import Any, Final

from api.adapters.kafka.decoding import decoded
from api.adapters.kafka.feed import KafkaFeed
from api.evidence import WireEvidence
from common.records.evidence import AlertEvidence
from common.settings import KafkaSettings, RetentionSettings
from common.topics import Topics

SETTLE_S: Final = 0.05
"""Evidence comes just before its alert, which somebody waits for: it is stored after it."""


class KafkaEvidenceFeed(KafkaFeed[WireEvidence]):
    """Reads all partitions of the topic of evidence."""

    def __init__(
        self,
        settings: KafkaSettings,
        retention: RetentionSettings = RetentionSettings(),  # noqa: B008 - immutable
    ) -> None:
        topic = Topics(settings.topic_prefix).evidence
        super().__init__(settings, retention, "evidence", topic, decoded_evidence, SETTLE_S)


def decoded_evidence(record: Any) -> WireEvidence | None:
    """Return the evidence, or nothing where it is none."""
    found = decoded(record, AlertEvidence, ("evidence_id", "alert_id"), "evidence")
    return None if found is None else WireEvidence(*found)
