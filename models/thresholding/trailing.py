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


@dataclass(frozen=True, slots=True, eq=False)
class Trailed:
    """How far a threshold has followed a run, reading by reading.

    Attributes:
        recent: The run's latest scores, at most as many as the rule looks back over, float32; NaN
            where there was none.
        seen: Readings of the run so far.
        value: The threshold that holds until it is renewed.
    """

    recent: NDArray[np.float32]
    seen: int
    value: float


UNTRAILED: Final = Trailed(np.empty(0, np.float32), 0, float("inf"))
"""Of a run that begins."""


def follow_on(
    before: Trailed, scores: NDArray[np.float64], past: NDArray[np.float32], rule: TrailingRule
) -> tuple[NDArray[np.float64], Trailed]:
    """Return the threshold at each of a run's next readings, and how far it has followed then.

    Cut a run anywhere, and the thresholds are the same to the bit; they are those of
    :func:`trailing_thresholds` for scores rounded to 32 bits, which is what is remembered.

    Args:
        before: After the readings before these.
        scores: Shape ``(n,)``; NaN where there is none.
        past: Shape ``(m,)``; scores from before the run.
        rule: How it follows.
    """
    rounded = scores.astype(np.float32)
    found = np.empty(len(scores))
    seen, value, at = before.seen, before.value, 0
    known = np.concatenate([past, before.recent, rounded])
    here = len(known) - len(rounded)
    while at < len(scores):
        if seen % rule.every == 0:
            latest = known[max(0, here + at - rule.length) : here + at].astype(np.float64)
            latest = latest[~np.isnan(latest)]
            value = _threshold(np.log(np.maximum(latest, SMALLEST_SCORE)), rule)
        count = min(rule.every - seen % rule.every, len(scores) - at)
        found[at : at + count] = value
        seen, at = seen + count, at + count
    recent = np.concatenate([before.recent, rounded])[-rule.length :]
    return found, Trailed(recent, seen, value)


def _threshold(logs: NDArray[np.float64], rule: TrailingRule) -> float:
    if len(logs) < rule.fewest:
        return float("inf")
    median = float(np.median(logs))
    deviation = MAD_TO_SD * float(np.median(np.abs(logs - median)))
    with np.errstate(over="ignore"):
        return float(np.exp(median + rule.k * max(deviation, rule.least)))
