"""From the driver's records to the core's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from common.intake.fetched import FetchedRecords
from common.intake.fetcher import Parts
from common.records.times import EARLIEST, LATEST
from common.records.verdicts import SourcePosition
from detector.core.reading.source import (
    SourceBatch,
    SourceRecord,
    SourceRecords,
    Span,
    UnreadableBatch,
)

EARLIEST_MS: Final = int(EARLIEST.timestamp() * 1000)
LATEST_MS: Final = int(LATEST.timestamp() * 1000)


def source_batch(parts: Parts) -> SourceBatch:
    """Return what was taken of one topic's partitions as the core takes it."""
    unreadable: list[UnreadableBatch] = []
    for where, part in parts.items():
        unreadable += [
            UnreadableBatch(
                SourcePosition(where.topic, where.partition, item.first_offset),
                item.last_offset,
                item.reason,
                item.message,
                item.original,
                item.size,
                item.sha256,
            )
            for item in part.set_aside
        ]
    spans = {where.partition: Span(part.begin, part.end) for where, part in parts.items()}
    topic_id = next((part.topic_id for part in parts.values() if part.topic_id), "")
    highwaters = {
        where.partition: part.highwater
        for where, part in parts.items()
        if part.highwater is not None
    }
    records = [record_columns(where, part.records) for where, part in parts.items()]
    return SourceBatch(
        SourceRecords.joined(records), spans, unreadable, topic_id=topic_id, highwaters=highwaters
    )


def record_columns(where: TopicPartition, records: FetchedRecords) -> SourceRecords:
    """Return fetched records of one partition as columns."""
    stamps = map(_stamp, records.timestamps)
    partitions = [where.partition] * len(records)
    return SourceRecords(
        where.topic, partitions, records.offsets, [*stamps], records.keys, records.values
    )


def source_records(records: Sequence[ConsumerRecord]) -> list[SourceRecord]:
    """Return records as the core takes them."""
    return [
        SourceRecord(
            SourcePosition(record.topic, record.partition, record.offset),
            _stamp(record.timestamp),
            record.key,
            record.value,
        )
        for record in records
    ]


def _stamp(timestamp_ms: int | None) -> int:
    """Return a record's stamp, or 0 for one that is no time: some producers use other units."""
    if timestamp_ms is None or not EARLIEST_MS <= timestamp_ms < LATEST_MS:
        return 0
    return timestamp_ms
