"""What a message that cannot be used leaves: whole where it fits, cut where it does not."""

from __future__ import annotations

import pytest
from msgspec import structs

from common.errors import InvalidRecordError, RejectReason
from common.records.letters import DeadLetter
from common.records.verdicts import ScoreRecord, Verdict
from detector.core.letters import MAX_DETAIL_CHARS, dead_letter, rejected_verdict
from detector.core.reading.source import SourceRecord
from tests.support.builders import MeanScorer, changed, fleets_of, reading, record

FLEETS = fleets_of(MeanScorer())
SOUND = record(reading(7), 41, 3)
PREFIX = "schema: "


def verdict(message: str, of: SourceRecord = SOUND) -> ScoreRecord:
    (found,) = rejected_verdict(of, InvalidRecordError(RejectReason.SCHEMA, message), FLEETS)
    return found


def test_a_verdict_says_whose_reading_was_refused_where_it_stood_and_why() -> None:
    assert verdict("cycle is missing") == ScoreRecord(
        asset_id="engine-1",
        run_id="run-1",
        cycle=7,
        ts=reading(7).ts,
        status=Verdict.REJECTED,
        model="mean@1",
        detail="schema: cycle is missing",
        source=SOUND.position,
        published_ts_ms=SOUND.published_ts_ms,
    )


def test_a_message_that_does_not_say_whose_it_is_gets_no_verdict() -> None:
    error = InvalidRecordError(RejectReason.SCHEMA, "no asset")

    assert rejected_verdict(record(b"[]", 0, key=None), error, FLEETS) == []


@pytest.mark.parametrize("over", [-1, 0, 1, 500])
def test_a_detail_has_five_hundred_characters_at_most(over: int) -> None:
    message = "x" * (500 - len(PREFIX) + over)

    assert verdict(message).detail == (PREFIX + message)[:500]
    assert MAX_DETAIL_CHARS == 500


def test_half_a_character_in_a_message_can_be_written() -> None:
    half = "asset '\ud83d' is unknown"
    letter = dead_letter(SOUND, InvalidRecordError(RejectReason.SCHEMA, half))

    assert letter.message == r"asset '\ud83d' is unknown"
    assert DeadLetter.model_validate_json(letter.to_json()) == letter
    assert verdict(half).detail == rf"{PREFIX}asset '\ud83d' is unknown"


def test_a_letter_without_a_stamp_or_a_key_says_so() -> None:
    bare = structs.replace(record(changed(reading(7)), 41), published_ts_ms=0, key=None)
    letter = dead_letter(bare, InvalidRecordError(RejectReason.KEY_MISMATCH, "no key"))

    assert (letter.received_at, letter.original_key) == (None, None)
    assert letter.original_size == len(bare.value or b"")
