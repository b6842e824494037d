"""What is said of a group, from what a broker says of it now and then."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from hypothesis import given
from hypothesis import strategies as st

from api.adapters.kafka.group_probe import owned_partitions
from api.progress import STANDS_STILL_S, GroupProgress, GroupView, Reach

LATER_S = STANDS_STILL_S + 1


def view(
    reaches: Mapping[int, tuple[int, int]],
    *,
    state: str = "Stable",
    members: int = 2,
    owned: frozenset[int] | None = None,
) -> GroupView:
    return GroupView(
        state, members, owned, {number: Reach(*reach) for number, reach in reaches.items()}
    )


def test_a_group_that_has_read_everything_is_well_however_long_nothing_comes() -> None:
    progress = GroupProgress()

    assert [progress.problem(view({0: (7, 7)}), now) for now in (0.0, 60.0, 3600.0)] == [None] * 3


def test_a_partition_that_waits_too_long_stands_still_and_the_clock_begins_when_readings_wait() -> (
    None
):
    progress = GroupProgress()
    assert progress.problem(view({3: (120, 120), 4: (5, 5)}), 0.0) is None
    assert progress.problem(view({3: (120, 165), 4: (5, 9)}), 100.0) is None

    assert progress.problem(view({3: (120, 165), 4: (9, 9)}), 100.0 + LATER_S) == (
        f"partition 3 stands still at offset 120, 45 behind, for {LATER_S:.0f} s"
    )
    assert progress.problem(view({3: (121, 165), 4: (9, 9)}), 200.0) is None


@pytest.mark.parametrize("state", ["Empty", "Dead"])
def test_a_group_without_workers_says_so_and_how_much_waits(state: str) -> None:
    found = GroupProgress().problem(view({0: (7, 10), 1: (0, 2)}, state=state, members=0), 0.0)

    assert found == "no worker is in the group, and 5 readings wait"


def test_a_rebalance_says_how_long_it_has_gone_on_and_a_new_one_begins_anew() -> None:
    progress = GroupProgress()
    unsettled = view({}, state="PreparingRebalance")

    assert "for 0 s" in (progress.problem(unsettled, 10.0) or "")
    assert "for 42 s (state PreparingRebalance)" in (progress.problem(unsettled, 52.0) or "")
    assert progress.problem(view({}), 53.0) is None
    assert "for 0 s" in (progress.problem(unsettled, 60.0) or "")


def test_a_partition_that_is_nobodys_is_named_where_the_broker_tells() -> None:
    reaches = {number: (0, 0) for number in range(8)}

    assert GroupProgress().problem(view(reaches, owned=frozenset(range(8))), 0.0) is None
    assert GroupProgress().problem(view(reaches, owned=frozenset({0, 1})), 0.0) == (
        "no worker reads partition 2; 3; 4; and 3 more"
    )


def test_ownership_is_read_from_what_kafka_says_and_unknown_where_a_broker_says_nothing() -> None:
    def assigned(topic: str, *partitions: int) -> bytes:
        encoded: bytes = ConsumerProtocolMemberAssignment(
            0, [(topic, list(partitions))], b""
        ).encode()
        return encoded

    both = [assigned("readings", 0, 2), assigned("readings", 1)]

    assert owned_partitions(both, "readings") == frozenset({0, 1, 2})
    assert owned_partitions([*both, assigned("other", 3)], "readings") == frozenset({0, 1, 2})
    assert owned_partitions([both[0], b""], "readings") is None
    assert owned_partitions([], "readings") == frozenset()


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3), st.integers(0, 5)), max_size=30))
def test_a_partition_that_commits_in_time_never_stands_still(
    steps: list[tuple[int, int, int]],
) -> None:
    progress, now, committed, end = GroupProgress(), 0.0, 0, 0
    moved_at = 0.0
    for wait, commits, arrives in steps:
        now += wait
        waited = end > committed
        end += arrives
        moved = min(commits, end - committed)
        committed += moved
        if moved or not waited:
            moved_at = now
        found = progress.problem(view({0: (committed, end)}), now)
        if end == committed or now - moved_at < STANDS_STILL_S:
            assert found is None
