"""A server of one test's own: to be frozen, or killed and started again where it was."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from deploy.local.programs import answers
from tests.support.freezing import freeze
from tests.support.servers.backends import wait_until


class ServerEndedError(Exception):
    """A server ended while it started; mostly another program was quicker to take its port."""


class OwnServer:
    """A server process; whatever one test does to it, no other test sees.

    Args:
        command: Starts it; started again, it must listen on the same port.
        port: Where it answers.
        log: The file it writes to.
    """

    def __init__(self, command: list[str], port: int, log: Path) -> None:
        self.port = port
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; another one after each start."""
        assert self._process is not None
        return self._process.pid

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Run it until the block ends, in whatever state it is then."""
        self._start()
        try:
            yield self
        finally:
            self._kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Keep its connections open and its lips closed until the block ends."""
        freeze(self.pid)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def killed(self) -> Iterator[None]:
        """Kill it with ``SIGKILL``; when the block ends it runs again, with what its disk holds."""
        self._kill()
        yield
        self._start()

    def _start(self) -> None:
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(self._command, stdout=sink, stderr=subprocess.STDOUT)
        process, name = self._process, f"{Path(self._command[0]).name} on port {self.port}"
        try:
            wait_until(lambda: process.poll() is not None or answers(self.port), name)
            if process.poll() is not None:
                said = self._log.read_text("utf-8")[-500:]
                raise ServerEndedError(f"{name} ended: {said}")  # noqa: TRY301 - it is gone, too
        except BaseException:
            self._kill()
            raise

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
