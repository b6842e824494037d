"""What goes to the engine and comes back: a head of this kind, and a bulk beside it.

The bulk of windows and readings is float64, that of a what-if a line of JSON a run; that of a
file's answer is its rows as JSON. No model is imported here.
"""

from __future__ import annotations

from typing import Literal

from api.detection.values import (
    CsvAsked,
    CsvFound,
    ModelSource,
    ReadingsFound,
    Value,
    WhatIfAsked,
    WhatIfFound,
    WindowsFound,
    Wrong,
)

Kind = Literal["windows", "readings", "csv", "whatif"]


class Asked(Value):
    """A request, beside its bulk.

    Attributes:
        kind: What is asked.
        model: Of which model; none for a what-if.
        shape: Of the numbers in the bulk.
        first_cycle: Of readings: cycle of the first.
        csv: Of a file.
        whatif: Of a what-if.
    """

    kind: Kind
    model: ModelSource | None = None
    shape: tuple[int, ...] = (0,)
    first_cycle: int | None = None
    csv: CsvAsked | None = None
    whatif: WhatIfAsked | None = None


class Answer(Value):
    """What came of it: one of these.

    Attributes:
        windows: Of windows.
        readings: Of readings.
        csv: Of a file.
        whatif: Of a what-if.
        wrong: What was asked cannot be answered.
        unreadable: The model is not there, or no longer what it was.
        defect: A defect of ours, in one line.
    """

    windows: WindowsFound | None = None
    readings: ReadingsFound | None = None
    csv: CsvFound | None = None
    whatif: WhatIfFound | None = None
    wrong: Wrong | None = None
    unreadable: str | None = None
    defect: str | None = None
