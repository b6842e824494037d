"""What was found in a table of somebody's machines, and what was decided from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from common.machines.machine import MachineType
from common.readers.roles import Roles

Decision = Literal[
    "time", "asset", "counter", "label", "condition", "channel", "not used", "left out"
]


@dataclass(frozen=True, slots=True)
class ColumnFinding:
    """One column.

    Attributes:
        name: Its name.
        decision: What becomes of it.
        why: What was seen, in a few words.
        unit: As its name says; empty if it does not.
        seen: Smallest and largest value; none without numbers.
        blank: Part of the rows in which it is blank, 0 to 1.
    """

    name: str
    decision: Decision
    why: str
    unit: str = ""
    seen: tuple[float, float] | None = None
    blank: float = 0.0


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often readings come.

    Attributes:
        interval_s: Nominal time between two readings, s.
        steady: Part of the steps that are within a tenth of it, 0 to 1.
        longer: Steps that are longer than one and a half intervals.
        longest_s: The longest step, s.
        repeated: Steps of no time at all.
    """

    interval_s: float
    steady: float
    longer: int
    longest_s: float
    repeated: int


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it.

    Attributes:
        machine: The machine type it comes to.
        columns: One entry a column, in the order of the table.
        roles: Which columns are not measured.
        cadence: How often readings come; none without a column of times.
        rows: Rows that have a time and an asset.
        assets: Ids of the assets.
        stretch: Readings in a row without a gap, for half of the readings at least.
        remarks: What else a person should know, one sentence each.
    """

    machine: MachineType
    columns: tuple[ColumnFinding, ...]
    roles: Roles
    cadence: Cadence | None
    rows: int
    assets: tuple[str, ...]
    stretch: int
    remarks: tuple[str, ...]
