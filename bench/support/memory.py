"""How much memory and processor time a process has had, as Linux tells it."""

from __future__ import annotations

import os
from pathlib import Path


def resident_mb(pid: int | str = "self") -> float:
    """Return a process's resident memory, MB; 0 if it is gone."""
    return _status_mb(pid, "VmRSS:")


def peak_mb(pid: int | str = "self") -> float:
    """Return the most resident memory a process has had, MB; 0 if it is gone."""
    return _status_mb(pid, "VmHWM:")


def cpu_seconds(pid: int | str = "self") -> float:
    """Return the processor time a process has used, all its threads, s; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


def _status_mb(pid: int | str, name: str) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    for line in status.splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0
