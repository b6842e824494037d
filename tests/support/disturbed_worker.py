"""``python -m tests.support.disturbed_worker DISTURBANCE ...``: a worker in which something fails.

The disturbances are put in from outside, before the worker's own command runs; production code has
no switch for them.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance

from detector import app
from detector.adapters.faust_chunks import ChunkConsumerThread
from detector.adapters.redis_state_store import RedisStateStore
from detector.adapters.scoring import beside
from detector.core.reading.source import SourceBatch
from detector.delivery.service import DetectorService
from detector.worker import ending

FOR_EVER_S = 3600.0
STALL_S = 8.0


def processing_raises() -> None:
    """The third batch raises what nobody expected."""
    real, seen = DetectorService.process, []

    async def process(self: DetectorService, source: SourceBatch) -> None:
        seen.append(source)
        if len(seen) == 3:
            raise RuntimeError("no such luck")
        await real(self, source)

    DetectorService.process = process  # type: ignore[method-assign]


def processing_blocks() -> None:
    """The third batch never gives the event loop back."""
    real, seen = DetectorService.process, []

    async def process(self: DetectorService, source: SourceBatch) -> None:
        seen.append(source)
        if len(seen) == 3:
            sys.stderr.write("the loop is blocked\n")
            time.sleep(FOR_EVER_S)  # noqa: ASYNC251 - that is the disturbance
        await real(self, source)

    DetectorService.process = process  # type: ignore[method-assign]


def closing_hangs() -> None:
    """An adapter never closes."""

    async def leave(self: RedisStateStore, *_: object) -> None:
        await asyncio.Event().wait()

    RedisStateStore.__aexit__ = leave  # type: ignore[method-assign, assignment]


def a_thread_hangs() -> None:
    """A thread of the default executor never ends, so ``asyncio.run`` does not either."""
    real = RedisStateStore.__aenter__

    async def enter(self: RedisStateStore) -> RedisStateStore:
        asyncio.get_running_loop().run_in_executor(None, time.sleep, FOR_EVER_S)
        return await real(self)

    RedisStateStore.__aenter__ = enter  # type: ignore[method-assign, assignment]


def leaving_hangs() -> None:
    """The consumer's thread never comes to its end, and so never leaves the group."""

    async def stay(self: ChunkConsumerThread) -> None:
        await asyncio.sleep(FOR_EVER_S)

    ChunkConsumerThread.on_thread_stop = stay


def consumer_thread_dies() -> None:
    """Faust's consumer thread fails by itself once it has fetched three times."""
    real = ChunkConsumerThread.getmany
    seen: list[object] = []

    async def getmany(self: ChunkConsumerThread, *args: Any, **kwargs: Any) -> Any:
        found = await real(self, *args, **kwargs)
        seen.extend(found)
        if len(seen) >= 3:
            raise RuntimeError("the fetcher has had enough")
        return found

    ChunkConsumerThread.getmany = getmany


def consumer_thread_stalls() -> None:
    """Faust's consumer thread stands still for a while when it has fetched something."""
    real = ChunkConsumerThread._fetch_records
    seen: list[object] = []

    async def _fetch_records(self: ChunkConsumerThread, *args: Any, **kwargs: Any) -> Any:
        found = await real(self, *args, **kwargs)
        if found and not seen:
            seen.extend(found)
            time.sleep(STALL_S)  # noqa: ASYNC251 - that is the disturbance
        return found

    ChunkConsumerThread._fetch_records = _fetch_records  # type: ignore[method-assign]


def joining_hangs() -> None:
    """It joins the group and never takes the last step, so that nobody gets partitions."""

    async def never(*_: object) -> None:
        sys.stderr.write("it has joined, and goes no further\n")
        await asyncio.Event().wait()

    CoordinatorGroupRebalance._on_join_leader = never
    CoordinatorGroupRebalance._on_join_follower = never


def starting_fails() -> None:
    """The state store cannot be opened, for a reason nobody expected; a plain thread lives on."""

    async def enter(self: RedisStateStore) -> RedisStateStore:
        threading.Thread(target=time.sleep, args=(FOR_EVER_S,)).start()
        raise RuntimeError("no states today")

    RedisStateStore.__aenter__ = enter  # type: ignore[method-assign, assignment]


def all_is_scored_beside() -> None:
    """However few windows and processors there are, scores come from a process of their own."""
    beside.MANY_WINDOWS = 1  # type: ignore[misc]
    app.CORES_FOR_TWO = 0  # type: ignore[misc]


DISTURBANCES: dict[str, Callable[[], None]] = {
    made.__name__: made
    for made in (
        processing_raises,
        processing_blocks,
        closing_hangs,
        a_thread_hangs,
        leaving_hangs,
        consumer_thread_dies,
        consumer_thread_stalls,
        joining_hangs,
        starting_fails,
        all_is_scored_beside,
    )
}

if __name__ == "__main__":
    from detector.cli import app as commands

    ending.LEAVE_S = 3.0  # tests wait for the deadline, so it is a near one
    for name in sys.argv[1:]:
        DISTURBANCES[name]()
    sys.argv[1:] = []
    commands()
