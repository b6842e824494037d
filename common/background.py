"""Work in the background, for as long as a block lasts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def running(work: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    """Let a coroutine run until the block ends, then cancel it and wait for its end.

    Args:
        work: What runs.
        name: Its task's.

    Raises:
        Exception: At the block's end, whatever ended the work before.
    """
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
