"""The driver's records as the core takes them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from common.errors import RejectReason
from common.intake.fetcher import Part
from common.intake.response import SetAside
from common.records.verdicts import SourcePosition
from detector.adapters.source_records import source_batch, source_records
from detector.core.reading.source import SourceBatch, SourceRecord, Span, UnreadableBatch
from tests.support.batches import fetched_records

FIRST_OF_2262_MS = int(datetime(2262, 1, 1, tzinfo=UTC).timestamp() * 1000)


def fetched(timestamp: int | None, offset: int = 7) -> ConsumerRecord:
    return ConsumerRecord(
        topic="fleet.readings",
        partition=3,
        offset=offset,
        timestamp=timestamp,
        timestamp_type=0,
        key=b"engine-1",
        value=b"{}",
        checksum=None,
        serialized_key_size=8,
        serialized_value_size=2,
        headers=(),
    )


def test_a_record_keeps_its_place_stamp_key_and_value_and_records_their_order() -> None:
    assert source_records([fetched(1_767_225_600_001), fetched(1_767_225_600_002, 9)]) == [
        SourceRecord(SourcePosition("fleet.readings", 3, 7), 1_767_225_600_001, b"engine-1", b"{}"),
        SourceRecord(SourcePosition("fleet.readings", 3, 9), 1_767_225_600_002, b"engine-1", b"{}"),
    ]


@pytest.mark.parametrize(
    ("stamp", "taken"),
    [
        pytest.param(None, 0, id="none"),
        pytest.param(-1, 0, id="the broker's word for none"),
        pytest.param(0, 0, id="1970"),
        pytest.param(1, 1, id="a moment later"),
        pytest.param(FIRST_OF_2262_MS - 1, FIRST_OF_2262_MS - 1, id="the last"),
        pytest.param(FIRST_OF_2262_MS, 0, id="one too late"),
        pytest.param(1_767_225_600_000_000_000, 0, id="nanoseconds"),
    ],
)
def test_a_stamp_that_is_no_time_is_none(stamp: int | None, taken: int) -> None:
    assert [record.published_ts_ms for record in source_records([fetched(stamp)])] == [taken]


def damaged(first_offset: int) -> SetAside:
    return SetAside(
        first_offset,
        first_offset + 4,
        RejectReason.DAMAGED_BATCH,
        "a bit",
        b"\x00\x01",
        9,
        "ab" * 32,
    )


def test_parts_are_one_batch_with_the_stretch_of_each_and_what_nobody_can_read() -> None:
    batch = source_batch(
        {
            TopicPartition("fleet.readings", 3): Part(
                fetched_records([fetched(1), fetched(2, 9)]), 7, 12, [damaged(8), damaged(20)]
            ),
            TopicPartition("fleet.readings", 0): Part(fetched_records([]), 40, 45, [damaged(40)]),
        }
    )

    assert batch == SourceBatch(
        source_records([fetched(1), fetched(2, 9)]),
        {3: Span(7, 12), 0: Span(40, 45)},
        [
            UnreadableBatch(
                SourcePosition("fleet.readings", partition, first_offset),
                first_offset + 4,
                RejectReason.DAMAGED_BATCH,
                "a bit",
                b"\x00\x01",
                9,
                "ab" * 32,
            )
            for partition, first_offset in ((3, 8), (3, 20), (0, 40))
        ],
    )


@pytest.mark.parametrize(
    ("heard", "topic_id"),
    [(["", "an-id"], "an-id"), (["an-id", ""], "an-id"), (["", ""], ""), ([], "")],
)
def test_a_batch_has_the_topics_id_as_soon_as_one_part_has(heard: list[str], topic_id: str) -> None:
    parts = {
        TopicPartition("fleet.readings", number): Part(fetched_records([]), 0, 1, [], one)
        for number, one in enumerate(heard)
    }

    assert source_batch(parts).topic_id == topic_id
