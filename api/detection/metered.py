"""Scoring that is counted: how long questions take, how many are open, why some get no answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from numpy.typing import NDArray

from api.detection.ports import Scoring
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
from api.metrics import ApiMetrics
from common.errors import RequestRefusedError
from common.metering import names

DEFECT: Final = "defect"


class MeteredScoring:
    """Hands questions on, and counts them.

    Args:
        scoring: Answers them.
        metrics: Counts.
    """

    def __init__(self, scoring: Scoring, metrics: ApiMetrics) -> None:
        self._scoring = scoring
        self._metrics = metrics

    async def windows(self, model: ModelSource, values: NDArray[np.float64]) -> WindowsFound:
        """Score windows."""
        with self._counted("windows"):
            return await self._scoring.windows(model, values)

    async def readings(
        self, model: ModelSource, values: NDArray[np.float64], first_cycle: int | None
    ) -> ReadingsFound:
        """Score readings of one machine."""
        with self._counted("readings"):
            return await self._scoring.readings(model, values, first_cycle)

    async def csv(self, model: ModelSource, asked: CsvAsked) -> CsvScored | Wrong:
        """Score a file."""
        with self._counted("csv"):
            return await self._scoring.csv(model, asked)

    async def whatif(self, asked: WhatIfAsked, runs: Sequence[StoredRun]) -> WhatIfFound | Wrong:
        """Take stored verdicts through another rule."""
        with self._counted("whatif"):
            return await self._scoring.whatif(asked, runs)

    async def close(self) -> None:
        """Close what answers."""
        await self._scoring.close()

    @contextmanager
    def _counted(self, question: str) -> Iterator[None]:
        began = time.perf_counter()
        self._metrics.scoring_open.inc()
        try:
            yield
            self._metrics.scoring_seconds.labels(question).observe(time.perf_counter() - began)
        except Exception as exc:
            code = exc.code if isinstance(exc, RequestRefusedError) else DEFECT
            self._metrics.scoring_failures.labels(
                code if code in names.SCORING_FAILURES else DEFECT
            ).inc()
            raise
        finally:
            self._metrics.scoring_open.dec()
