"""Two steps of one batch at once, which fail as one step would."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

First = TypeVar("First")
Second = TypeVar("Second")


async def together(
    first: Coroutine[Any, Any, First], second: Coroutine[Any, Any, Second]
) -> tuple[First, Second]:
    """Return what both return; whoever gives up, or fails, leaves nothing under way.

    Raises:
        Exception: What the first of them to fail raised, as it raised it.
    """
    tasks = asyncio.create_task(first), asyncio.create_task(second)
    try:
        one, other = await asyncio.gather(*tasks)
        return one, other
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
