"""Whether a stream may go on: the key that opened it is asked for again while it is open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from common.clock import Clock
from common.errors import RequestRefusedError

CHECK_S: Final = 10.0
"""A key is looked up this often at most. A stream that waits wakes every ``LOOK_AGAIN_S``, 15 s; so
a stream whose key is revoked, or whose session has ended, ends within 25 s."""

Check: TypeAlias = Callable[[], Awaitable[None]]
"""Returns while a stream may go on.

Raises:
    RequestRefusedError: 401, once it may not.
    BackendError: If the store of keys does not answer.
"""


async def anybody() -> None:
    """Let a stream go on: no keys are in use."""


def while_valid(is_valid: Callable[[], Awaitable[bool]], clock: Clock) -> Check:
    """Return the check of one open stream.

    Args:
        is_valid: Looks its key and session up.
        clock: The time.
    """
    asked_s = clock.monotonic()

    async def check() -> None:
        nonlocal asked_s
        now_s = clock.monotonic()
        if now_s - asked_s < CHECK_S:
            return
        asked_s = now_s
        if not await is_valid():
            raise RequestRefusedError(401, "unauthorized", "The key of this stream has ended.")

    return check
