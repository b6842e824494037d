"""Dead letters: decoded, chosen, refused or sent under another key."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from common.errors import InvalidRecordError, UserError
from common.records.letters import MAX_ORIGINAL_BYTES
from detector.core.letters import dead_letter
from detector.core.reading.decoding import decode
from detector.tools.deadletter.letters import (
    Letter,
    by_position,
    count_reasons,
    decoded_original,
    open_letter,
    parse_since,
    refusal,
    rekeyed,
    select,
)
from tests.support.builders import TOPIC, MeanScorer, fleets_of, reading, record

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def letter(value: bytes | None, offset: int = 0, key: bytes | None = b"engine-1") -> Letter:
    source = record(value, offset, key=key)
    with pytest.raises(InvalidRecordError) as caught:
        decode(source, fleets_of(MeanScorer()))
    return open_letter(dead_letter(source, caught.value))


def test_a_letter_gives_back_key_and_bytes() -> None:
    value = reading(7).to_json()

    item = letter(value, 5, key=b"engine-2")

    assert (item.key, item.value) == (b"engine-2", value)
    assert item.position == f"{TOPIC}-0-5"
    assert item.asset_id == "engine-1"
    assert item.of_asset("engine-1")
    assert item.of_asset("engine-2")
    assert refusal(item, TOPIC) is None


def test_a_cut_letter_is_refused_with_both_sizes() -> None:
    item = letter(b"x" * (MAX_ORIGINAL_BYTES + 1))

    why = refusal(item, TOPIC)

    assert why is not None
    assert "262,144" in why
    assert "262,145" in why


def test_a_letter_of_just_the_kept_size_is_whole() -> None:
    assert refusal(letter(b"x" * MAX_ORIGINAL_BYTES), TOPIC) is None


def test_a_letter_that_is_a_batch_of_records_is_refused() -> None:
    item = letter(b"x")
    item = replace(item, letter=item.letter.model_copy(update={"last_offset": 9}))

    why = refusal(item, TOPIC)

    assert why is not None
    assert "batch of records" in why


def test_a_letter_whose_key_may_be_cut_is_refused() -> None:
    assert refusal(letter(b"x", key=b"k" * 1023), TOPIC) is None
    assert "key is cut" in (refusal(letter(b"x", key=b"k" * 1024), TOPIC) or "")


def test_a_changed_letter_is_refused() -> None:
    item = letter(b"garbage")

    assert "sha256" in str(refusal(replace(item, value=b"garbagf"), TOPIC))


def test_an_empty_message_and_another_topic_are_refused() -> None:
    assert "empty" in str(refusal(letter(None), TOPIC))
    assert "this installation reads other" in str(refusal(letter(b"garbage"), "other"))


def test_another_key_mends_only_a_wrong_key() -> None:
    wrong = letter(reading(1).to_json(), key=None)

    assert rekeyed(wrong).key == b"engine-1"
    assert rekeyed(wrong).value == wrong.value
    with pytest.raises(UserError, match="malformed_json"):
        rekeyed(letter(b"{"))


def test_letters_are_chosen_by_all_filters_together() -> None:
    letters = [
        letter(b"{", 0),
        letter(b"{", 1, key=b"engine-2"),
        letter(reading(1).to_json(), 2, key=b"engine-2"),
    ]
    received = letters[0].letter.received_at
    assert received is not None

    assert select(letters) == letters
    assert select(letters, reason="malformed_json", asset_id="engine-2") == [letters[1]]
    assert select(letters, asset_id="engine-2") == letters[1:]
    assert select(letters, since=received) == letters
    assert select(letters, since=received + timedelta(milliseconds=1)) == []
    assert count_reasons(letters) == {"malformed_json": 2, "key_mismatch": 1}


def test_a_letter_is_found_by_its_whole_name_or_the_end_of_it() -> None:
    letters = [letter(b"{", 3), letter(b"[", 4), letter(b"(", 4)]

    assert by_position(letters, "0-3") is letters[0]
    assert by_position(letters, f"{TOPIC}-0-4") is letters[2]
    with pytest.raises(UserError, match=f"the latest is {TOPIC}-0-4"):
        by_position(letters, "1-3")
    with pytest.raises(UserError, match="none at all"):
        by_position([], "1-3")


@pytest.mark.parametrize(
    ("text", "hours"), [("90m", 1.5), ("2h", 2), ("1d", 24), ("2026-01-02T11:00:00Z", 1)]
)
def test_since_is_an_age_or_a_time(text: str, hours: float) -> None:
    assert parse_since(text, NOW) == NOW - timedelta(hours=hours)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2x", "2026-01-02T11:00:00", "999999999d", "0001-01-01T00:00:00+14:00"],
)
def test_a_since_that_is_neither_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="--since"):
        parse_since(text, NOW)


def test_an_original_is_shown_as_what_it_is() -> None:
    assert decoded_original(b'{"a":1}') == '{\n  "a": 1\n}'
    assert decoded_original("höher".encode()) == "höher"
    assert decoded_original(bytes([0, 255])).startswith("00000000  00 ff ")
    assert len(decoded_original(bytes(range(240, 256)) * 2).splitlines()) == 2


@pytest.mark.parametrize("value", [b"\x1b[2Jgone", b'{"a": "\xc2\x9b2J"}'])
def test_an_original_cannot_command_the_terminal(value: bytes) -> None:
    shown = decoded_original(value)

    assert all(character.isprintable() or character == "\n" for character in shown)
