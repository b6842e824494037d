"""The topic of what alerts rest on, and what of it is evidence."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from api.adapters.kafka.alert_feed import is_usable
from api.adapters.kafka.feed import KafkaFeed
from api.evidence import WireEvidence
from common.logs import get_logger
from common.records.evidence import AlertEvidence
from common.settings import KafkaSettings, RetentionSettings
from common.topics import Topics

_log = get_logger(__name__)


class KafkaEvidenceFeed(KafkaFeed[WireEvidence]):
    """Reads all partitions of the topic of evidence."""

    def __init__(
        self,
        settings: KafkaSettings,
        retention: RetentionSettings = RetentionSettings(),  # noqa: B008 - immutable
    ) -> None:
        topic = Topics(settings.topic_prefix).evidence
        super().__init__(settings, retention, "evidence", topic, decoded_evidence)


def decoded_evidence(record: Any) -> WireEvidence | None:
    """Return the evidence; what is none is logged and left out, or it would block all other."""
    try:
        body = (record.value or b"").decode()
        evidence = AlertEvidence.model_validate_json(body)
    except (UnicodeDecodeError, ValidationError) as exc:
        why = str(exc).splitlines()[0]
    else:
        if is_usable(evidence.evidence_id) and is_usable(evidence.alert_id):
            return WireEvidence(evidence, body)
        why = "unusable ids"
    _log.warning("not evidence", partition=record.partition, offset=record.offset, why=why)
    return None
