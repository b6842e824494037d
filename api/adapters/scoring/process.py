"""Models in a process of their own: started by the first question, ended when nobody asks.

One question at a time is with the process, a few more wait. What takes too long is ended with the
process, and the next question starts another: the event loop never waits for a model, and an api
that is never asked never loads one.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from api.adapters.scoring.asking import EngineScoring, refused
from api.adapters.scoring.frames import lengths, receive_frame
from api.adapters.scoring.messages import Answer, Asked
from common.errors import BackendUnavailableError
from common.logs import get_logger
from common.settings import ApiSettings, without_settings

COMMAND: Final = (sys.executable, "-m", "api.adapters.scoring.worker")
IDLE_S: Final = 600.0
"""Silence after which the process ends and its memory is free, s."""

_log = get_logger(__name__)


class ProcessScoring(EngineScoring):
    """Asks ``python -m api.adapters.scoring.worker``.

    Args:
        settings: How long a question may take, and how many may wait.
        command: What to start; tests give others.
    """

    def __init__(self, settings: ApiSettings, command: tuple[str, ...] = COMMAND) -> None:
        self._timeout_s = settings.scoring_timeout_s
        self._most = 1 + settings.scoring_waiting
        self._command = command
        self._here = 0
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._idle: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """The process; none while there is none."""
        return None if self._process is None else self._process.pid

    async def close(self) -> None:
        """End the process."""
        await self._end()

    async def _ask(self, asked: Asked, bulk: Callable[[], bytes]) -> tuple[Answer, bytes]:
        if self._here >= self._most:
            raise self._busy()
        self._here += 1
        try:
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._turn.acquire()
            except TimeoutError as exc:
                raise self._busy() from exc
            try:
                return await self._exchanged(asked, bulk)
            finally:
                self._turn.release()
        finally:
            self._here -= 1

    def _busy(self) -> Exception:
        return refused(
            "scoring_busy",
            f"{self._here} questions are before this one; at most {self._most} are taken at a "
            "time. Ask again in a moment.",
        )

    async def _exchanged(self, asked: Asked, bulk: Callable[[], bytes]) -> tuple[Answer, bytes]:
        """Send a question and return its answer; without one, the process is ended."""
        if self._idle is not None:
            self._idle.cancel()
        answer: Answer | None = None
        head, numbers = await asyncio.to_thread(lambda: (asked.model_dump_json().encode(), bulk()))
        try:
            async with asyncio.timeout(self._timeout_s):
                told, rows = await self._through(head, numbers)
                answer = await asyncio.to_thread(Answer.model_validate_json, told)
        except TimeoutError as exc:
            raise refused(
                "scoring_too_slow",
                f"It took longer than {self._timeout_s:g} s and was given up. Ask for less at a "
                "time.",
            ) from exc
        except (asyncio.IncompleteReadError, OSError, ValueError) as exc:
            _log.error("the scoring process ended without an answer", kind=asked.kind, why=str(exc))
            raise refused(
                "scoring_failed", "The scoring process ended without an answer. Ask again."
            ) from exc
        finally:
            if answer is None:  # what comes next through this pipe would be another's answer
                await self._end()
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(IDLE_S, self._kill)
        return answer, rows

    async def _through(self, head: bytes, bulk: bytes) -> tuple[bytes, bytes]:
        process = await self._running()
        assert process.stdin is not None  # noqa: S101 - started with pipes
        assert process.stdout is not None  # noqa: S101
        process.stdin.writelines((lengths(head, bulk), head, bulk))
        await process.stdin.drain()
        return await receive_frame(process.stdout)

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    env=without_settings(os.environ),
                    start_new_session=True,  # Ctrl-C reaches us; the process ends with its input
                )
            except OSError as exc:
                raise BackendUnavailableError(
                    f"The scoring process could not be started: {exc}"
                ) from exc
        return self._process

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def _end(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
