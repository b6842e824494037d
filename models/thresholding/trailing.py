"""A threshold that follows the machine: so many deviations above what its score lately was.

A machine that is run in a new way scores higher from then on. A threshold of its training readings
then reports everything that follows; this one reports the change, and is used to it after a while.
Median and deviation are robust, so an anomaly that fills less than half of the time moves neither;
both are of the logarithm, since scores spread by factors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.thresholding.strategies import MAD_TO_SD

SMALLEST_SCORE: Final = 1e-9
"""A lower score counts as this: a logarithm of 0 is none."""


@dataclass(frozen=True, slots=True)
class TrailingRule:
    """How it follows. The defaults suit a reading a minute.

    Attributes:
        length: Readings it looks back over; a day.
        k: Robust deviations above the median.
        least: Smallest deviation of the logarithm: a factor of 1.1 is nothing, however steady the
            score was.
        every: It is renewed after so many readings, from those before.
        fewest: It reports nothing while it knows fewer.
    """

    length: int = 1440
    k: float = 5.0
    least: float = 0.1
    every: int = 10
    fewest: int = 100

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises:
            ValueError: Saying which number is out of its bounds.
        """
        for name, least, most in (
            ("length", 10, 1_000_000), ("k", 0.0, 1000.0), ("least", 1e-6, 100.0),
            ("every", 1, 100_000), ("fewest", 1, 1_000_000),
        ):  # fmt: skip
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name}={value:g} came; {least:g} to {most:g} was expected")


def trailing_thresholds(
    scores: NDArray[np.float64], past: NDArray[np.float64], rule: TrailingRule
) -> NDArray[np.float64]:
    """Return the threshold at each reading; it depends on what came before it alone.

    Args:
        scores: Shape ``(n,)``, non-negative; NaN where there is none.
        past: Shape ``(m,)``; scores of the readings before; NaN as above.
        rule: How it follows.

    Returns:
        Shape ``(n,)``; infinite while too few scores are known.

    Example:
        >>> steady = np.full(50, 2.0)
        >>> rule = TrailingRule(length=20, k=5.0, least=0.1, fewest=10)
        >>> trailing_thresholds(np.array([2.0]), steady, rule).round(3).tolist()
        [3.297]
    """
    joined = np.concatenate([past[-rule.length :], scores])
    start = len(joined) - len(scores)
    logs = np.log(np.maximum(joined, SMALLEST_SCORE))  # NaN stays
    found = np.empty(len(scores))
    for first in range(0, len(scores), rule.every):
        before = logs[max(0, start + first - rule.length) : start + first]
        before = before[~np.isnan(before)]
        found[first : first + rule.every] = _threshold(before, rule)
    return found


def _threshold(logs: NDArray[np.float64], rule: TrailingRule) -> float:
    if len(logs) < rule.fewest:
        return float("inf")
    median = float(np.median(logs))
    deviation = MAD_TO_SD * float(np.median(np.abs(logs - median)))
    with np.errstate(over="ignore"):
        return float(np.exp(median + rule.k * max(deviation, rule.least)))
