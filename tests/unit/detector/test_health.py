"""What a worker says of itself while it joins, owns, loses and ends."""

from __future__ import annotations

from detector.worker.health import Health


class Clock:
    """Says what it is told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_worker_is_well_only_while_it_owns_its_partitions() -> None:
    clock = Clock()
    health = Health(now=clock)

    health.rebalances()
    clock.now_s += 42
    assert health.report() == {"group": "a rebalance has gone on for 42 s"}
    assert health.partitions is None

    health.owns([3, 1])
    assert health.report() == {}
    assert health.partitions == (1, 3)

    health.rebalances()
    assert health.report() == {"group": "a rebalance has gone on for 0 s"}
    assert health.partitions is None


def test_a_rebalance_that_is_begun_again_and_again_has_gone_on_since_the_first() -> None:
    clock = Clock()
    health = Health(now=clock)

    for _ in range(5):
        health.rebalances()
        clock.now_s += 10

    assert health.report() == {"group": "a rebalance has gone on for 50 s"}


def test_a_worker_that_owns_nothing_is_well_and_stands_by() -> None:
    health = Health()
    health.rebalances()

    health.owns([])

    assert health.report() == {}
    assert health.partitions == ()


def test_what_else_is_wrong_stays_wrong_while_partitions_come_and_go() -> None:
    health = Health()
    health.fails("write_scores", "the disk is full")

    health.rebalances()
    health.owns([0])

    assert health.report() == {"write_scores": "the disk is full"}
    assert health.works("write_scores")
    assert not health.works("write_scores")
