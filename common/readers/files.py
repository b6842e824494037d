"""What a person names on the command line, as a list of files."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from common.errors import DatasetError

READABLE: Final = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".pq")
"""What is taken of a folder. A file that is named itself may be called anything."""

MOST_FILES: Final = 10_000


def find_files(named: Sequence[str]) -> tuple[Path, ...]:
    """Return the files meant by paths, folders and patterns such as ``'data/*.csv'``.

    A folder means the tables in it and below it. Each file comes once, in the order named, and in
    that of their names within a folder or pattern.

    Raises:
        DatasetError: If one means no file, or they are too many.
    """
    found: dict[Path, None] = {}
    for text in named:
        found.update(dict.fromkeys(_meant(text)))
    if len(found) > MOST_FILES:
        raise DatasetError(f"{len(found):,} files came; at most {MOST_FILES:,} were expected.")
    return tuple(found)


def _meant(text: str) -> list[Path]:
    path = Path(text)
    try:
        if path.is_dir():
            tables = sorted(
                each
                for each in path.rglob("*")
                if each.name.lower().endswith(READABLE) and each.is_file()
            )
            if not tables:
                raise DatasetError(
                    f"The folder {path} holds no table; files named {', '.join(READABLE)} were "
                    "expected in it or below it."
                )
            return tables
        if path.exists():
            return [path]
        matching = sorted(map(Path, glob.glob(text, recursive=True)))  # noqa: PTH207 (any root)
    except (OSError, ValueError) as exc:
        raise DatasetError(f"{text!r} cannot be looked up: {exc}.") from exc
    files = [each for each in matching if each.is_file()]
    if not files:
        raise DatasetError(
            f"{text} was not found. Give the path of a CSV or Parquet file, a folder of them, or a "
            "pattern in quotes."
        )
    return files
