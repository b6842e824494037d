"""From the port's questions to requests of the engine, and back; whoever carries them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from api.adapters.scoring.messages import Answer, Asked
from api.detection.values import (
    CsvAsked,
    CsvScored,
    ModelSource,
    ReadingsFound,
    StoredRun,
    WhatIfAsked,
    WhatIfFound,
    WindowsFound,
    Wrong,
)
from api.known_fleets import PROBLEM_EVERY_S
from common.errors import RequestRefusedError

FoundT = TypeVar("FoundT")

RETRY_AFTER_S: Final = 1


class EngineScoring(ABC):
    """Implements the port over an engine that is somewhere."""

    async def windows(self, model: ModelSource, values: NDArray[np.float64]) -> WindowsFound:
        """See the port."""
        asked = Asked(kind="windows", model=model, shape=values.shape)
        found, _ = await self._found(asked, lambda: values.tobytes())
        return _there(found.windows)

    async def readings(
        self, model: ModelSource, values: NDArray[np.float64], first_cycle: int | None
    ) -> ReadingsFound:
        """See the port."""
        asked = Asked(kind="readings", model=model, shape=values.shape, first_cycle=first_cycle)
        found, _ = await self._found(asked, lambda: values.tobytes())
        return _there(found.readings)

    async def csv(self, model: ModelSource, asked: CsvAsked) -> CsvScored | Wrong:
        """See the port."""
        found, bulk = await self._found(Asked(kind="csv", model=model, csv=asked), bytes)
        return CsvScored(_there(found.csv), bulk) if found.wrong is None else found.wrong

    async def whatif(self, asked: WhatIfAsked, runs: Sequence[StoredRun]) -> WhatIfFound | Wrong:
        """See the port."""
        found, _ = await self._found(
            Asked(kind="whatif", whatif=asked),
            lambda: b"\n".join(run.model_dump_json().encode() for run in runs),
        )
        return _there(found.whatif) if found.wrong is None else found.wrong

    async def _found(self, asked: Asked, bulk: Callable[[], bytes]) -> tuple[Answer, bytes]:
        answer, told = await self._ask(asked, bulk)
        if answer.unreadable is not None:
            raise refused("model_unreadable", answer.unreadable, PROBLEM_EVERY_S)
        if answer.defect is not None:
            raise RuntimeError(answer.defect)
        return answer, told

    @abstractmethod
    async def _ask(self, asked: Asked, bulk: Callable[[], bytes]) -> tuple[Answer, bytes]:
        """Carry a request to the engine, and its answer back.

        Args:
            asked: The request.
            bulk: Makes what goes beside it; it may take a while.
        """


def refused(code: str, why: str, retry_after_s: int = RETRY_AFTER_S) -> RequestRefusedError:
    """Return the refusal of a request that may be repeated."""
    return RequestRefusedError(503, code, why, retry_after_s)


def _there(found: FoundT | None) -> FoundT:
    if found is None:
        raise RuntimeError("an answer came to another request")
    return found
