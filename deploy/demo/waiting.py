"""Waits until every reading of a replay has its verdict in the score store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar

from common.clock import Clock
from common.errors import StackError
from common.records.verdicts import Verdict
from common.scorestore.port import ScoreStore
from deploy.demo.replaying import Replay

POLL_S: Final = 0.05
"""Also the error of the moment at which the last verdict was stored."""

STALL_S: Final = 60.0
"""No new reading and no new verdict for this long means that something is broken."""


T = TypeVar("T")


async def every_verdict(
    store: ScoreStore,
    run_id: str,
    replay: Replay,
    on_progress: Callable[[int, int | None, int], None],
    clock: Clock,
    where_to_look: str,
    stall_s: float = STALL_S,
) -> Mapping[Verdict, int]:
    """Return the count of each verdict once all readings sent have one.

    Args:
        store: Where verdicts are kept.
        run_id: Whose verdicts.
        replay: What sends the readings; updated by others.
        on_progress: Told readings sent, readings in all (none if not known yet), verdicts stored.
        clock: What waits.
        where_to_look: Last sentence of the error.
        stall_s: How long nothing may move, s.

    Raises:
        StackError: If nothing moved for that long.
    """
    moved_at, before = clock.monotonic(), (-1, -1)
    while True:
        finished = replay.finished  # asked before counting: what is sent later is not waited for
        counts = await store.verdict_counts(run_id)
        line = replay.line
        now = (line.sent if line else 0, sum(counts.values()))
        on_progress(now[0], line.total if line else None, now[1])
        if finished and now[1] >= now[0]:
            return counts
        if now != before:
            moved_at, before = clock.monotonic(), now
        elif clock.monotonic() - moved_at > stall_s:
            raise StackError(
                f"Nothing moved for {stall_s:g} s: {now[0]} readings sent, {now[1]} verdicts "
                f"stored. {where_to_look}"
            )
        await clock.sleep(POLL_S)


async def unless_failed(work: Coroutine[Any, Any, T], *others: asyncio.Future[Any]) -> T:
    """Return the result of ``work``, unless something it depends on fails first.

    Args:
        work: What to do; cancelled when something else fails.
        others: What it depends on. They may succeed before it.

    Raises:
        BaseException: Whatever ``work`` or one of the others raised.
    """
    working = asyncio.create_task(work)
    pending: set[asyncio.Future[Any]] = {working, *others}
    try:
        while not working.done():
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        return working.result()
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
