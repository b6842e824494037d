"""From the port's questions to requests of the engine, and back; whoever carries them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.adapters.scoring.messages import Answer, Asked
from api.detection.values import (
    CsvAsked,
    CsvFound,
    ModelSource,
    ReadingsFound,
    WhatIfAsked,
    WhatIfFound,
    WindowsFound,
    Wrong,
)
from common.errors import RequestRefusedError

FoundT = TypeVar("FoundT")

NOTHING: Final = np.empty(0)
RETRY_AFTER_S: Final = 1
UNREADABLE_RETRY_AFTER_S: Final = 10
"""As often as the catalogue tries an artifact that could not be read."""


class EngineScoring(ABC):
    """Implements the port over an engine that is somewhere."""

    async def windows(self, model: ModelSource, values: NDArray[np.float64]) -> WindowsFound:
        """See the port."""
        found = await self._found(Asked(kind="windows", model=model, shape=values.shape), values)
        return _there(found.windows)

    async def readings(
        self, model: ModelSource, values: NDArray[np.float64], first_cycle: int | None
    ) -> ReadingsFound:
        """See the port."""
        asked = Asked(kind="readings", model=model, shape=values.shape, first_cycle=first_cycle)
        return _there((await self._found(asked, values)).readings)

    async def csv(self, model: ModelSource, asked: CsvAsked) -> CsvFound | Wrong:
        """See the port."""
        found = await self._found(Asked(kind="csv", model=model, csv=asked), NOTHING)
        return _there(found.csv) if found.wrong is None else found.wrong

    async def whatif(self, asked: WhatIfAsked) -> WhatIfFound | Wrong:
        """See the port."""
        found = await self._found(Asked(kind="whatif", whatif=asked), NOTHING)
        return _there(found.whatif) if found.wrong is None else found.wrong

    async def _found(self, asked: Asked, values: NDArray[np.float64]) -> Answer:
        answer = await self._ask(asked, values)
        if answer.unreadable is not None:
            raise refused("model_unreadable", answer.unreadable, UNREADABLE_RETRY_AFTER_S)
        if answer.defect is not None:
            raise RuntimeError(answer.defect)
        return answer

    @abstractmethod
    async def _ask(self, asked: Asked, values: NDArray[np.float64]) -> Answer:
        """Carry a request to the engine, and its answer back."""


def refused(code: str, why: str, retry_after_s: int = RETRY_AFTER_S) -> RequestRefusedError:
    """Return the refusal of a request that may be repeated."""
    return RequestRefusedError(503, code, why, retry_after_s)


def _there(found: FoundT | None) -> FoundT:
    if found is None:
        raise RuntimeError("an answer came to another request")
    return found
