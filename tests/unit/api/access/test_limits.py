"""How often something may happen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.access.limits import MOST_BUCKETS, RateLimit
from tests.support.clock import FakeClock


@given(
    st.integers(1, 100),
    st.lists(st.tuples(st.floats(0, 100), st.sampled_from("ab")), max_size=200),
)
def test_never_more_than_a_minute_allows(per_minute: int, asked: list[tuple[float, str]]) -> None:
    clock = FakeClock()
    limit = RateLimit(per_minute, clock.monotonic)
    allowed: dict[str, list[float]] = {"a": [], "b": []}
    for pause, who in asked:
        clock.elapsed_s += pause
        if limit.take(who) == 0:
            allowed[who].append(clock.elapsed_s)

    for times in allowed.values():
        for first, start in enumerate(times):
            taken = sum(time - start < 60 for time in times[first:])
            assert taken <= 2 * per_minute


def test_it_says_when_to_come_again() -> None:
    clock = FakeClock()
    limit = RateLimit(6, clock.monotonic)
    assert [limit.take("a") for _ in range(6)] == [0.0] * 6

    wait_s = limit.take("a")

    assert 9.9 < wait_s <= 10
    clock.elapsed_s += wait_s
    assert limit.take("a") == 0
    assert limit.take("b") == 0


def test_it_remembers_no_more_than_it_says() -> None:
    limit = RateLimit(1, FakeClock().monotonic)
    for number in range(MOST_BUCKETS + 10):
        limit.take(str(number))

    assert len(limit._buckets) == MOST_BUCKETS
