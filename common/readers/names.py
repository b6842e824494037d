"""Names that a table gives, made fit for the places where they go: assets, machines, channels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from common.errors import DatasetError
from common.machines.machine import MAX_NAME_CHARS
from common.records.ids import MAX_ID_CHARS

SUFFIXES: Final = (".gz", ".csv", ".tsv", ".txt", ".parquet", ".pq")


def asset_id(text: str) -> str:
    """Return the asset id that a name of the table's becomes; empty if nothing of it can stay.

    Spaces become ``-``; letters lose their accents; whatever else is not a letter, a digit or one
    of ``._:-`` becomes ``_``; it begins with a letter or digit, and has at most 128 characters.

    Example:
        >>> asset_id("Pumpe Süd #3")
        'Pumpe-Sud-_3'
    """
    plain = unicodedata.normalize("NFKD", text.strip())
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    plain = re.sub(r"[^A-Za-z0-9._:\-]", "_", re.sub(r"\s+", "-", plain))
    return re.sub(r"^[^A-Za-z0-9]+", "", plain)[:MAX_ID_CHARS]


def asset_ids(texts: Sequence[str], source: str) -> dict[str, str]:
    """Return the asset id of each name.

    Raises:
        DatasetError: If nothing of one can stay, or two become the same.
    """
    found: dict[str, str] = {}
    for text in texts:
        made = asset_id(text)
        if not made:
            raise DatasetError(
                f"{source}: {text[:40]!r} cannot name an asset: letters, digits and ._:- were "
                "expected."
            )
        if made in found:
            raise DatasetError(
                f"{source}: the assets {found[made]!r} and {text!r} would both be called {made!r}. "
                "Rename one of them."
            )
        found[made] = text
    return {text: made for made, text in found.items()}


def channel_name(column: str) -> str:
    """Return what a column is called as a channel: its own name, unless it cannot be one.

    What is not printable becomes a space, a backslash becomes ``/``, and it is cut at 64
    characters.

    Example:
        >>> channel_name("Vibration DE [mm/s]")
        'Vibration DE [mm/s]'
    """
    shown = "".join(each if each.isprintable() else " " for each in column.replace("\\", "/"))
    return shown.strip()[:MAX_NAME_CHARS].strip() or "column"


def stem(path: Path) -> str:
    """Return a file's name without what says of which kind it is.

    Example:
        >>> stem(Path("data/pumps.2026.csv.gz"))
        'pumps.2026'
    """
    name = path.name
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            name = name[: -len(suffix)]
    return name


def names_of_files(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return a name for each file: its own, with the folders where files are called alike.

    Example:
        >>> names_of_files([Path("skab/valve1/0.csv"), Path("skab/valve2/0.csv")])
        ('valve1-0', 'valve2-0')
    """
    names = tuple(stem(path) for path in paths)
    if len(set(names)) == len(names):
        return names
    folders = [path.parent.parts for path in paths]
    shared = 0
    while all(len(parts) > shared and parts[shared] == folders[0][shared] for parts in folders):
        shared += 1
    return tuple(
        "-".join((*parts[shared:], name)) for parts, name in zip(folders, names, strict=True)
    )
