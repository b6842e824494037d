"""Ends what a supervisor left behind when it died without a chance to tidy up (``kill -9``).

A process of its own, started as a script with nothing but the standard library. Its standard input
is a pipe that only the supervisor holds: each line is ``+PGID`` (watch that process group) or
``-PGID`` (forget it). The pipe's end means that the supervisor is gone; every group still watched
is killed. ``launch.py`` covers a child that was started a moment before; this covers its children.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable


def watched_at_the_end(lines: Iterable[str]) -> set[int]:
    """Return the process groups added and not taken back when ``lines`` ends.

    Example:
        >>> sorted(watched_at_the_end(["+10", "+11", "-10"]))
        [11]
    """
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    return groups


def main() -> None:
    """Wait for the end of standard input, then kill what is left."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)  # the end of the pipe is the only order taken
    for group in watched_at_the_end(sys.stdin):
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS answers EPERM for a zombie
            continue


if __name__ == "__main__":
    main()
