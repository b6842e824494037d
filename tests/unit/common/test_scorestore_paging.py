"""Cursors: what comes back is what went in, and nothing else is accepted."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.scorestore.paging import (
    MAX_CYCLE,
    MAX_TS_US,
    MIN_TS_US,
    Position,
    check_query,
    decode_cursor,
    encode_cursor,
    epoch_us,
    from_epoch_us,
)
from common.scorestore.port import ScoreQuery

positions = st.builds(
    Position,
    st.integers(MIN_TS_US, MAX_TS_US),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.integers(0, MAX_CYCLE),
)


def in_base64(text: str) -> str:
    raw = text.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def forged(value: object) -> str:
    """Return a value in the very form of our cursors: nothing but the value is wrong."""
    return in_base64(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


GOOD = [1, "a", "b", 1]


def test_a_forged_cursor_with_nothing_wrong_is_one_of_ours() -> None:
    for position in (
        Position(1, "a", "b", 1),
        Position(MIN_TS_US, "ä", "", 0),
        Position(MAX_TS_US, "", "\x00", MAX_CYCLE),
    ):
        assert forged(list(position)) == encode_cursor(position)
        assert decode_cursor(forged(list(position))) == position


@given(positions)
def test_a_cursor_names_its_position_and_is_safe_in_a_url(position: Position) -> None:
    cursor = encode_cursor(position)

    assert decode_cursor(cursor) == position
    assert not set(cursor) - set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(st.text(max_size=40) | st.binary(max_size=40).map(lambda raw: raw.hex()))
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor is not one of ours"):
        decode_cursor(text)


def test_a_cursor_is_taken_up_to_the_longest_that_may_come() -> None:
    longest = encode_cursor(Position(1, "a" * 756, "b", 1))

    assert len(longest) == 1024
    assert decode_cursor(longest).asset_id == "a" * 756


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([1, "a", "b"], id="too-short"),
        pytest.param([1, "a", "b", 1, 1], id="too-long"),
        pytest.param({"a": 1, "b": 2, "c": 3, "d": 4}, id="not-a-list"),
        pytest.param(7, id="a-number"),
        pytest.param([True, "a", "b", 1], id="bool-for-time"),
        pytest.param([1.5, "a", "b", 1], id="fraction-for-time"),
        pytest.param([1, None, "b", 1], id="null-for-asset"),
        pytest.param([1, "a", 5, 1], id="number-for-run"),
        pytest.param([1, "a", "b", "1"], id="text-for-cycle"),
        pytest.param([1, "a", "b", -1], id="negative-cycle"),
        pytest.param([1, "a", "b", 2**63], id="cycle-beyond-sqlite"),
        pytest.param([MAX_TS_US + 1, "a", "b", 1], id="time-beyond-datetime"),
        pytest.param([MIN_TS_US - 1, "a", "b", 1], id="time-before-datetime"),
        pytest.param([1, "\ud800", "b", 1], id="surrogate"),
    ],
)
def test_a_forged_cursor_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="cursor is not one of ours"):
        decode_cursor(forged(value))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("A" * 5000, id="long"),
        pytest.param(forged([1, "a" * 757, "b", 1]), id="longer-than-any-of-ours"),
        pytest.param(in_base64(json.dumps(GOOD)), id="with-spaces"),
        pytest.param(in_base64('[1,"\\u0061","b",1]'), id="escaped"),
        pytest.param(in_base64('[1,"\\ud800","b",1]'), id="escaped-surrogate"),
        pytest.param(in_base64('[1,"a","b",1]\n'), id="with-a-line-break-inside"),
        pytest.param(in_base64('[01,"a","b",1]'), id="leading-zero"),
        pytest.param(in_base64('[1e0,"a","b",1]'), id="exponent"),
        pytest.param(in_base64('[NaN,"a","b",1]'), id="not-a-number"),
        pytest.param(forged(["1", "a", "b", 1]), id="text-for-time"),
        pytest.param("W-" + forged(GOOD)[2:], id="other-first-character"),
        pytest.param(forged(json.loads("[" * 300 + "]" * 300)), id="deep"),
        pytest.param(encode_cursor(Position(1, "a", "b", 1)) + "=", id="padded"),
        pytest.param(encode_cursor(Position(1, "a", "b", 1)) + "\n", id="line-break"),
    ],
)
def test_a_tampered_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor is not one of ours"):
        decode_cursor(text)


@given(st.datetimes(timezones=st.timezones()))
def test_times_survive_to_the_microsecond(moment: object) -> None:
    assert isinstance(moment, datetime)
    try:
        in_utc = moment.astimezone(UTC)
    except OverflowError:
        return
    assert from_epoch_us(epoch_us(moment)) == in_utc


@pytest.mark.parametrize("name", ["since", "until"])
def test_a_time_without_a_zone_is_refused_by_name(name: str) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the point of the test

    with pytest.raises(ValueError, match=f"^{name} is 2026-01-01 00:00:00, without a timezone"):
        check_query(ScoreQuery(since=naive) if name == "since" else ScoreQuery(until=naive))


@pytest.mark.parametrize("limit", [0, 10_001])
def test_a_limit_out_of_bounds_is_refused_with_the_bounds(limit: int) -> None:
    assert check_query(ScoreQuery(limit=1)) == check_query(ScoreQuery(limit=10_000))
    with pytest.raises(ValueError, match=f"^limit is {limit}; expected 1 to 10000"):
        check_query(ScoreQuery(limit=limit))


def test_a_query_is_about_everything_and_its_page_holds_a_thousand_rows() -> None:
    assert ScoreQuery() == ScoreQuery(
        asset_id=None,
        run_id=None,
        since=None,
        until=None,
        status=None,
        min_level=None,
        limit=1000,
        cursor=None,
        newest_first=False,
    )


def test_times_are_counted_from_1970_and_bounds_are_those_of_datetime_and_sqlite() -> None:
    assert epoch_us(datetime(2026, 1, 1, tzinfo=UTC)) == 1_767_225_600_000_000
    assert from_epoch_us(1_767_225_600_000_001) == datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert epoch_us(datetime.min.replace(tzinfo=UTC)) == MIN_TS_US
    assert epoch_us(datetime.max.replace(tzinfo=UTC)) == MAX_TS_US
    assert MAX_CYCLE == 9_223_372_036_854_775_807
