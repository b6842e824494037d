"""Where windows are scored: many in a process of their own, while there are many; few here.

Whatever becomes of that process, the worker still has the windows, and scores them itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from common.logs import get_logger
from detector.adapters.scoring.running import ScoringEndedError, ScoringProcess
from detector.ports import Scoring, ToScore
from detector.worker.heap import give_back, keep_heap_for_much
from models.artifact.opening import recipe_of
from models.scoring.scorer import WindowScores

MANY_WINDOWS: Final = 1024
"""Fewer are scored here: as soon, and a worker that only keeps up, or has a thousand assets in each
batch and waits for its stores, needs no second process."""

IDLE_S: Final = 60.0
"""How long a process is kept that nobody asks."""

REST_S: Final = 30.0
"""How long none is started after one has ended by itself."""

ANSWER_S: Final = 60.0
"""How long an answer may take. The largest of a shipped model takes some seconds, and whoever has
stopped the process, or what it runs on, may never let it go on."""

logger = get_logger(__name__)


class ScoringBeside:
    """Scores with two cores: decoding, alarms and stores need one, the model another.

    An async context manager; the process is started when there is much to score for the first
    time, and what comes until it is ready is scored here.

    Args:
        here: Scores in the worker's own process.
        idle_s: See :data:`IDLE_S`.
    """

    def __init__(self, here: Scoring, idle_s: float = IDLE_S) -> None:
        self._here = here
        self._idle_s = idle_s
        self._running: ScoringProcess | None = None
        self._asked = 0
        self._last_used = self._not_before = 0.0
        self._starting: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Future[None]] = set()

    @property
    def pid(self) -> int | None:
        """The process that scores, if one runs."""
        return None if self._running is None else self._running.pid

    async def __aenter__(self) -> Self:
        """Begin; nothing is started yet."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process, if there is one."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait({self._starting})
        if self._running is not None:
            self._end(self._running)
        if self._ending:
            await asyncio.wait(self._ending)

    async def score(self, work: Sequence[ToScore]) -> Sequence[WindowScores]:
        """See :meth:`detector.ports.Scoring.score`."""
        if not _is_worth_it(work):
            return await self._here.score(work)
        process = self._running
        if process is None:
            self._start(work)
            return await self._here.score(work)
        self._asked += 1
        try:
            async with asyncio.timeout(ANSWER_S):
                return await asyncio.to_thread(process.score, work)
        except ScoringEndedError as exc:
            self._loses(process, str(exc))
        except TimeoutError:
            self._loses(process, f"it has not answered for {ANSWER_S:g} s")
        finally:
            self._asked -= 1
            self._last_used = time.monotonic()
        return await self._here.score(work)

    def _start(self, work: Sequence[ToScore]) -> None:
        if self._starting is None and time.monotonic() >= self._not_before:
            self._starting = asyncio.create_task(self._started(work))
            self._starting.add_done_callback(self._has_started)

    async def _started(self, work: Sequence[ToScore]) -> None:
        try:
            process = await asyncio.to_thread(ScoringProcess)
        except OSError as exc:
            self._rests(f"it cannot be started: {exc}")
            return
        models = {item.scorer: item for item in work}.values()
        nothing = [
            ToScore(item.scorer, item.windows[:0], None if item.trail is None else item.trail[:0])
            for item in models
        ]
        try:
            await asyncio.to_thread(process.score, nothing)  # it loads what it needs
        except ScoringEndedError as exc:
            self._loses(process, str(exc))
        except BaseException:
            self._end(process)
            raise
        else:
            self._running, self._last_used = process, time.monotonic()
            keep_heap_for_much()
            logger.debug("windows are scored in a process of their own", pid=process.pid)
            self._look_after(process)

    def _has_started(self, starting: asyncio.Task[None]) -> None:
        self._starting = None
        if not starting.cancelled() and (problem := starting.exception()) is not None:
            self._rests(f"its models cannot be opened there: {problem!r}")

    def _look_after(self, process: ScoringProcess) -> None:
        """End a process that nobody has asked for a while."""
        if process is not self._running:
            return
        left = self._last_used + self._idle_s - time.monotonic()
        if left > 0 or self._asked:
            asyncio.get_running_loop().call_later(max(left, 1.0), self._look_after, process)
            return
        logger.debug("the scoring process has nothing to do, and ends", pid=process.pid)
        self._end(process)

    def _loses(self, process: ScoringProcess, why: str) -> None:
        if process is self._running or self._running is None:
            self._rests(why)
        self._end(process)

    def _rests(self, why: str) -> None:
        if time.monotonic() >= self._not_before:
            logger.warning("windows are scored in this process: there is no other", why=why)
        self._not_before = time.monotonic() + REST_S

    def _end(self, process: ScoringProcess) -> None:
        if process is self._running:
            self._running = None
            give_back()
        ending = asyncio.ensure_future(asyncio.to_thread(process.end))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


def _is_worth_it(work: Sequence[ToScore]) -> bool:
    """Return whether work is much, and of models that can be opened elsewhere."""
    return sum(len(item.windows) for item in work) >= MANY_WINDOWS and all(
        recipe_of(item.scorer) is not None for item in work
    )
