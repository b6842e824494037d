"""Files that hold what only their owner may read: databases, and what lies beside them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700


def make_private_folder(path: Path) -> None:
    """Make a folder, with those above it, that only its owner can enter; leave one that is there.

    Raises:
        OSError: If it cannot be made, or is no folder.
    """
    if path.is_dir():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make an empty file that only its owner can read; leave one that is there, and its rights.

    SQLite gives its log (``-wal``, ``-shm``) the rights of the database. Where no file can be made,
    nothing happens: who opens it next will say why.
    """
    with suppress(OSError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE_FILE)
        try:
            os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask took away
        finally:
            os.close(descriptor)
