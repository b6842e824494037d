"""One rule for a series of timestamps: what it lets through, every message may have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.records.times import EARLIEST, LATEST, require_wire_times

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("first", "interval", "count"),
    [
        pytest.param(EARLIEST, SECOND, 500, id="the earliest"),
        pytest.param(LATEST - SECOND, SECOND, 1, id="the latest"),
        pytest.param(LATEST - 10 * SECOND, SECOND, 10, id="up to the end"),
        pytest.param(EARLIEST.astimezone(timezone(timedelta(hours=14))), SECOND, 1, id="a zone"),
    ],
)
def test_what_a_message_may_have_is_let_through(
    first: datetime, interval: timedelta, count: int
) -> None:
    require_wire_times(first, interval, count)


@pytest.mark.parametrize(
    ("first", "interval", "count", "words"),
    [
        pytest.param(datetime(1960, 1, 1, tzinfo=UTC), SECOND, 1, "from 1970 to 2262", id="1960"),
        pytest.param(EARLIEST - timedelta(microseconds=1), SECOND, 1, "from 1970", id="before"),
        pytest.param(LATEST, SECOND, 1, "from 1970", id="after"),
        pytest.param(datetime(2026, 1, 1), SECOND, 1, "with its zone", id="no zone"),  # noqa: DTZ001 - that is the point
        pytest.param(EARLIEST, timedelta(0), 1, "above 0", id="no interval"),
        pytest.param(EARLIEST, -SECOND, 1, "above 0", id="backwards"),
        pytest.param(LATEST - 10 * SECOND, SECOND, 11, "at most 10 cycles", id="beyond the end"),
        pytest.param(EARLIEST, timedelta.max, 2, "run past the year 2262", id="for ever"),
        pytest.param(EARLIEST, SECOND, 10**30, "run past the year 2262", id="without end"),
    ],
)
def test_what_no_message_may_have_is_refused_in_a_sentence(
    first: datetime, interval: timedelta, count: int, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        require_wire_times(first, interval, count)


@given(
    st.datetimes(timezones=st.timezones()),
    st.timedeltas(),
    st.integers(1, 10**12),
)
def test_any_series_is_refused_or_within_bounds(
    first: datetime, interval: timedelta, count: int
) -> None:
    try:
        require_wire_times(first, interval, count)
    except ValueError:
        return
    assert first >= EARLIEST
    assert first.astimezone(UTC) + (count - 1) * interval < LATEST
