"""Real servers for tests: started once a session, ended by the process that started them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.support.processes import wait_until
from common.errors import BackendMissingError
from deploy.local.programs import answers

__all__ = ["build", "require", "server", "wait_until"]


def require(reason: str) -> None:
    """Skip the test, or fail it where CI promises that everything is there."""
    import pytest  # benchmarks start these servers, too, and have no pytest

    if os.environ.get("REQUIRE_BACKENDS") == "1":
        pytest.fail(f"REQUIRE_BACKENDS=1, but {reason}")
    pytest.skip(reason)


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
