"""Writes a file whole or not at all: a reader never sees half of it, whatever dies when."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Final

from common.errors import UserError

PRIVATE: Final = 0o600
"""Mode of what may name people's servers: reports, logs, the state of a stack."""

PUBLIC: Final = 0o644
DEVICES: Final = Path("/dev")


def replace_file(path: Path, content: bytes, mode: int) -> None:
    """Write ``content`` beside ``path`` under another name, then rename it.

    Folders that are missing are made. A file of that name is replaced; a device or a pipe, such as
    ``/dev/stdout``, is written to.

    Raises:
        OSError: If it cannot be written. An older file of that name is then untouched, and nothing
            is left beside it.
    """
    if path.exists() and (not path.is_file() or path.parent == DEVICES):
        path.write_bytes(content)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as unfinished:
        temporary = Path(unfinished.name)
        try:
            unfinished.write(content)
            unfinished.flush()
            temporary.chmod(mode)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def write_report(path: Path, report: object) -> None:
    """Write a report as JSON that only its owner may read.

    Raises:
        UserError: If it cannot be written; an older file of that name is then untouched.
    """
    write_text(path, json.dumps(report, indent=2) + "\n", PRIVATE)


def write_text(path: Path, text: str, mode: int = PUBLIC) -> None:
    """Write a text that a user asked for, as UTF-8.

    Raises:
        UserError: If it cannot be written; an older file of that name is then untouched.
    """
    write_bytes(path, text.encode(), mode)


def write_bytes(path: Path, content: bytes, mode: int = PUBLIC) -> None:
    """Write a file that a user asked for.

    Raises:
        UserError: If it cannot be written; an older file of that name is then untouched.
    """
    try:
        replace_file(path, content, mode)
    except OSError as exc:
        raise UserError(
            f"{path} cannot be written: {exc.strerror or exc}. Choose another file."
        ) from exc
