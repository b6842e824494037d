"""What a batch publishes goes out in slices, and none that was acknowledged goes out again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from common.errors import InvalidRecordError, RejectReason
from common.links.kafka import MAX_REQUEST_BYTES
from common.records.alerts import Alert
from common.records.letters import MAX_ORIGINAL_BYTES, MAX_ORIGINAL_KEY_BYTES, DeadLetter
from common.records.verdicts import SourcePosition
from detector.core.letters import dead_letter, unreadable_letter
from detector.core.reading.source import SourceRecord, UnreadableBatch
from detector.delivery.slices import MAX_SLICE_BYTES, MAX_SLICE_MESSAGES, carried_bytes, slices
from tests.support.alerts import make_alert


def letter(offset: int, size: int = 10, key: bytes | None = b"engine-1") -> DeadLetter:
    record = SourceRecord(SourcePosition("readings", 0, offset), 0, key, b"x" * size)
    return dead_letter(record, InvalidRecordError(RejectReason.NOT_UTF8, "it is no text"))


@given(st.integers(0, 450), st.lists(st.sampled_from([1, 1000, 300_000, 2_000_000]), max_size=60))
def test_slices_hold_everything_in_order_within_both_bounds(alerts: int, sizes: list[int]) -> None:
    raised = [make_alert(cycle + 1) for cycle in range(alerts)]
    letters = [letter(offset, size) for offset, size in enumerate(sizes)]

    parts = list(slices(raised, letters))

    assert [alert for part in parts for alert in part.alerts] == raised
    assert [item for part in parts for item in part.dead_letters] == letters
    for part in parts:
        messages: list[Alert | DeadLetter] = [*part.alerts, *part.dead_letters]
        assert 0 < len(messages) <= MAX_SLICE_MESSAGES
        assert sum(map(carried_bytes, messages)) <= MAX_SLICE_BYTES


def test_a_message_on_the_wire_is_no_larger_than_counted() -> None:
    for message in (make_alert(7), letter(3, 500_000, b"k" * 5000), letter(4, 0, None)):
        assert len(message.to_json()) <= carried_bytes(message)


def test_the_largest_dead_letters_fit_into_one_message() -> None:
    position = SourcePosition("t" * 249, 2**31 - 1, 2**63 - 1)
    record = SourceRecord(position, 1, b"\xff" * 10**6, b"\xff" * 10**7)
    error = InvalidRecordError(RejectReason.MALFORMED_JSON, "\x00\U0001f600" * 100_000)
    batch = UnreadableBatch(
        position, 2**63 - 1, RejectReason.DAMAGED_BATCH, "x" * 500, b"\xff" * 10**7, 10**7, "0" * 64
    )

    of_record = dead_letter(record, error)

    assert len(of_record.to_json()) < MAX_REQUEST_BYTES / 2
    assert len(unreadable_letter(batch).to_json()) < MAX_REQUEST_BYTES / 2
    assert len(of_record.message) == 1000
    assert of_record.original_key is not None
    assert len(of_record.original_key) < MAX_ORIGINAL_KEY_BYTES * 1.5
    assert len(of_record.original) < MAX_ORIGINAL_BYTES * 1.5
