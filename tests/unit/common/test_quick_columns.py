"""Many plain messages at once are read as one alone is."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from common.records.quick_columns import MOST_DIGITS, NO_TIME, shallow_ones, times_us
from common.records.times import EARLIEST, LATEST, UtcTimestamp
from tests.support.odd_readings import SOUND, message, times

MICROSECOND: Final = timedelta(microseconds=1)
LAST_US: Final = (LATEST - EARLIEST) // MICROSECOND - 1


class Stamped(BaseModel):
    ts: UtcTimestamp


usual = st.integers(0, LAST_US).map(
    lambda us: (EARLIEST + us * MICROSECOND).isoformat().replace("+00:00", "Z")
)
odd = times.map(lambda text: text.strip('"'))


@given(st.one_of(st.lists(usual, max_size=5), st.lists(st.one_of(usual, odd), max_size=5)))
@example(["1970-01-01T00:00:00Z", "2261-12-31T23:59:59.999999Z"])
@example(["2262-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "0000-01-01T00:00:00Z"])
@example(["2025-02-29T00:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T24:00:00Z"])
def test_times_are_those_of_the_definition(texts: list[str]) -> None:
    for text, found in zip(texts, times_us(texts).tolist(), strict=True):
        if found == NO_TIME:
            continue
        assert found == (Stamped(ts=text).ts - EARLIEST) // MICROSECOND


@given(st.lists(usual, max_size=5))
def test_usual_times_are_plain(texts: list[str]) -> None:
    assert NO_TIME not in times_us(texts).tolist()


@pytest.mark.parametrize("text", ["2262-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "today"])
def test_what_is_no_time_is_none_beside_others(text: str) -> None:
    sound = "1970-01-01T00:00:01.5Z"
    assert times_us([sound, text, sound]).tolist() == [1_500_000, NO_TIME, 1_500_000]
    with pytest.raises(ValidationError):
        Stamped(ts=text)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        message(SOUND | {"note": "[1]"}),
        message(SOUND | {"note": "{}"}),
        message(SOUND | {"note": '"ä"'}),
        message(SOUND | {"note": '"\\\\n"'}),
        message(SOUND | {"note": '"' + "x" * 70_000 + '"'}),
    ],
)
def test_what_is_not_shallow_is_left_out_and_harms_nobody(value: bytes | None) -> None:
    sound = message(SOUND)
    assert list(shallow_ones([sound, value, sound], 65_536)) == [(0, sound), (2, sound)]


@given(
    before=st.integers(0, 3 * MOST_DIGITS),
    behind=st.integers(0, 3 * MOST_DIGITS),
    digits=st.integers(MOST_DIGITS, 2 * MOST_DIGITS),
)
def test_a_number_that_is_too_long_is_found_wherever_it_stands(
    before: int, behind: int, digits: int
) -> None:
    note = '"' + "x" * before + '", "n": ' + "1" * digits + ', "m": "' + "x" * behind + '"'

    assert not list(shallow_ones([message(SOUND | {"note": note})], 10**6))


def test_a_long_message_of_ordinary_numbers_is_shallow() -> None:
    values = ", ".join(f'"sensor {number}": {number}.{number}' for number in range(5_000))
    long = message(SOUND | {"sensors": f"{{{values}}}"})

    assert list(shallow_ones([long], 10**6)) == [(0, long)]
