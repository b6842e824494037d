"""Tables of one line a row, whatever the width: the last column is cut, lesser ones left out.

Pure: text in, lines out. Whatever a cell holds can neither break the line nor command the screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.cells import cell_len
from rich.text import Text

from common.terminal.printable import one_line, printable

GAP: Final = 2
ENOUGH: Final = 18
"""Cells that the last column gets before lesser columns get any."""

LONGEST: Final = 32
"""Cells of a name; a longer one is cut in its middle, for names differ at their ends."""

Cell = str | Text


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: Its key in the rows.
        heading: What stands above it; its name if empty.
        right: Whether its cells stand on the right.
        lesser: Left out where there is no room: the highest number first; 0 is never.
    """

    name: str
    heading: str = ""
    right: bool = False
    lesser: int = 0

    @property
    def head(self) -> str:
        """What stands above it."""
        return one_line(self.heading or self.name)


@dataclass(frozen=True, slots=True)
class Row:
    """A row.

    Attributes:
        cells: By the column's name; what is missing is blank.
        tail: Said in place of all columns behind ``tail_after``.
        tail_after: A column's name.
        below: Said below the row, indented, on as many lines as it needs.
    """

    cells: Mapping[str, Cell]
    tail: str = ""
    tail_after: str = ""
    below: str = field(default="")


def lay_out(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[Text]:
    """Return a heading and the rows, each a line of at most ``width`` cells.

    A column that no row fills is left out; so are the lesser ones where the last column would get
    fewer than 18 cells. The last column is cut with "…" where it does not fit.
    """
    shown = [column for column in columns if any(_text(row, column).plain for row in rows)]
    if not shown:
        return []
    names = {column.name: column for column in shown}
    natural = {name: _natural(column, rows) for name, column in names.items()}
    last = shown[-1]
    while True:
        rest = width - sum(natural[each.name] + GAP for each in shown[:-1])
        lesser = max((each for each in shown[:-1]), key=lambda each: each.lesser, default=None)
        if rest >= min(natural[last.name], ENOUGH) or lesser is None or not lesser.lesser:
            break
        shown.remove(lesser)
    widths = {each.name: natural[each.name] for each in shown}
    widths[last.name] = rest
    lines = [_line(shown, {each.name: Text(each.head, "bold") for each in shown}, widths, width)]
    for row in rows:
        lines.append(_row(shown, row, widths, width))
        if row.below:
            lines.append(Text("    " + printable(row.below)))
    return lines


def shortened(name: str, width: int = LONGEST) -> str:
    """Return a name of at most so many cells, cut in its middle.

    Example:
        >>> shortened("a-very-long-name-of-pump-7", 11)
        'a-ver…ump-7'
    """
    shown = one_line(name)
    if cell_len(shown) <= width:
        return shown
    after = (width - 1) // 2
    before = width - 1 - after
    head = shown[:before]
    while cell_len(head) > before:
        head = head[:-1]
    tail = shown[len(shown) - after :]
    while cell_len(tail) > after:
        tail = tail[1:]
    return f"{head}…{tail}"


def _text(row: Row, column: Column) -> Text:
    cell = row.cells.get(column.name, "")
    if isinstance(cell, Text):
        return Text(one_line(cell.plain), cell.style)
    return Text(one_line(cell))


def _natural(column: Column, rows: Iterable[Row]) -> int:
    return max(cell_len(column.head), *(cell_len(_text(row, column).plain) for row in rows))


def _row(shown: Sequence[Column], row: Row, widths: Mapping[str, int], width: int) -> Text:
    if not row.tail:
        return _line(shown, {each.name: _text(row, each) for each in shown}, widths, width)
    names = [each.name for each in shown]
    kept = shown[: names.index(row.tail_after) + 1] if row.tail_after in names else ()
    line = _line(kept, {each.name: _text(row, each) for each in kept}, widths, width, pad=True)
    line.append(one_line(row.tail))
    line.truncate(max(1, width), overflow="ellipsis")
    return line


def _line(
    shown: Sequence[Column],
    cells: Mapping[str, Text],
    widths: Mapping[str, int],
    width: int,
    *,
    pad: bool = False,
) -> Text:
    line = Text()
    for position, column in enumerate(shown):
        cell = cells[column.name].copy()
        space = max(1, widths[column.name])
        cell.truncate(space, overflow="ellipsis")
        blank = " " * (space - cell_len(cell.plain))
        line.append_text(Text.assemble(blank, cell) if column.right else Text.assemble(cell, blank))
        if pad or position < len(shown) - 1:
            line.append(" " * GAP)
    if not pad:
        line.rstrip()
    line.truncate(max(1, width), overflow="ellipsis")
    return line
