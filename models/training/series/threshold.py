"""From an asset's scores to flags: the threshold of its own, then one clean-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.flags import CleanUp, anomalous, clean
from models.thresholding.rule import Rule
from models.thresholding.series_rule import fixed_threshold
from models.thresholding.trailing import TrailingRule, trailing_thresholds


@dataclass(frozen=True, slots=True)
class FlagRule:
    """How scores become flags.

    Attributes:
        threshold: One that follows the asset, or one chosen on the scores of its training readings.
        clean_up: What is dropped, merged and widened.
    """

    threshold: TrailingRule | Rule
    clean_up: CleanUp


DEFAULT_RULE: Final = FlagRule(TrailingRule(), CleanUp(min_length=5, merge_gap=50))
"""A stretch of less than five readings is a spike; two within an hour are one event."""


def flag_rows(
    scores: NDArray[np.float64], past: NDArray[np.float64], rule: FlagRule
) -> tuple[float | NDArray[np.float64], NDArray[np.bool_]]:
    """Return the threshold, one or one per row, and the rows that are reported.

    Args:
        scores: Shape ``(n,)``; NaN where there is none.
        past: Shape ``(m,)``; scores of the training readings; NaN as above.
        rule: How.

    Raises:
        ValueError: If no score of a training reading came, and the rule needs some.
    """
    threshold: float | NDArray[np.float64]
    if isinstance(rule.threshold, TrailingRule):
        threshold = trailing_thresholds(scores, past, rule.threshold)
    else:
        threshold = fixed_threshold(past, rule.threshold)
    return threshold, clean(anomalous(scores, threshold), rule.clean_up)
