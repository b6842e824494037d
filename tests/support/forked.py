"""Processes of ours whose imports were done before (``fork_server.py``): they start at once."""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

WORKERS: Final = ("detector.app", "detector.cli")
OTHERS: Final = (
    "api.app",
    "api.serve",
    "api.commands.keys",
    "deploy.commands",
    "detector.tools.deadletter.command",
    "detector.tools.parity.command",
    "detector.tools.whatif.command",
    "producer.cli",
    "producer.ingest.command",
)
IMPORTS: Final = {
    "detector": WORKERS,
    "tests.support.disturbed_worker": WORKERS,
    "api": OTHERS,
    "deploy.cli": OTHERS,
    "producer": OTHERS,
}
"""Programs that can be forked, with what they import that starts no thread."""

OF_A_START: Final = ("LD_", "PYTHON")
"""How the variables begin that only a process that is started anew obeys."""

Start = Callable[[Sequence[str], Mapping[str, str], IO[bytes], IO[bytes]], subprocess.Popen[bytes]]
"""Starts ``python -m`` with arguments, variables, and where its output and its errors go."""


def start(
    arguments: Sequence[str], environment: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start ``python -m ARGUMENTS``, forked if it can be.

    Args:
        arguments: The module and its own arguments.
        environment: All its variables.
        stdout: Where its output goes.
        stderr: Where its errors go.
    """
    imports = IMPORTS.get(arguments[0])
    if imports is None or sys.platform != "linux" or _of_a_start(environment) != _of_a_start():
        return start_anew(arguments, environment, stdout, stderr)
    request = {"arguments": arguments, "environment": dict(environment), "folder": str(Path.cwd())}
    ours, theirs = socket.socketpair()
    with theirs:
        files = [stdout.fileno(), stderr.fileno(), theirs.fileno()]
        socket.send_fds(_server(imports), [json.dumps(request).encode()], files)
    pid = ours.recv(64)
    assert pid, "the fork server is gone"
    return Forked(arguments, int(pid), ours)


def start_anew(
    arguments: Sequence[str], environment: Mapping[str, str], stdout: IO[bytes], stderr: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start ``python -m ARGUMENTS`` with an interpreter of its own."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr)


def run(
    arguments: Sequence[str], environment: Mapping[str, str], timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m ARGUMENTS`` to its end, forked if it can be; return what it said.

    Args:
        arguments: The module and its own arguments.
        environment: All its variables.
        timeout_s: How long it may take.

    Raises:
        subprocess.TimeoutExpired: If it takes longer; it is killed.
    """
    with TemporaryFile() as stdout, TemporaryFile() as stderr:
        process = start(arguments, environment, stdout, stderr)
        try:
            code = process.wait(timeout_s)
        finally:
            process.kill()
            process.wait()
        stdout.seek(0)
        stderr.seek(0)
        said, wrong = stdout.read().decode(), stderr.read().decode()
    return subprocess.CompletedProcess(list(arguments), code, said, wrong)


def _of_a_start(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(OF_A_START)}


class Forked(subprocess.Popen[bytes]):
    """A process that the fork server started: to be waited for and killed as any other."""

    def __init__(self, arguments: Sequence[str], pid: int, line: socket.socket) -> None:
        self.args = list(arguments)
        self.pid = pid
        self.returncode = None
        self.stdin = self.stdout = self.stderr = None
        self._line = line

    def poll(self) -> int | None:
        """Return its exit code if it has ended."""
        self._look(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended.

        Raises:
            subprocess.TimeoutExpired: If it has not after ``timeout`` seconds.
        """
        self._look(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Ask it to stop."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def __del__(self) -> None:
        """Let go of the line; the server takes care of the process's end."""
        self._line.close()

    def _look(self, timeout: float | None) -> None:
        if self.returncode is None and select.select([self._line], [], [], timeout)[0]:
            said = self._line.recv(64)
            assert said, "the fork server is gone"
            self.returncode = int(said)
            self._line.close()


@cache
def _server(imports: tuple[str, ...]) -> socket.socket:
    """Start a fork server; it ends with this process, whose end of the line it sees."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno()), *imports],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours
