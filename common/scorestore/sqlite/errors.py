"""What SQLite's errors mean to a caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from common.errors import BackendRefusedError, BackendUnavailableError

_REFUSED_CODES: Final = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}
)

_ADVICE: Final = {
    sqlite3.SQLITE_BUSY: "another process holds its lock",
    sqlite3.SQLITE_LOCKED: "another connection holds its lock",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it cannot be written; check the rights of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the rights of the file and its folder",
    sqlite3.SQLITE_IOERR: "the disk reports an error, or is full",
    sqlite3.SQLITE_INTERRUPT: "it took longer than SURGELINE_SCORES__OP_TIMEOUT_S",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restore it, or move it away to start anew",
    sqlite3.SQLITE_NOTADB: "this is not an SQLite file; name another one",
}


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours.

    Raises:
        BackendRefusedError: If the file is damaged or not ours.
        BackendUnavailableError: Otherwise: locked, full, read-only, too slow.
    """
    try:
        yield
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        message = f"Score store {path}: {_ADVICE.get(code, 'SQLite failed')}. ({exc})"
        if code in _REFUSED_CODES:
            raise BackendRefusedError(message) from exc
        raise BackendUnavailableError(message) from exc
