"""Small files in the C-MAPSS layout, made by hand for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def line(unit: int, cycle: int, fields: int = 24) -> str:
    """Return one line as the published files have it: decimals, single spaces, two at the end."""
    values = [f"{unit}.{cycle:03d}{column:02d}" for column in range(fields)]
    return " ".join([str(unit), str(cycle), *values]) + "  \n"


def text(lengths: Sequence[int]) -> str:
    """Return a whole file: engine ``i + 1`` has ``lengths[i]`` cycles; every value differs."""
    return "".join(
        line(unit, cycle)
        for unit, length in enumerate(lengths, start=1)
        for cycle in range(1, length + 1)
    )


def write_set(
    folder: Path, name: str, lengths: Sequence[int], rul: Sequence[int] | None = None
) -> Path:
    """Write a train and a test file (and a RUL file) of one data set; return ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        (folder / f"{split}_{name}.txt").write_text(text(lengths), encoding="ascii")
    if rul is not None:
        lines = "".join(f"{left} \n" for left in rul)
        (folder / f"RUL_{name}.txt").write_text(lines, encoding="ascii")
    return folder
