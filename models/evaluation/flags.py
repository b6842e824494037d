"""Which anomalous rows are reported: short stretches dropped, near ones merged, all widened.

One definition for reports and for the live alarm rule. :meth:`CleanUp.policy` is the same rule as
an :class:`~models.alarm.AlarmPolicy`: stepped through any flags, it opens one alarm for each
stretch that :func:`clean` returns, with its first and last row
(``tests/unit/models/test_flags.py``). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from models.alarm import AlarmPolicy
from models.evaluation.series import BoolArray, FloatArray, Span, mask_of, spans_of


@dataclass(frozen=True, slots=True)
class CleanUp:
    """The rule; its three steps are applied in this order.

    Attributes:
        min_length: Shorter stretches are dropped; rows; 1 drops none.
        merge_gap: Stretches with at most so many rows between them become one; 0 merges none.
        dilate: Rows added before and after each stretch; stretches that then meet are one.

    Raises:
        ValueError: If a number is below its least one.
    """

    min_length: int = 1
    merge_gap: int = 0
    dilate: int = 0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        for name, least in (("min_length", 1), ("merge_gap", 0), ("dilate", 0)):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} is {value}; expected a number of rows from {least} on")

    @property
    def joins(self) -> int:
        """The longest gap that does not part two stretches: merged, or closed by widening both."""
        return max(self.merge_gap, 2 * self.dilate)

    def policy(self) -> AlarmPolicy:
        """Return the same rule for the live alarm.

        A stretch raises its alarm when it is long enough, and clears it once the gap after it is
        too long to be bridged. Nobody can be told before it begins: widening decides which
        stretches are one and where they are drawn, and not when anybody is told.
        """
        return AlarmPolicy(
            on_delay_cycles=self.min_length,
            off_delay_cycles=1,
            deadband=0.0,
            merge_gap_cycles=self.joins,
        )


def anomalous(score: FloatArray, threshold: float | FloatArray) -> BoolArray:
    """Return which rows are anomalous: from the threshold on; never where there is no score.

    Args:
        score: Shape ``(rows,)``; NaN where there is none.
        threshold: One, or one per row.

    Example:
        >>> anomalous(np.array([np.nan, 1.0, 2.0]), 2.0).tolist()
        [False, False, True]
    """
    found: BoolArray = np.greater_equal(score, threshold)  # NaN is not greater than anything
    return found


def clean(flags: BoolArray, rule: CleanUp) -> BoolArray:
    """Return the rows that are reported; shape ``(rows,)``.

    Args:
        flags: Shape ``(rows,)``; which rows are anomalous. Not changed.
        rule: What is dropped, merged and widened.

    Example:
        >>> found = clean(np.array([1, 0, 1, 1, 0, 1, 1, 0, 0], bool), CleanUp(2, 1, 1))
        >>> found.astype(int).tolist()
        [0, 1, 1, 1, 1, 1, 1, 1, 0]
    """
    long = [span for span in spans_of(flags) if span[1] - span[0] >= rule.min_length]
    merged = _merged(long, rule.joins)
    return mask_of(((a - rule.dilate, b + rule.dilate) for a, b in merged), len(flags))


def _merged(spans: Iterable[Span], gap: int) -> list[Span]:
    found: list[Span] = []
    for start, stop in spans:
        if found and start - found[-1][1] <= gap:
            found[-1] = (found[-1][0], stop)
        else:
            found.append((start, stop))
    return found
