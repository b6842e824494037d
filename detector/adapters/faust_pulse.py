"""Whether Faust's consumer thread lives, answers, and has a coordinator to talk to.

The thread sends the heartbeats. One that is stuck or dead loses the worker its partitions without
any callback: the group goes on without it, and nobody here is told.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import faust

from common.errors import BackendError
from detector.worker.health import Health

EVERY_S: Final = 0.5
PART: Final = "consumer"
LOOK_EVERY_S: Final = 10.0
"""How often it is looked whether a broker that does not answer refuses us, s."""


@dataclass(slots=True)
class Pulse:
    """When the consumer's thread was last heard of, s on the monotonic clock."""

    heard: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Note that it was heard of. Called in that thread."""
        self.heard = time.monotonic()


async def watch_consumer(
    app: faust.App,
    health: Health,
    session_timeout_s: float,
    refusal: Callable[[], Awaitable[BackendError | None]],
) -> None:
    """Keep ``health`` up to date for ever.

    Args:
        app: The Faust app.
        health: Told how the consumer is.
        session_timeout_s: Silence that counts as trouble, s.
        refusal: Returns why the broker does not let us in, if that is why it does not answer.

    Raises:
        BackendError: If the thread has ended, which Faust does not always notice; or if the broker
            does not let us in, which the driver would try again for ever.
    """
    thread = app.consumer._thread
    pulse = Pulse()
    look_at = time.monotonic() + session_timeout_s
    while True:
        if thread._thread is not None and not thread._thread.is_alive():
            raise BackendError("The consumer's thread has ended without a word.")
        try:
            thread.thread_loop.call_soon_threadsafe(pulse.beat)
        except RuntimeError as exc:  # its loop is closed
            raise BackendError("The consumer's thread has ended its loop.") from exc
        problem = _problem(thread, time.monotonic() - pulse.heard, session_timeout_s)
        if problem is None:
            health.works(PART)
            look_at = time.monotonic() + session_timeout_s
        else:
            health.fails(PART, problem)
            if time.monotonic() > look_at:
                if (refused := await refusal()) is not None:
                    raise refused
                look_at = time.monotonic() + LOOK_EVERY_S
        await asyncio.sleep(EVERY_S)


def _problem(thread: Any, silent_s: float, session_timeout_s: float) -> str | None:
    if silent_s > session_timeout_s:
        return f"its thread has not answered for {silent_s:.0f} s, and sends no heartbeats"
    coordinator = thread._consumer and thread._consumer._coordinator
    if coordinator and coordinator.coordinator_id is None:
        return "the broker does not answer as the group's coordinator"
    return None
