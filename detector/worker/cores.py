"""How many processors this process may use, as a container's limit or the system says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

CPU_MAX: Final = Path("/sys/fs/cgroup/cpu.max")
"""Linux, control groups 2: microseconds of every so many, or ``max``."""


def cores(cpu_max: Path = CPU_MAX) -> float:
    """Return it; a limit may be a part of one.

    Args:
        cpu_max: The file that holds the limit; one that is not there, or says nothing, is none.
    """
    try:
        found = float(len(os.sched_getaffinity(0)))
    except AttributeError:  # not Linux
        found = float(os.cpu_count() or 1)
    try:
        quota, period = cpu_max.read_text().split()
        return found if quota == "max" else min(found, int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return found
