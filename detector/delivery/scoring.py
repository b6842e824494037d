"""Windows scored in the worker's own process: few on the loop, more in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from detector.delivery.aside import aside
from detector.ports import ToScore
from models.scoring.scorer import WindowScores

FEW_WINDOWS: Final = 16
"""Scored at once: a millisecond."""


class ScoringHere:
    """Implements :class:`detector.ports.Scoring`."""

    async def score(self, work: Sequence[ToScore]) -> Sequence[WindowScores]:
        """See :meth:`detector.ports.Scoring.score`."""
        windows = sum(len(item.windows) for item in work)
        return await aside(_scored, work, is_small=windows <= FEW_WINDOWS)


def _scored(work: Sequence[ToScore]) -> Sequence[WindowScores]:
    return [item.scorer.score(item.windows, item.trail) for item in work]
