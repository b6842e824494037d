"""Values of somebody else's JSON: numbers, times, counts, names."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from common.readers.table_file import read_table
from common.readers.times import read_clock
from common.records.times import EARLIEST
from producer.ingest import values

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOON_S = int(NOON.timestamp())


@pytest.mark.parametrize(
    ("value", "number"),
    [
        pytest.param(3, 3.0, id="whole"),
        pytest.param(3.5, 3.5, id="with a fraction"),
        pytest.param(True, 1.0, id="true"),
        pytest.param(" -4.5e1 ", -45.0, id="text"),
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="empty text"),
        pytest.param("NaN", None, id="text of no number"),
        pytest.param(math.nan, None, id="not a number"),
        pytest.param(math.inf, None, id="infinite"),
    ],
)
def test_a_number_is_taken_and_nothing_measured_is_null(
    value: object, number: float | None
) -> None:
    assert values.number(value) == number


@pytest.mark.parametrize("value", ["4,5", "4.5 bar", "0x10", "١٢", {}, [], [4.5], "9" * 2000])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a number was expected"):
        values.number(value)


def test_factor_then_offset() -> None:
    assert values.number(100, factor=1.8, offset=32.0) == pytest.approx(212.0)


@pytest.mark.parametrize("value", [1e308, 10**400, "1e400"])
def test_what_becomes_infinite_is_refused(value: object) -> None:
    with pytest.raises(values.OverflowedError, match="beyond all numbers"):
        values.number(value, factor=1e10)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        ("2026-01-31T12:00:00Z", "auto"),
        ("2026-01-31 12:00", "iso"),
        ("2026-01-31T13:00:00.000+01:00", "iso"),
        ("2026-01-31T06:30:00-0530", "auto"),
        (NOON_S, "auto"),
        (float(NOON_S), "s"),
        (str(NOON_S), "s"),
        (NOON_S * 1000, "auto"),
        (NOON_S * 1000, "ms"),
        (NOON_S * 1_000_000, "us"),
        (NOON_S * 1_000_000_000 + 499, "auto"),
    ],
)
def test_a_time_in_any_of_its_forms(value: object, form: values.TimeFormat) -> None:
    assert values.moment(value, form) == NOON


def test_a_time_keeps_its_microseconds() -> None:
    expected = NOON + timedelta(microseconds=123_456)

    assert values.moment("2026-01-31T12:00:00.123456789Z") == expected
    assert values.moment(NOON_S * 1_000_000 + 123_456) == expected


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (None, "auto"), (True, "auto"), ({}, "auto"), ("soon", "auto"), ("", "auto"), (17, "auto"),
        ("2026-02-30T00:00:00Z", "auto"), ("2026-01-31T25:00:00Z", "iso"), (NOON_S, "iso"),
        ("2026-01-31T12:00:00Z", "ms"), (-1, "s"), (10**400, "us"), (math.nan, "s"),
        (math.inf, "auto"), ("9999-12-31", "iso"), ("0001-01-01T00:00:00+14:00", "iso"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_refused(value: object, form: values.TimeFormat) -> None:
    with pytest.raises(ValueError, match="from 1970 to 2261"):
        values.moment(value, form)


def test_a_message_and_a_file_read_the_same_time_alike(tmp_path: Path) -> None:
    """Else a reading sent live would have another tick than the one a model was trained on."""
    texts = ["2026-01-31T12:00:00.1234567+01:00", "2026-01-31 12:00Z", "2026-01-31T12:00:00,5-05"]
    path = tmp_path / "times.csv"
    path.write_text("t;x\n" + "".join(f"{text};1\n" for text in texts), encoding="utf-8")

    clock = read_clock(read_table(path), "t")

    ours = [(values.moment(text) - EARLIEST) // timedelta(microseconds=1) for text in texts]
    assert clock.us.tolist() == ours


@pytest.mark.parametrize("value", [1, 12.0, "12", 2**53 - 1])
def test_a_count(value: object) -> None:
    assert values.count(value) == int(value)  # type: ignore[call-overload]


@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "x", "1.0", 2**53, math.nan, "²"])
def test_what_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a whole number from 1"):
        values.count(value)


@pytest.mark.parametrize("value", [None, "", " ", "###", {}, True, 1.5, 10**4000, "a" * 2000])
def test_what_cannot_name_an_asset_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a name with letters or digits"):
        values.called(value)


def test_a_run_is_not_renamed() -> None:
    assert values.run_name("overhaul-3") == "overhaul-3"
    with pytest.raises(ValueError, match="letters, digits"):
        values.run_name("after overhaul")
