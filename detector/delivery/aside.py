"""Work for the processor, where it keeps nobody waiting: much of it in a thread, a little at once.

A thread is worth its two ways if the loop has others to serve meanwhile. They cost as much as a
millisecond of work, and more on a busy machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")


async def aside(work: Callable[[Given], Found], given: Given, *, is_small: bool) -> Found:
    """Return what ``work`` makes of ``given``.

    Args:
        work: Touches nothing that the loop works with meanwhile.
        given: Its argument.
        is_small: Whether it is done before anybody else is served.
    """
    if is_small:
        return work(given)
    return await asyncio.to_thread(work, given)
