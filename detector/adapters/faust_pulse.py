"""Whether Faust's consumer thread lives, answers, and has a coordinator to talk to.

The thread sends the heartbeats. One that is stuck or dead loses the worker its partitions without
any callback: the group goes on without it, and nobody here is told.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

import faust

from common.errors import BackendError
from detector.worker.health import Health

EVERY_S: Final = 0.5
PART: Final = "consumer"


@dataclass(slots=True)
class Pulse:
    """When the consumer's thread was last heard of, s on the monotonic clock."""

    heard: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Note that it was heard of. Called in that thread."""
        self.heard = time.monotonic()


async def watch_consumer(app: faust.App, health: Health, session_timeout_s: float) -> None:
    """Keep ``health`` up to date for ever.

    Raises:
        BackendError: If the thread has ended. Faust does not always notice.
    """
    thread = app.consumer._thread
    pulse = Pulse()
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
        else:
            health.fails(PART, problem)
        await asyncio.sleep(EVERY_S)


def _problem(thread: Any, silent_s: float, session_timeout_s: float) -> str | None:
    if silent_s > session_timeout_s:
        return f"its thread has not answered for {silent_s:.0f} s, and sends no heartbeats"
    coordinator = thread._consumer and thread._consumer._coordinator
    if coordinator and coordinator.coordinator_id is None:
        return "the broker does not answer as the group's coordinator"
    return None
