"""A table as it was read: columns by name, each of numbers, texts or times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.terminal.nearest import suggestion

if TYPE_CHECKING:
    from polars import Series

Kind = Literal["number", "text", "time", "blank"]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column.

    Attributes:
        name: As the file calls it, made fit to name a channel (``names.channel_name``).
        kind: What it holds; ``blank`` where it holds nothing at all.
        numbers: Shape ``(n,)``, float64, NaN where blank; all NaN unless it holds numbers.
        raw: What came, null where blank.
    """

    name: str
    kind: Kind
    numbers: NDArray[np.float64]
    raw: Series

    def texts(self) -> list[str | None]:
        """Return what came, as text, none where blank."""
        import polars as pl

        found: list[str | None] = self.raw.cast(pl.String).to_list()
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One file.

    Attributes:
        path: Where it was read.
        columns: In the order of the file.
        lines: Shape ``(n,)``, int64: the line each row is on, from 1; for Parquet, the row.
        sha256: Digest of its unpacked content, hexadecimal.
        notes: What was decided while it was read, one sentence each.
    """

    path: Path
    columns: tuple[Column, ...]
    lines: NDArray[np.int64]
    sha256: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def find(self, name: str) -> Column | None:
        """Return a column; none if there is none of this name."""
        return next((column for column in self.columns if column.name == name), None)

    def column(self, name: str) -> Column:
        """Return a column.

        Raises:
            DatasetError: If there is none of this name.
        """
        found = self.find(name)
        if found is None:
            near = suggestion(name, self.names)
            raise DatasetError(
                f"{self.path} has no column {name!r}.{near} Its columns are "
                f"{', '.join(self.names)}."
            )
        return found
