"""One retry loop for every backend: waits longer each time, up to a bound."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from common.clock import Clock
from common.errors import BackendError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between tries.

    Attributes:
        initial_s: First wait, s.
        max_s: Longest wait, s.
        attempts: Most tries; none means until it works.
    """

    initial_s: float = 0.2
    max_s: float = 10.0
    attempts: int | None = None


async def retrying(
    action: Callable[[], Awaitable[T]],
    backoff: Backoff,
    clock: Clock,
    on_failure: Callable[[BackendError, float], None],
) -> T:
    """Await ``action()`` until it succeeds; the action must be idempotent.

    Args:
        action: What to do. Called anew for each try.
        backoff: Waits and limit.
        clock: What waits.
        on_failure: Told each retriable failure and the wait that follows, s.

    Raises:
        BackendError: If it is not retriable, or the tries are used up.
    """
    wait_s = backoff.initial_s
    attempt = 1
    while True:
        try:
            return await action()
        except BackendError as exc:
            if not exc.retriable or attempt == backoff.attempts:
                raise
            on_failure(exc, wait_s)
        await clock.sleep(wait_s)
        wait_s = min(wait_s * 2, backoff.max_s)
        attempt += 1
