"""When a receiver is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.notifications.retries import MOST_RETRY_AFTER, retry_after, wait_after

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.integers(1, 10_000), st.floats(0.001, 3600), st.floats(0, 0.999))
def test_waits_grow_within_bounds(attempts: int, initial_s: float, chance: float) -> None:
    longest_s = initial_s * 100

    wait_s = wait_after(attempts, initial_s, longest_s, chance).total_seconds()
    later_s = wait_after(attempts + 1, initial_s, longest_s, chance).total_seconds()

    assert initial_s / 2 - 1e-5 <= wait_s <= later_s <= longest_s


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(None, None, id="none"),
        pytest.param("17", timedelta(seconds=17), id="seconds"),
        pytest.param("Thu, 01 Jan 2026 00:00:30 GMT", timedelta(seconds=30), id="date"),
        pytest.param("Thu, 01 Jan 2026 00:00:30 -0000", timedelta(seconds=30), id="no zone"),
        pytest.param("Thu, 01 Jan 2015 00:00:00 GMT", timedelta(0), id="past"),
        pytest.param("9" * 50, MOST_RETRY_AFTER, id="for ever"),
        pytest.param("-5", None, id="negative"),
        pytest.param("soon", None, id="words"),
        pytest.param("x" * 5000, None, id="long"),
    ],
)
def test_retry_after(header: str | None, expected: timedelta | None) -> None:
    assert retry_after(header, NOW) == expected


@given(st.text())
def test_whatever_a_receiver_says_the_wait_is_bounded(header: str) -> None:
    wait = retry_after(header, NOW)

    assert wait is None or timedelta(0) <= wait <= MOST_RETRY_AFTER
