"""The line of names of a CSV file: which column is what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from common.machines.machine import MachineType
from common.terminal.nearest import suggestion
from common.terminal.printable import one_line

ASSET_COLUMNS: Final = ("asset_id", "sensor_id", "asset", "unit")
CYCLE_COLUMNS: Final = ("cycle",)
TIME_COLUMNS: Final = ("ts", "timestamp", "time")
SEPARATORS: Final = (",", ";", "\t")
MOST_COLUMNS: Final = 4000
MOST_HEADER_CHARS: Final = 400_000
MOST_BLANK_LINES: Final = 1000
MOST_LISTED: Final = 50
"""Names of columns that are listed."""

SHOWN: Final = 60


class WrongFileError(ValueError):
    """The file cannot be used at all.

    Attributes:
        column: The column at fault; none for the file.
    """

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Columns:
    """Where what stands, by its place.

    Attributes:
        count: How many columns there are.
        measured: The conditions, then the used channels.
        names: Their names.
        asset: Whose a row is; none where no column says it.
        cycle: The count; none where there is none.
        time: The time; none where there is none.
        time_name: What that column is called.
        ignored: Names of the others.
    """

    count: int
    measured: tuple[int, ...]
    names: tuple[str, ...]
    asset: int | None
    cycle: int | None
    time: int | None
    time_name: str
    ignored: tuple[str, ...]


def first_line(lines: Iterator[str]) -> str:
    """Return the first line that is not blank.

    Raises:
        WrongFileError: If there is none, or it has no end.
    """
    for line in lines:
        if len(line) > MOST_HEADER_CHARS:
            break
        if line.strip():
            return line
        if not line:
            break
    raise WrongFileError(
        "It is empty, or no table: a line of column names and lines of values were expected."
    )


def find_columns(names: Sequence[str], machine: MachineType) -> Columns:
    """Say which column is what.

    Raises:
        WrongFileError: If one that is needed is not there, or a name is there twice.
    """
    if len(names) > MOST_COLUMNS:
        raise WrongFileError(f"It has {len(names)} columns; at most {MOST_COLUMNS} are read.")
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        raise WrongFileError("It is there twice; each name was expected once.", twice[0][:SHOWN])
    measured = (*machine.condition_names, *machine.channel_names)
    for name in measured:
        if name not in names:
            near = suggestion(name, [each for each in names if each not in measured])
            raise WrongFileError(
                f"There is no such column, and {machine.title or machine.name} has it.{near} "
                f"Expected {', '.join(measured[:MOST_LISTED])}"
                f"{'' if len(measured) <= MOST_LISTED else ' and others'}.",
                name,
            )
    places = {name: place for place, name in enumerate(names)}

    def role(candidates: Sequence[str]) -> int | None:
        return next((places[n] for n in candidates if n in places and n not in measured), None)

    asset, cycle, time = role(ASSET_COLUMNS), role(CYCLE_COLUMNS), role(TIME_COLUMNS)
    if machine.step.clock == "time" and time is None:
        raise WrongFileError(
            f"There is no column of times, and {machine.title or machine.name} counts by time. "
            f"Expected one of {', '.join(TIME_COLUMNS)}, RFC 3339 with a zone.",
            TIME_COLUMNS[0],
        )
    looked_at = {asset, cycle, time, *(places[name] for name in measured)}
    return Columns(
        len(names),
        tuple(places[name] for name in measured),
        measured,
        asset,
        cycle,
        time,
        "" if time is None else names[time],
        tuple(one_line(n)[:SHOWN] for place, n in enumerate(names) if place not in looked_at)[
            :MOST_LISTED
        ],
    )
