"""Thresholds of single streams, as they are typed: one that follows, or one of training scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.thresholding.rule import Rule, parse_rule
from models.thresholding.strategies import CalibrationScores
from models.thresholding.trailing import TrailingRule

TRAILING: Final = "trailing"


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


def fixed_threshold(past: NDArray[np.float64], rule: Rule) -> float:
    """Return the threshold that a rule chooses on the scores of training readings.

    Args:
        past: Shape ``(m,)``; NaN where there is none.
        rule: One that needs no faults.

    Raises:
        ValueError: If no score came, and the rule needs some.
    """
    known = past[~np.isnan(past)]
    some = np.ones(len(known), np.bool_)
    data = CalibrationScores(known, np.ones(len(known), np.int64), some, ~some)
    return float(rule.choose(data).value)


@dataclass(frozen=True, slots=True, eq=False)
class AssetThreshold:
    """One asset's threshold: where it is, or what it follows.

    Attributes:
        rule: How it follows; none for one that stands still.
        fixed: Where it stands; of no account where it follows.
        past: Final scores of the readings it was trained on, as if they had come later; what it
            follows from the first reading on.
    """

    rule: TrailingRule | None
    fixed: float
    past: NDArray[np.float32]

    @classmethod
    def of(cls, text: str, past: NDArray[np.float32]) -> AssetThreshold:
        """Return the threshold of a rule, as it is typed, and an asset's past.

        Raises:
            ValueError: If the rule is none, or nothing can be chosen on that past.
        """
        rule = parse_threshold(text)
        if isinstance(rule, TrailingRule):
            return cls(rule, float("inf"), past[-rule.length :])
        return cls(None, fixed_threshold(past.astype(np.float64), rule), past[:0])


@dataclass(frozen=True, slots=True)
class AssetFinals:
    """How an asset's scores become final, and what they are compared with.

    Attributes:
        threshold: The asset's own.
        half_life: Of the smoothing of its scores, readings; none does not smooth.
    """

    threshold: AssetThreshold
    half_life: float | None
