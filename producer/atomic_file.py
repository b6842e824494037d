"""Writes a data file whole or not at all, readable for everybody."""

from __future__ import annotations

from pathlib import Path

from common.errors import DatasetError
from common.files.atomic import PUBLIC, replace_file


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` beside ``path`` under another name, then rename it.

    Folders that are missing are made. A file of that name is replaced.

    Raises:
        DatasetError: If it cannot be written; an older file of that name is then untouched.
    """
    try:
        replace_file(path, content, PUBLIC)
    except OSError as exc:
        raise DatasetError(
            f"{path} cannot be written: {exc.strerror or exc}. Choose another folder."
        ) from exc
