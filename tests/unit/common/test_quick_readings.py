"""Plain readings are read as their definition reads them; others are left to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.records.quick_readings import read_plain
from common.records.readings import IncomingReading, SensorReading
from common.records.times import EARLIEST, LATEST
from tests.support.odd_readings import FIELDS, SOUND, broken_messages, message, odd_messages

MICROSECOND: Final = timedelta(microseconds=1)


def assert_read_as_defined(value: bytes) -> None:
    quick = read_plain(value)
    if quick is not None:
        defined = IncomingReading.model_validate_json(value)
        for name in FIELDS:
            assert repr(getattr(quick, name)) == repr(getattr(defined, name)), name


@settings(max_examples=600)
@given(st.one_of(odd_messages(), broken_messages()))
@example(message(SOUND | {"cycle": "1.0"}))
@example(message(SOUND | {"schema_version": "2.0"}))
@example(message(SOUND | {"sensors": '{"T24": 1, "T24": 2}'}))
def test_what_is_read_is_read_as_the_definition_reads_it(value: bytes) -> None:
    assert_read_as_defined(value)


@given(
    st.builds(
        SensorReading,
        fleet=st.sampled_from(["default", "pumps"]),
        asset_id=st.from_regex(r"[A-Za-z0-9._:\-]{1,10}", fullmatch=True).map("a".__add__),
        run_id=st.just("run-1"),
        cycle=st.integers(1, 2**53 - 1),
        ts=st.integers(0, (LATEST - EARLIEST) // MICROSECOND - 1).map(
            lambda microseconds: EARLIEST + microseconds * MICROSECOND
        ),
        settings=st.dictionaries(st.sampled_from(["mach", "tra"]), st.floats(-1e9, 1e9)),
        sensors=st.dictionaries(st.sampled_from(["T24", "T30"]), st.floats(-1e9, 1e9)),
    )
)
def test_what_a_producer_sends_is_plain(reading: SensorReading) -> None:
    value = reading.to_json()

    assert read_plain(value) is not None
    assert_read_as_defined(value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        message(SOUND | {"note": "1"}),
        message(SOUND | {"sensors": '{"T24": null}'}),
        message(SOUND | {"sensors": '{"T24": NaN}'}),
        message(SOUND | {"asset_id": '"a\\u0041"'}),
        message(SOUND | {"sensors": '{"T\u00fc": 1.0}'}),
        b"[" * 100_000,
    ],
)
def test_what_is_not_plain_is_left_to_the_definition(value: bytes) -> None:
    assert read_plain(value) is None


def test_the_first_and_the_last_time_are_those_of_the_definition() -> None:
    for at in (EARLIEST, LATEST - timedelta(microseconds=1)):
        assert_read_as_defined(message(SOUND | {"ts": f'"{at.isoformat()}"'}))
        assert read_plain(message(SOUND | {"ts": f'"{at.isoformat()}"'})) is not None
    assert read_plain(message(SOUND | {"ts": f'"{LATEST.isoformat()}"'})) is None
