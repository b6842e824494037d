"""From the driver's records to the core's."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.structs import ConsumerRecord

from common.records import SourcePosition
from detector.core.decoding import SourceRecord


def source_records(records: Sequence[ConsumerRecord]) -> list[SourceRecord]:
    """Return records as the core takes them."""
    return [
        SourceRecord(
            SourcePosition(record.topic, record.partition, record.offset),
            record.timestamp or 0,
            record.key,
            record.value,
        )
        for record in records
    ]
