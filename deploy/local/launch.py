"""Runs one program so that the kernel ends it when the process that asked for it dies.

Started as a script with nothing but the standard library (about 15 ms): it sets the parent-death
signal and becomes the program, so the program keeps this process id. Only Linux knows that signal;
elsewhere ``orphan_reaper.py`` alone sees to it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CANNOT_RUN = 127


def main(parent_pid: int, command: list[str]) -> None:
    """Become ``command``; it is killed when ``parent_pid`` ends, however it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before the line above could matter
        sys.exit(CANNOT_RUN)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command, no shell
    except OSError as exc:
        sys.stderr.write(f"{command[0]} cannot be run: {exc.strerror}\n")
        sys.exit(CANNOT_RUN)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
