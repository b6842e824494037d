"""The way to the models. The fake is in ``adapters/memory/scoring.py``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

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


class Scoring(Protocol):
    """Asks models, never on the event loop.

    What it answers depends on nothing but what it was asked: not on what was asked before, nor on
    how windows were put together; a retry is harmless. Raises, from every method,
    ``RequestRefusedError`` with status 503 and when to ask again: ``scoring_busy`` when too many
    are waiting, ``scoring_too_slow`` when it took too long and was given up, ``scoring_failed``
    when it ended without an answer, ``model_unreadable`` when the model is not there (any more).
    """

    async def windows(self, model: ModelSource, values: NDArray[np.float64]) -> WindowsFound:
        """Score windows, each by itself.

        Args:
            model: Which.
            values: In the machine's units, shape ``(n, window_length, width)``: the conditions,
                then the used channels; finite.
        """

    async def readings(
        self, model: ModelSource, values: NDArray[np.float64], first_cycle: int | None
    ) -> ReadingsFound:
        """Score readings of one machine that follow each other.

        Args:
            model: Which.
            values: Shape ``(n, width)``; NaN where a channel was not measured.
            first_cycle: Cycle of the first; none if nobody knows how old the run is.
        """

    async def csv(self, model: ModelSource, asked: CsvAsked) -> CsvScored | Wrong:
        """Score a file, which is not changed."""

    async def whatif(self, asked: WhatIfAsked, runs: Sequence[StoredRun]) -> WhatIfFound | Wrong:
        """Take stored verdicts through another rule.

        Args:
            asked: Both rules.
            runs: The verdicts; parts of one run stand one after the other.
        """

    async def close(self) -> None:
        """Give up what is going on, and let go of everything."""
