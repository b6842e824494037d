"""Writes a file whole or not at all: a reader never sees half of it, whatever dies when."""

from __future__ import annotations

import tempfile
from pathlib import Path

from common.errors import DatasetError


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path`` under another name, then rename it.

    Folders that are missing are made. A file of that name is replaced.

    Raises:
        DatasetError: If it cannot be written; an older file of that name is then untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as unfinished:
            temporary = Path(unfinished.name)
            try:
                unfinished.write(content)
                unfinished.flush()
                # temporary files are private; what is published has the usual permissions
                temporary.chmod(0o644)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as exc:
        raise DatasetError(
            f"{path} cannot be written: {exc.strerror or exc}. Choose another folder."
        ) from exc
