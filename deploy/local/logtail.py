"""Reads what processes add to their log files.

The children write to files, not to pipes of ours: a terminal that is held (Ctrl-S) never blocks
them, and what they said last survives us.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

READ_BYTES = 1 << 20
MAX_LOG_BYTES = 20 * 1024 * 1024


class LogTail:
    """Follows one log file.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._partial = b""

    def new_lines(self) -> list[str]:
        """Return the whole lines added since the last call, at most a mebibyte of them."""
        try:
            size = self._path.stat().st_size
            if size < self._position:  # it was emptied
                self._position, self._partial = 0, b""
            if size == self._position:
                return []
            with self._path.open("rb") as file:
                file.seek(self._position)
                block = file.read(READ_BYTES)
        except OSError:  # not there yet, or its folder is gone or closed to us
            return []
        self._position += len(block)
        *lines, self._partial = (self._partial + block).split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def bound(self) -> None:
        """Empty the file once it is over 20 MiB and has been read to its end.

        The writer appends, so it goes on at the start of the emptied file.
        """
        # a file that cannot be emptied now is tried again at the next call
        with contextlib.suppress(OSError):
            if self._position > MAX_LOG_BYTES and self._path.stat().st_size == self._position:
                os.truncate(self._path, 0)
                self._position = 0


def last_lines(path: Path, count: int = 20) -> list[str]:
    """Return the last lines of a log file; none if there is no such file to read."""
    try:
        text = path.read_bytes()[-READ_BYTES:].decode(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-count:]
