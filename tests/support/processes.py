"""What processes and listening ports there are, read from the kernel."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

LISTEN_STATE = "0A"


def require_proc() -> None:
    """Skip where there is no /proc (macOS)."""
    if sys.platform != "linux":
        pytest.skip("reads /proc")


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def catches(pid: int, number: signal.Signals) -> bool:
    """Whether a Python process handles a signal itself; yes while the interpreter still starts."""
    masks = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    started = int(masks["SigIgn"], 16) & 1 << (signal.SIGPIPE - 1)
    return not started or bool(int(masks["SigCgt"], 16) & 1 << (number - 1))


def has_loaded(pid: int, library: str) -> bool:
    """Whether a process has loaded a shared library whose path has these words."""
    try:
        return library in Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def command_line(pid: int) -> str:
    """The command of a process, or an empty text when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descendants(pid: int) -> set[int]:
    """All processes that a process started, and those they started, now."""
    children: dict[int, set[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, set()).add(int(entry.name))
    found: set[int] = set()
    wave = {pid}
    while wave:
        wave = {child for parent in wave for child in children.get(parent, ())} - found
        found |= wave
    return found


def listening_addresses(pids: set[int]) -> set[tuple[str, int]]:
    """The (address, port) pairs on which these processes listen, IPv6 included."""
    inodes = set()
    for pid in pids:
        try:
            for link in Path(f"/proc/{pid}/fd").iterdir():
                target = str(link.readlink())
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN_STATE and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                found.add((_address(address), int(port, 16)))
    return found


def _address(text: str) -> str:
    if len(text) == 8:
        return ".".join(str(byte) for byte in bytes.fromhex(text)[::-1])
    return text
