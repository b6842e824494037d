"""How much memory and processor time a program has had, as Linux tells it.

A program is a process and all it has started, as a worker has its scoring process: what one would
find on the bill.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def resident_mb(pid: int | str = "self") -> float:
    """Return a program's resident memory, MB; 0 if it is gone.

    What processes share, the code of libraries above all, is counted for each.
    """
    return sum(_status_mb(each, "VmRSS:") for each in _family(pid))


def peak_mb(pid: int | str = "self") -> float:
    """Return the most resident memory a program's processes have had, each, MB; 0 if it is gone."""
    return sum(_status_mb(each, "VmHWM:") for each in _family(pid))


def cpu_seconds(pid: int | str = "self") -> float:
    """Return the processor time a program has used, all its threads, s; 0 if it is gone.

    Processes that have ended count once their parent has taken note of it.
    """
    return sum(map(_cpu_seconds, _family(pid)))


def _family(pid: int | str) -> Iterator[int | str]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):
            for child in task.read_text().split():
                yield from _family(child)


def _cpu_seconds(pid: int | str) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _status_mb(pid: int | str, name: str) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    for line in status.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0
