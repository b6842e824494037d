"""Work on one partition keeps its order; work on different ones goes on side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.worker.lanes import Lanes

jobs = st.lists(st.tuples(st.sets(st.integers(0, 4), min_size=1), st.integers(0, 5)), max_size=12)


class Log:
    """Work that takes a number of turns of the loop, and what was seen of it."""

    def __init__(self) -> None:
        self.under_way: dict[int, Collection[int]] = {}
        self.ended: list[int] = []
        self.most = 0

    def work(
        self, number: int, partitions: Collection[int], turns: int
    ) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            for others in self.under_way.values():
                assert not set(partitions) & set(others)
            self.under_way[number] = partitions
            self.most = max(self.most, len(self.under_way))
            try:
                for _ in range(turns):
                    await asyncio.sleep(0)
                self.ended.append(number)
            finally:
                del self.under_way[number]

        return do


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the loop's own turns are what is waited for
            await asyncio.sleep(0)


@settings(max_examples=100, deadline=None)
@given(jobs, st.integers(1, 3))
def test_each_partition_has_its_work_in_order_and_never_more_is_under_way_than_may_be(
    given_jobs: list[tuple[set[int], int]], most: int
) -> None:
    log = Log()

    async def story() -> None:
        async with Lanes(most) as lanes:
            for number, (partitions, turns) in enumerate(given_jobs):
                lanes.add(partitions, log.work(number, partitions, turns))
            await until(lambda: len(log.ended) == len(given_jobs))

    asyncio.run(story())

    for partition in range(5):
        mine = [number for number in log.ended if partition in given_jobs[number][0]]
        assert mine == sorted(mine)
    assert log.most <= most


async def test_work_on_different_partitions_is_under_way_together() -> None:
    log, met = Log(), asyncio.Barrier(2)

    async def meet() -> None:
        async with asyncio.timeout(30):
            await met.wait()

    async with Lanes(2) as lanes:
        lanes.add([0], meet)
        lanes.add([1, 2], meet)
        lanes.add([0, 1], log.work(2, [0, 1], 0))
        await until(lambda: log.ended == [2])


async def test_whoever_leaves_gives_up_what_has_not_ended_and_begins_nothing_more() -> None:
    log, never, begun = Log(), asyncio.Event(), asyncio.Event()
    given_up: list[str] = []

    async def hang() -> None:
        begun.set()
        try:
            await never.wait()
        finally:
            await asyncio.sleep(0)
            given_up.append("after a last turn")

    async with Lanes(2) as lanes:
        lanes.add([0], hang)
        lanes.add([0], log.work(1, [0], 0))
        await begun.wait()

    assert given_up == ["after a last turn"]
    assert log.ended == []
