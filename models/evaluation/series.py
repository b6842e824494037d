"""What one model found in one series: all that metrics, tables and reports need of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating]
BoolArray: TypeAlias = NDArray[np.bool_]

Span: TypeAlias = tuple[int, int]
"""Rows ``[start, stop)``: the first one in it, and the first one after it."""


@dataclass(frozen=True, slots=True)
class SeriesResult:
    """One model's scores and flags of one series whose anomalies are known.

    Attributes:
        series: Its name, such as ``A-1``.
        spacecraft: The data set it is of, such as ``SMAP``.
        clean: Whether nobody disputes its labels.
        model: Name of the model.
        signal: Shape ``(rows,)``; the telemetry, to be drawn.
        true: Its anomalies, ascending, apart from each other; empty if it has none.
        provisional: Shape ``(rows,)``; the score that is there at once; higher is more anomalous;
            NaN where there is none.
        final: Shape ``(rows,)``; the score that is there when all windows over the row are; NaN
            where there is none.
        threshold: Of the score that flags; anomalous from it on; one number, or one per row.
        flags: Shape ``(rows,)``; which rows are reported, after the clean-up.
        wait_rows: After how many more readings the score that flags a row is there; 0 for the
            provisional one.

    Raises:
        ValueError: If lengths differ, a true interval is empty or lies outside, or they overlap.
    """

    series: str
    spacecraft: str
    clean: bool
    model: str
    signal: FloatArray
    true: tuple[Span, ...]
    provisional: FloatArray
    final: FloatArray
    threshold: float | FloatArray
    flags: BoolArray
    wait_rows: int = 0

    def __post_init__(self) -> None:
        """Refuse what no figure could be computed from."""
        rows = len(self.signal)
        for name in ("signal", "provisional", "final", "flags"):
            shape = getattr(self, name).shape
            if shape != (rows,):
                raise ValueError(f"{self.label}: {name} has the shape {shape}; expected ({rows},)")
        if not isinstance(self.threshold, float | int) and self.threshold.shape != (rows,):
            shape = self.threshold.shape
            raise ValueError(f"{self.label}: threshold has the shape {shape}; expected ({rows},)")
        problem = spans_problem(self.true, rows)
        if problem:
            raise ValueError(f"{self.label}: {problem}")

    @property
    def label(self) -> str:
        """Return such as ``SMAP A-1``."""
        return f"{self.spacecraft} {self.series}"

    @property
    def rows(self) -> int:
        """Return how many readings there are."""
        return len(self.signal)

    @property
    def truth(self) -> BoolArray:
        """Shape ``(rows,)``; which rows are of an anomaly."""
        return mask_of(self.true, self.rows)

    @property
    def found(self) -> tuple[Span, ...]:
        """The reported stretches."""
        return spans_of(self.flags)


def spans_of(mask: BoolArray) -> tuple[Span, ...]:
    """Return the stretches of true rows, ascending.

    Args:
        mask: Shape ``(rows,)``.

    Example:
        >>> spans_of(np.array([True, True, False, True]))
        ((0, 2), (3, 4))
    """
    padded = np.zeros(len(mask) + 2, np.int8)
    padded[1:-1] = mask
    steps = np.diff(padded)
    starts, stops = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return tuple(zip(starts.tolist(), stops.tolist(), strict=True))


def mask_of(spans: Iterable[Span], rows: int) -> BoolArray:
    """Return which of ``rows`` rows lie in one of the spans; what lies outside is cut off.

    Example:
        >>> mask_of([(1, 3)], 4).tolist()
        [False, True, True, False]
    """
    mask = np.zeros(rows, np.bool_)
    for start, stop in spans:
        mask[max(0, start) : max(0, stop)] = True
    return mask


def spans_problem(spans: tuple[Span, ...], rows: int) -> str:
    """Return what is wrong with the true intervals of a series; empty if nothing is.

    Example:
        >>> spans_problem(((3, 5), (4, 9)), 10)
        'the intervals [3, 5) and [4, 9) overlap, or are not in order: expected them ascending'
    """
    for start, stop in spans:
        if not 0 <= start < stop <= rows:
            return f"the interval [{start}, {stop}) does not lie in the {rows} rows there are"
    for (start, stop), (begin, end) in itertools.pairwise(spans):
        if begin < stop:
            return (
                f"the intervals [{start}, {stop}) and [{begin}, {end}) overlap, or are not in "
                "order: expected them ascending"
            )
    return ""
