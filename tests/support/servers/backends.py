"""Real servers for tests: started once a session, ended by the process that started them."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from common.errors import BackendMissingError
from deploy.local.programs import answers


def require(reason: str) -> None:
    """Skip the test, or fail it where CI promises that everything is there."""
    if os.environ.get("REQUIRE_BACKENDS") == "1":
        pytest.fail(f"REQUIRE_BACKENDS=1, but {reason}")
    pytest.skip(reason)


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
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


@contextmanager
def server(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server process until the block ends; it answers on ``port`` when the block begins."""
    with log.open("wb") as sink:
        process = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: answers(port), f"{Path(command[0]).name} on port {port}")
            yield process
        finally:
            process.kill()
            process.wait()


def build(make: Callable[[], list[str]]) -> list[str]:
    """Return a server's command line, or skip (fail in CI) where its program is not installed."""
    try:
        return make()
    except BackendMissingError as exc:
        require(str(exc))
        raise AssertionError("unreachable") from exc
