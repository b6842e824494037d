"""Reads what processes add to their log files.

The children write to files, not to pipes of ours: a terminal that is held (Ctrl-S) never blocks
them, and what they said last survives us.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from common.files.atomic import PRIVATE

READ_BYTES = 1 << 20
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogBounds:
    """How much of a process's output is kept.

    Attributes:
        max_bytes: A log that is larger is rotated.
        kept: How many rotated ones are kept, as NAME.log.1 (the latest), NAME.log.2 and so on.
    """

    max_bytes: int = 20 * MIB
    kept: int = 2


class LogTail:
    """Follows one log file, and rotates it.

    Args:
        path: The file; it need not exist yet.
        bounds: When to rotate.
    """

    def __init__(self, path: Path, bounds: LogBounds = LogBounds()) -> None:
        self._path = path
        self._bounds = bounds
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
        """Rotate the file once it is too large and has been read, or is twice too large.

        The writer has it open and appends, so it is copied and emptied, not renamed: the writer
        goes on at its start. What it writes in the instant between the two is lost.
        """
        # a file that cannot be rotated now, on a full disk say, is tried again at the next call
        with contextlib.suppress(OSError):
            size = self._path.stat().st_size
            limit = self._bounds.max_bytes
            if size > limit and (size == self._position or size > 2 * limit):
                self._rotate()

    def _rotate(self) -> None:
        older = [
            self._path.with_name(f"{self._path.name}.{n}") for n in range(1, self._bounds.kept + 1)
        ]
        for source, target in zip(older[-2::-1], older[:0:-1], strict=True):
            with contextlib.suppress(FileNotFoundError):
                source.replace(target)
        if older:
            copy_private(self._path, older[0])
        os.truncate(self._path, 0)
        self._position, self._partial = 0, b""


def copy_private(source: Path, target: Path) -> None:
    """Copy a log, with what is added meanwhile, to a file that only we may read."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    with source.open("rb") as reading, os.fdopen(handle, "wb") as writing:
        shutil.copyfileobj(reading, writing, READ_BYTES)


def last_lines(path: Path, count: int = 20) -> list[str]:
    """Return the last lines of a log file; none if there is no such file to read."""
    try:
        text = path.read_bytes()[-READ_BYTES:].decode(errors="replace")
    except OSError:
        return []
    return text.splitlines()[-count:]
