"""From an asset's scores to flags: the threshold of its own, then one clean-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.flags import CleanUp, anomalous, clean
from models.thresholding.rule import Rule, parse_rule
from models.thresholding.strategies import CalibrationScores
from models.thresholding.trailing import TrailingRule, trailing_thresholds

TRAILING: Final = "trailing"


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


def parse_threshold(text: str) -> TrailingRule | Rule:
    """Return the rule written as ``trailing:k=5,length=1440``, or as any other strategy is.

    Raises:
        ValueError: Saying what came and what was expected; also for a rule that needs faults, of
            which none are known where thresholds are chosen.

    Example:
        >>> parse_threshold("trailing:k=4").k
        4.0
    """
    name, _, rest = text.partition(":")
    if name.strip() != TRAILING:
        rule = parse_rule(text)
        if rule.needs_faults:
            raise ValueError(
                f"threshold strategy {rule.strategy!r} needs readings that are known to be faulty; "
                "the training readings of these streams have none, and those of the test are not "
                "for choosing"
            )
        return rule
    given: dict[str, float] = {}
    for part in filter(None, rest.split(",")):
        option, _, value = part.partition("=")
        if option.strip() not in TrailingRule.__dataclass_fields__:
            known = ", ".join(TrailingRule.__dataclass_fields__)
            raise ValueError(f"option {option.strip()!r} came; {TRAILING} has {known}")
        try:
            given[option.strip()] = float(value)
        except ValueError as exc:
            raise ValueError(f"{part!r} came; option=number was expected") from exc
    whole = {"length", "every", "fewest"}
    for name in whole & set(given):
        if not given[name].is_integer():
            raise ValueError(f"{name}={given[name]:g} came; a whole number was expected")
    fields = {name: int(value) if name in whole else value for name, value in given.items()}
    return TrailingRule(**fields)  # type: ignore[arg-type] # whole numbers are whole by now


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
        known = past[~np.isnan(past)]
        some = np.ones(len(known), np.bool_)
        data = CalibrationScores(known, np.ones(len(known), np.int64), some, ~some)
        threshold = rule.threshold.choose(data).value
    return threshold, clean(anomalous(scores, threshold), rule.clean_up)
