"""A process that stands still until it is told to go on. Needs no pytest: benchmarks do so, too."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from bench.support.processes import wait_until


def freeze(pid: int) -> None:
    """Stop a process until it gets ``SIGCONT``; on return none of its threads runs any more.

    The signal alone promises nothing yet: one thread takes it and stops the others, and until that
    thread has its turn on a busy machine, the others go on answering.
    """
    os.kill(pid, signal.SIGSTOP)
    if sys.platform == "linux":
        wait_until(lambda: _states(pid) <= {"T", "Z"}, f"process {pid} stands still")


def _states(pid: int) -> set[str]:
    """The states of all threads of a process; threads may end while they are looked at."""
    states = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            states.add((thread / "stat").read_text().rpartition(")")[2].split()[0])
    return states
