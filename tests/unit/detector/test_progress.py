"""How far a partition has been applied: as it is stored, and how a batch takes it on."""

from __future__ import annotations

import zlib

import pytest
from msgspec import structs

from common.errors import RejectReason
from common.records.verdicts import SourcePosition
from detector.core.reading.source import FailedRecord, SourceBatch, Span, UnreadableBatch
from detector.core.state.progress import (
    Mark,
    NextProgress,
    Progress,
    behind,
    mark_of,
    next_progress,
    unpack_progress,
)
from tests.support.builders import TOPIC, record

MARK = Mark(6, 1_767_225_600_000, 255)


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(0), b"0 0 - 0 -"),
        (Progress(7, 1), b"7 1 - 0 -"),
        (Progress(7, 1, MARK), b"7 1 6:1767225600000:000000ff 0 -"),
        (Progress(7, 1, MARK, 40, "id-1"), b"7 1 6:1767225600000:000000ff 40 id-1"),
    ],
)
def test_what_running_installations_hold_is_written_and_read(
    progress: Progress, text: bytes
) -> None:
    assert progress.pack() == text
    assert unpack_progress(text) == progress


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"41", id="a number alone, as the first version wrote it"),
        pytest.param(b"-1", id="a negative offset"),
        pytest.param(b"007", id="leading zeros"),
        pytest.param(b"7 1", id="half of it"),
        pytest.param(b"7 -1 - 0 -", id="a negative life"),
        pytest.param(b"7 1 - +40 -", id="a sign"),
        pytest.param(b"7 1 6:1767225600000 0 -", id="half a mark"),
        pytest.param(b"7 1 -6:1767225600000:000000ff 0 -", id="a mark before the first record"),
        pytest.param(b"7 1 6:-1:000000ff 0 -", id="a negative stamp"),
        pytest.param(b"7 1 6:1767225600000:crc 0 -", id="a checksum that is no number"),
        pytest.param(b"7 1 - 0 ", id="an empty id"),
        pytest.param(b"7 1 - 0 id 1", id="an id with a blank"),
        pytest.param("7 1 - 0 größe".encode(), id="not ASCII"),
    ],
)
def test_what_this_program_never_wrote_is_foreign(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpack_progress(text)


def test_a_record_is_known_again_by_all_it_holds() -> None:
    item = record(b"{}", 6, key=b"engine-1")

    assert mark_of(item) == Mark(6, item.published_ts_ms, zlib.crc32(b"engine-1{}"))
    others = [
        structs.replace(item, key=b"engine-2"),
        structs.replace(item, value=b"[]"),
        structs.replace(item, published_ts_ms=item.published_ts_ms + 1),
        structs.replace(item, position=SourcePosition(TOPIC, 0, 7)),
    ]
    assert mark_of(item) not in [mark_of(other) for other in others]
    assert mark_of(record(None, 6)) == Mark(6, item.published_ts_ms, 0)


@pytest.mark.parametrize(
    ("progress", "catching_up"),
    [
        (Progress(0), False),
        (Progress(0, 1, None, 40), True),
        (Progress(39, 1, None, 40), True),
        (Progress(40, 1, None, 40), False),
        (Progress(41, 1, None, 40), False),
    ],
)
def test_outputs_are_owed_until_all_unread_readings_have_been_read(
    progress: Progress, catching_up: bool
) -> None:
    assert progress.catching_up == catching_up


def test_states_that_do_not_reach_up_to_a_batch_are_behind_it() -> None:
    spans = {number: Span(10, 20) for number in range(4)} | {8: Span(1, 5), 9: Span(0, 5)}
    progress = {0: Progress(9), 1: Progress(10), 2: Progress(11), 3: Progress(20)}

    assert behind(spans, progress) == [0, 8]


def stepped(known: Progress | None, begin: int, end: int, *offsets: int) -> Progress:
    """Return how far partition 3 has come after a batch with records at these offsets."""
    records = [record(b"%d" % offset, offset, 3) for offset in offsets]
    source = SourceBatch(records, {3: Span(begin, end)}, topic_id="heard")
    found = next_progress(source, {} if known is None else {3: known})
    assert found.keys() == {3}
    assert found[3] == NextProgress(found[3].progress, known)
    return found[3].progress


def test_the_first_batch_begins_the_progress() -> None:
    found = stepped(None, 0, 12, 4, 9)

    assert found == Progress(12, 0, mark_of(record(b"9", 9, 3)), 0, "heard")
    assert stepped(None, 0, 1, 0) == Progress(1, 0, mark_of(record(b"0", 0, 3)), 0, "heard")


def test_a_batch_takes_the_progress_to_its_end_and_keeps_life_and_id() -> None:
    found = stepped(Progress(7, 2, MARK, 40, "known"), 7, 12, 8, 9)

    assert found == Progress(12, 2, mark_of(record(b"9", 9, 3)), 40, "known")


def test_a_batch_without_records_keeps_the_mark() -> None:
    assert stepped(Progress(7, 2, MARK, 0, "known"), 7, 9) == Progress(9, 2, MARK, 0, "known")


@pytest.mark.parametrize("end", [5, 7])
def test_a_redelivery_changes_nothing(end: int) -> None:
    known = Progress(7, 2, MARK, 40)

    assert stepped(known, 0, end, 1, 2) == known


@pytest.mark.parametrize(("end", "unread_before"), [(39, 40), (40, 0), (41, 0)])
def test_what_was_unread_is_forgotten_once_it_has_been_read(end: int, unread_before: int) -> None:
    assert stepped(Progress(7, 1, MARK, 40), 7, end).unread_before == unread_before


def test_each_partition_has_a_progress_and_a_mark_of_its_own() -> None:
    records = [record(b"a", 5, 0), record(b"b", 1, 1), record(b"c", 6, 0)]
    source = SourceBatch(records, {0: Span(5, 7), 1: Span(0, 2), 2: Span(3, 4)})

    found = next_progress(source, {0: Progress(5), 2: Progress(3)})

    assert found == {
        0: NextProgress(Progress(7, 0, mark_of(records[2])), Progress(5)),
        1: NextProgress(Progress(2, 0, mark_of(records[1])), None),
        2: NextProgress(Progress(4), Progress(3)),
    }


def test_of_two_halves_the_first_takes_what_is_set_aside_and_both_the_topics_id() -> None:
    records = [record(b"x", offset, key=b"k") for offset in range(4)]
    damaged = UnreadableBatch(
        SourcePosition(TOPIC, 0, 4), 9, RejectReason.DAMAGED_BATCH, "a bit", b"", 9, "ab" * 32
    )
    failed = FailedRecord(records[0], "ZeroDivisionError")
    whole = SourceBatch(records, {0: Span(0, 10)}, [damaged], [failed], "an-id")

    first, second = whole.halves()

    assert first == SourceBatch(records[:2], {0: Span(0, 2)}, [damaged], [failed], "an-id")
    assert second == SourceBatch(records[2:], {0: Span(2, 10)}, topic_id="an-id")
