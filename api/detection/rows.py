"""Rows of a machine type from what came as JSON, or all that is wrong with them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import Channel, MachineType

LARGEST: Final = 1e18
"""Of any value, as live."""

MOST_WRONG: Final = 21
"""Fields at fault that are looked for; an answer names 20, and says that there are more."""

SHOWN_NAMES: Final = 40


class WrongField(NamedTuple):
    """A field that is wrong.

    Attributes:
        path: Where it is, below the list of rows.
        message: What was expected.
        received: What came.
    """

    path: tuple[str | int, ...]
    message: str
    received: object = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as they came.

    Attributes:
        values: Shape ``(n, width)``, the conditions, then the used channels; of no account where
            something is wrong.
        wrong: What is wrong, the first of it.
    """

    values: NDArray[np.float64]
    wrong: Sequence[WrongField]


def rows_of(came: Sequence[Any], machine: MachineType, *, blanks: bool = False) -> Rows:
    """Return rows of numbers.

    A row is a list of numbers in the order of the machine type (conditions, then used channels, or
    all channels), or an object by name, in which further names are ignored.

    Args:
        came: The rows, of whatever JSON.
        machine: What is measured, and what is plausible.
        blanks: Whether a used channel may be null, which becomes NaN.
    """
    reader = _Reader(machine, blanks=blanks)
    values = np.full((len(came), machine.row_width), nan)
    for index, row in enumerate(came):
        if len(reader.wrong) >= MOST_WRONG:
            break
        found = reader.row(index, row)
        if found is not None:
            values[index] = found
    return Rows(values, reader.wrong)


class _Reader:
    """Reads rows, and notes what is wrong."""

    def __init__(self, machine: MachineType, *, blanks: bool) -> None:
        self.wrong: list[WrongField] = []
        self._blanks = blanks
        self._first = len(machine.conditions)
        self._channels: Sequence[Channel] = machine.used
        self._names = (*machine.condition_names, *machine.channel_names)
        every = (*machine.condition_names, *(channel.name for channel in machine.channels))
        self._of_every = [every.index(name) for name in self._names]
        self._widths = {len(self._names): list(range(len(self._names))), len(every): self._of_every}

    def row(self, index: int, row: object) -> list[float] | None:
        """Return one row; none, with notes, if it is wrong."""
        before = len(self.wrong)
        match row:
            case Mapping():
                missing = [name for name in self._names if name not in row]
                for name in missing[: MOST_WRONG - before]:
                    self._note((index, name), "a number was expected; there is none")
                if missing:
                    return None
                cells = [row[name] for name in self._names]
            case list() if len(row) in self._widths:
                cells = [row[place] for place in self._widths[len(row)]]
            case list():
                self._note((index,), self._shape(), f"{len(row)} values")
                return None
            case _:
                self._note((index,), self._shape(), row)
                return None
        values = [self._cell(index, place, cell) for place, cell in enumerate(cells)]
        return values if len(self.wrong) == before else None

    def _cell(self, index: int, place: int, cell: object) -> float:
        name = self._names[place]
        is_channel = place >= self._first
        if cell is None and self._blanks and is_channel:
            return nan
        if isinstance(cell, bool) or not isinstance(cell, int | float):
            self._note((index, name), "a number was expected", cell)
            return nan
        value = _as_float(cell)
        if not isfinite(value):
            self._note((index, name), "a finite number was expected", cell)
        elif abs(value) > LARGEST:
            self._note((index, name), f"a number of at most {LARGEST:g} was expected", cell)
        elif is_channel and not (channel := self._channels[place - self._first]).plausible(value):
            low, high = channel.limits
            unit = f" {channel.unit}" if channel.unit else ""
            self._note((index, name), f"{low:g} to {high:g}{unit} was expected", cell)
        return value

    def _shape(self) -> str:
        names = ", ".join(self._names[:SHOWN_NAMES])
        more = " and others" if len(self._names) > SHOWN_NAMES else ""
        counts = " or ".join(str(width) for width in sorted(self._widths))
        return (
            f"a list of {counts} numbers, or an object, was expected, with {names}{more}; "
            "/api/v1/machines has them all"
        )

    def _note(self, path: tuple[str | int, ...], message: str, received: object = None) -> None:
        if len(self.wrong) < MOST_WRONG:
            self.wrong.append(WrongField(path, message, received))


def _as_float(number: float) -> float:
    """Return a number as a float; an integer beyond all floats is infinite."""
    try:
        return float(number)
    except OverflowError:
        return inf
