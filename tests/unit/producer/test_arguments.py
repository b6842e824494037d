"""What users type for a replay: understood, or refused in one line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.cmapss.engines import format_engines, parse_engines
from common.errors import UserError
from common.records.ids import ID_PATTERN
from producer.arguments import (
    format_duration,
    parse_duration,
    parse_speed,
    parse_start,
    resolve_run_id,
)
from producer.pacing import Pace

NOW = datetime(2026, 7, 1, 12, 30, 15, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("all", (1, 2, 3, 4, 5, 6, 7, 8)),
        (" ALL ", (1, 2, 3, 4, 5, 6, 7, 8)),
        ("3", (3,)),
        ("2-4", (2, 3, 4)),
        ("5,1,7", (1, 5, 7)),
        ("1-3, 2-4,8", (1, 2, 3, 4, 8)),
        ("8-8", (8,)),
    ],
)
def test_engines_are_understood(text: str, units: tuple[int, ...]) -> None:
    assert parse_engines(text, available=8) == units


@pytest.mark.parametrize(
    "text", ["", "0", "9", "1-9", "4-2", "a", "1,,2", "-1", "1-", "1.5", "1-2-3", "٣", "9" * 30]
)
def test_engines_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"^Engines '.*' came; expected [^\n]+$"):
        parse_engines(text, available=8)


@given(st.sets(st.integers(1, 300), min_size=1))
def test_engines_written_are_the_engines_read(units: set[int]) -> None:
    ascending = tuple(sorted(units))

    assert parse_engines(format_engines(ascending), available=300) == ascending


@given(st.text(max_size=12))
def test_any_text_is_engines_or_a_users_mistake(text: str) -> None:
    try:
        units = parse_engines(text, available=50)
    except UserError:
        return
    assert units == tuple(sorted(set(units)))
    assert units[0] >= 1
    assert units[-1] <= 50


@pytest.mark.parametrize(
    ("text", "factor"),
    [("60x", 60.0), ("0.5X", 0.5), ("60", 60.0), ("max", None), (" Max ", None), ("1e3x", 1000.0)],
)
def test_speeds_are_understood(text: str, factor: float | None) -> None:
    assert parse_speed(text) == Pace(factor)


@pytest.mark.parametrize("text", ["0x", "-1x", "fast", "", "x", "inf", "nan", "1e7x", "60xx"])
def test_speeds_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"^Speed '.*' came; expected `max`"):
        parse_speed(text)


@pytest.mark.parametrize("factor", [60.0, 0.25, 1e6, None])
def test_a_pace_written_is_the_pace_read(factor: float | None) -> None:
    assert parse_speed(str(Pace(factor))) == Pace(factor)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T02:00:00+02:00", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01 00:00:00.5Z", datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)),
        ("now", NOW.replace(microsecond=0)),
    ],
)
def test_starts_are_understood_as_utc(text: str, moment: datetime) -> None:
    start = parse_start(text, NOW)

    assert start == moment
    assert start.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["2026-01-01T00:00:00", "2026-01-01", "yesterday", "", "0001-01-01T00:00:00+14:00", "20"],
)
def test_starts_without_zone_or_sense_are_refused(text: str) -> None:
    with pytest.raises(
        UserError, match=r"^Start '.*' came; expected a date and time with its zone"
    ):
        parse_start(text, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("250ms", 0.25),
        ("1.5m", 90),
        ("2min", 120),
        ("1h", 3600),
        ("1d", 86400),
        ("1us", 1e-6),
    ],
)
def test_intervals_are_understood(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["0s", "-1s", "1", "s", "1y", "", "1e3s", "0.1us", "400d", "1 fortnight"]
)
def test_intervals_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(
        UserError, match=r"^Cycle interval '.*' came; expected a number with a unit"
    ):
        parse_duration(text)


@given(st.timedeltas(timedelta(microseconds=1), timedelta(days=300)))
def test_an_interval_written_is_the_interval_read(span: timedelta) -> None:
    assert parse_duration(format_duration(span)) == span


def test_a_new_run_gets_a_name_from_the_time_to_the_millisecond() -> None:
    later = NOW + timedelta(milliseconds=1)

    first = resolve_run_id(None, "FD001", "test", simulated=False, now=NOW)
    second = resolve_run_id(None, "FD001", "test", simulated=False, now=later)

    assert first == "FD001-test-20260701T123015250Z"
    assert second != first
    assert re.fullmatch(ID_PATTERN, first)


@pytest.mark.parametrize("given_id", [None, "mine", "simulated-mine"])
def test_a_simulated_run_always_says_so_and_saying_it_twice_changes_nothing(
    given_id: str | None,
) -> None:
    run_id = resolve_run_id(given_id, "SIM", "test", simulated=True, now=NOW)

    assert run_id.startswith("simulated-")
    assert resolve_run_id(run_id, "SIM", "test", simulated=True, now=NOW) == run_id


@pytest.mark.parametrize("given_id", ["simulated-mine", "a b", "", "é", "-a", "a/b", "x" * 129])
def test_run_ids_that_may_not_be_are_refused(given_id: str) -> None:
    with pytest.raises(UserError, match=r"^Run id '.*' came"):
        resolve_run_id(given_id, "FD001", "test", simulated=False, now=NOW)
