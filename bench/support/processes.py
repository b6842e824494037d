"""Programs of a benchmark: each ends with the block that runs it, and with the benchmark itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bench.suite.failures import ProgramEndedError
from deploy.local import launch
from deploy.local.programs import answers

GRACE_S: Final = 15.0
"""How long a program may take to end after SIGTERM."""

SAID_CHARS: Final = 1500


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> None:
    """Poll ``condition`` until it holds, ever less often: who polls takes time from who is asked.

    Raises:
        TimeoutError: Naming ``what`` was waited for.
    """
    deadline = time.monotonic() + timeout_s
    pause_s = 0.02
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(pause_s)
        pause_s = min(1.3 * pause_s, 0.1)


def start(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; the kernel ends it when this process ends.

    Ctrl-C reaches the benchmark alone, which then ends its programs in their order.

    Args:
        command: Program and arguments.
        log: Where its output goes; appended to.
        environment: All its variables; this process's if left out.
        folder: Its working folder; this process's if left out.
    """
    with log.open("ab") as sink:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> int:
    """End a program: politely first, then by force, with whatever it started. Return its code."""
    if process.poll() is None:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


@contextmanager
def program(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends.

    Args:
        command: Program and arguments.
        log: Where its output goes.
        environment: All its variables; this process's if left out.
        port: It answers there when the block begins; none not to wait.
        folder: Its working folder; this process's if left out.

    Raises:
        ProgramEndedError: If it ends before it answers.
        TimeoutError: If it does not answer.
    """
    process = start(command, log, environment, folder)
    try:
        if port is not None:
            name = Path(command[0]).name
            wait_until(
                lambda: running(process, name, log) and answers(port), f"{name} on port {port}", 60
            )
        yield process
    finally:
        stop(process)


def running(process: subprocess.Popen[bytes], name: str, log: Path) -> bool:
    """Return true while a program runs.

    Raises:
        ProgramEndedError: If it has ended, with the last it said.
    """
    code = process.poll()
    if code is not None:
        said = log.read_text(errors="replace")[-SAID_CHARS:].strip()
        raise ProgramEndedError(f"{name} ended with code {code}. It said: {said or 'nothing'}")
    return True
