"""What is asked of models and files, answered at once, on the thread that asks."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from api.adapters.scoring.csv_scores import score_csv
from api.adapters.scoring.models import OpenIt, OpenModels
from api.adapters.scoring.rules import what_if
from api.adapters.scoring.windows import score_readings, score_windows
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

MOST_VALUES: Final = 16_000_000
"""Numbers of one request: 128 MB."""


class Asked(Value):
    """A request, beside its numbers.

    Attributes:
        kind: What is asked.
        model: Of which model; none for a what-if.
        shape: Of the numbers that come with it.
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


class Engine:
    """Answers.

    Args:
        open_it: Opens a model.
    """

    def __init__(self, open_it: OpenIt) -> None:
        self._models = OpenModels(open_it)

    def answer(self, asked: Asked, values: NDArray[np.float64]) -> Answer:
        """Return what was found.

        Raises:
            ArtifactError: If the model is not there, or no longer what it was.
            ValueError: If the request is none.
        """
        match asked:
            case Asked(kind="whatif", whatif=WhatIfAsked() as whatif):
                return _answer(what_if(whatif))
            case Asked(kind="csv", model=ModelSource() as source, csv=CsvAsked() as csv):
                return _answer(score_csv(self._models.get(source), csv))
            case Asked(kind="windows", model=ModelSource() as source):
                return _answer(score_windows(self._models.get(source), values))
            case Asked(kind="readings", model=ModelSource() as source):
                model = self._models.get(source)
                return _answer(score_readings(model, values, asked.first_cycle))
        raise ValueError(f"a request of kind {asked.kind} came without what it needs")


def _answer(found: BaseModel) -> Answer:
    match found:
        case WindowsFound():
            return Answer(windows=found)
        case ReadingsFound():
            return Answer(readings=found)
        case CsvFound():
            return Answer(csv=found)
        case WhatIfFound():
            return Answer(whatif=found)
        case Wrong():
            return Answer(wrong=found)
    raise TypeError(f"no answer is a {type(found).__name__}")
