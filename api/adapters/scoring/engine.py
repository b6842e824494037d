"""What is asked of models and files, answered at once, on the thread that asks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from api.adapters.scoring.csv_scores import score_csv
from api.adapters.scoring.messages import Answer, Asked
from api.adapters.scoring.models import OpenIt, OpenModels
from api.adapters.scoring.rules import what_if
from api.adapters.scoring.windows import score_readings, score_windows
from api.detection.values import (
    CsvAsked,
    CsvFound,
    ModelSource,
    ReadingsFound,
    StoredRun,
    WhatIfAsked,
    WhatIfFound,
    WindowsFound,
    Wrong,
)


class Engine:
    """Answers.

    Args:
        open_it: Opens a model.
    """

    def __init__(self, open_it: OpenIt) -> None:
        self._models = OpenModels(open_it)

    def answer(self, asked: Asked, bulk: bytes) -> tuple[Answer, bytes]:
        """Return what was found, and its bulk.

        Raises:
            ArtifactError: If the model is not there, or no longer what it was.
            ValueError: If the request is none.
        """
        match asked:
            case Asked(kind="whatif", whatif=WhatIfAsked() as whatif):
                runs = map(StoredRun.model_validate_json, bulk.splitlines())
                return _answer(what_if(whatif, runs)), b""
            case Asked(kind="csv", model=ModelSource() as source, csv=CsvAsked() as csv):
                scored = score_csv(self._models.get(source), csv)
                if isinstance(scored, Wrong):
                    return _answer(scored), b""
                return _answer(scored.found), scored.assets
            case Asked(kind="windows", model=ModelSource() as source):
                model = self._models.get(source)
                return _answer(score_windows(model, _numbers(asked, bulk))), b""
            case Asked(kind="readings", model=ModelSource() as source):
                model = self._models.get(source)
                values = _numbers(asked, bulk)
                return _answer(score_readings(model, values, asked.first_cycle)), b""
        raise ValueError(f"a request of kind {asked.kind} came without what it needs")


def _numbers(asked: Asked, bulk: bytes) -> NDArray[np.float64]:
    return np.frombuffer(bulk, np.float64).reshape(asked.shape)


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
