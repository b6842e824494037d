"""One child process: started in a session of its own, ended with all it started itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from common.files.atomic import PRIVATE
from deploy.local import launch, orphan_reaper
from deploy.local.health import HealthCheck
from deploy.local.statefile import PRIVATE_FOLDER

BARE_PYTHON = (sys.executable, "-I", "-S")
"""No site-packages: the two scripts need none, and start in about 15 ms."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to run one process.

    Attributes:
        name: What people call it; also the name of its log file.
        command: Program and arguments.
        environment: All of its environment variables.
        check: When it counts as ready.
        log: Where its output goes; appended to.
        vital: The others hold positions in its memory: when it dies, all must start anew.
        ready_within_s: How long it may take to become ready.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    check: HealthCheck
    log: Path
    vital: bool = False
    ready_within_s: float = 60.0


class OrphanReaper:
    """Our side of ``orphan_reaper.py``: tells it which process groups must not outlive us."""

    async def __aenter__(self) -> Self:
        """Start it."""
        self._process = await asyncio.create_subprocess_exec(
            *BARE_PYTHON, orphan_reaper.__file__, stdin=subprocess.PIPE, start_new_session=True
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let it end; it kills every group that is still watched."""
        assert self._process.stdin is not None  # noqa: S101 - asked for as a pipe above
        self._process.stdin.close()
        await self._process.wait()

    def watch(self, group: int) -> None:
        """Have ``group`` killed if we die."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """No longer have ``group`` killed if we die."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - asked for as a pipe above
        self._process.stdin.write(line.encode())


class Child:
    """A process that was started.

    Attributes:
        spec: How.
        pid: Its id, and that of its process group and session.
        unlogged: Why its output is lost; none if it goes to its log.
    """

    def __init__(
        self, spec: ChildSpec, process: Process, reaper: OrphanReaper, unlogged: str | None = None
    ) -> None:
        self.spec = spec
        self.unlogged = unlogged
        self.pid = process.pid
        self._process = process
        self._reaper = reaper
        self._started = time.monotonic()

    @classmethod
    async def start(cls, spec: ChildSpec, reaper: OrphanReaper) -> Self:
        """Start ``spec``; on return it runs, which does not mean that it is ready.

        A log that cannot be opened is no reason not to: its output is then lost.

        Raises:
            OSError: If the system cannot start another process now.
        """
        unlogged = None
        try:
            log = open_log(spec.log)
        except OSError as exc:
            unlogged = exc.strerror or str(exc)
            log = os.open(os.devnull, os.O_WRONLY)
        try:
            process = await asyncio.create_subprocess_exec(
                *BARE_PYTHON,
                launch.__file__,
                str(os.getpid()),
                *spec.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(spec.environment),
                start_new_session=True,
            )
        finally:
            os.close(log)
        reaper.watch(process.pid)
        return cls(spec, process, reaper, unlogged)

    @property
    def lived_s(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started

    async def wait(self) -> int:
        """Return its exit code once it ended by itself; negative is the signal that ended it."""
        return await self._process.wait()

    async def stop(self, grace_s: float, hurry: asyncio.Event) -> None:
        """End it and all it started: politely first, by force after ``grace_s`` or on ``hurry``."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            ended = asyncio.ensure_future(self._process.wait())
            hurried = asyncio.ensure_future(hurry.wait())
            await asyncio.wait(
                {ended, hurried}, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED
            )
            hurried.cancel()
        self._signal(signal.SIGKILL)  # whatever is left of the group, its leader included
        await self._process.wait()
        self._reaper.forget(self.pid)

    def _signal(self, signum: signal.Signals) -> None:
        # macOS answers EPERM, not ESRCH, for a group of which only a zombie is left
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signum)


def open_log(path: Path) -> int:
    """Open a log to append to. It may name servers with their passwords: only we may read it.

    Raises:
        OSError: If it cannot be opened.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)


def describe_exit(code: int) -> str:
    """Return an exit code in words.

    Example:
        >>> describe_exit(-9)
        'killed by SIGKILL'
        >>> describe_exit(2)
        'exit code 2'
    """
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
