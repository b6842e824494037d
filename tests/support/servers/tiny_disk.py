"""A disk small enough to fill, without harm to the machine's own."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers.backends import require

PAGE_BYTES = 4096
"""A file in memory takes whole pages."""


class TinyDisk:
    """A mounted file system of a few megabytes.

    Attributes:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave no byte free until the block ends."""
        filler = self.folder / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE_BYTES))
            except OSError as exc:
                if exc.errno != errno.ENOSPC:
                    raise
        try:
            yield
        finally:
            filler.unlink()


@contextmanager
def tiny_disk(folder: Path, megabytes: int) -> Iterator[TinyDisk]:
    """Mount a disk of that size on an empty folder until the block ends; skip where one may not."""
    if sys.platform != "linux" or os.geteuid() != 0:
        require("a disk to fill is needed: run as root on Linux, which may mount a tmpfs")
    mounting = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounting.returncode:
        why = mounting.stderr.partition("\n")[0]
        require(f"a disk to fill is needed, and mounting a tmpfs fails: {why}")
    try:
        yield TinyDisk(folder)
    finally:
        # lazily, so that it is gone even while a process that failed to end holds a file there
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
