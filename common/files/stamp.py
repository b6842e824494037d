"""Whether a file has changed since it was read, without reading it."""

from __future__ import annotations

from pathlib import Path

FileStamp = tuple[int, int, int] | None


def file_stamp(path: Path | None) -> FileStamp:
    """Return what changes when a file is written or replaced; none where there is none."""
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
