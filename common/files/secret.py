"""A secret in a file, as container platforms hand it over."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from common.errors import SettingsError

MOST_BYTES: Final = 64 * 1024
"""Of a secret: more is the wrong file."""


def secret_from(variable: str, file: Path) -> str:
    """Return what a file holds, without the line break at its end.

    Args:
        variable: The setting that names the file, for messages.
        file: The file.

    Raises:
        SettingsError: If there is no such file, or it cannot be read, is empty or holds no text.
    """
    try:
        if not file.is_file():
            raise SettingsError(f"{variable} names {file}, which is no file.")
        with file.open("rb") as opened:
            content = opened.read(MOST_BYTES + 1)
    except OSError as exc:
        raise SettingsError(
            f"{variable} names {file}, which cannot be read: {exc.strerror}."
        ) from exc
    if len(content) > MOST_BYTES:
        raise SettingsError(f"{variable} names {file}, which has more than {MOST_BYTES} bytes.")
    secret = content.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r")
    if "\ufffd" in secret:  # looked for here: what Python raises holds the bytes
        raise SettingsError(f"{variable} names {file}, which holds no UTF-8 text.")
    if not secret:
        raise SettingsError(f"{variable} names {file}, which is empty.")
    return secret
