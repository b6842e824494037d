"""Numbers to as many digits as 32 bits hold: more says nothing to whoever looks at evidence."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

DIGITS: Final = 7
TEXT: Final = f"%.{DIGITS}g"

POWERS: Final = np.array([float(f"1e{power}") for power in range(23)])
"""Of ten, as far as 64 bits hold them exactly."""

NEARLY_HALF: Final = 1e-6
"""A product is off by 1e-9 at most; nearer than this to a half nobody knows which way to go."""


def rounded(values: NDArray[np.float64]) -> list[Any]:
    """Return numbers to seven digits, none for what is no number; nested as they are.

    What is returned is the very number that its digits are read as.

    Args:
        values: Of any shape but that of a single number.

    Example:
        >>> rounded(np.array([[641.82000001, 1 / 3], [np.inf, 2e300]]))
        [[641.82, 0.3333333], [None, 2e+300]]
    """
    found, sure = _by_array(values)
    if not sure.all():
        left = values[~sure].tolist()
        found[~sure] = [float(TEXT % value) for value in left]
    numbers: list[Any] = found.tolist()
    for *outer, last in np.argwhere(~np.isfinite(found)).tolist():
        row = numbers
        for place in outer:
            row = row[place]
        row[last] = None
    return numbers


def _by_array(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return rounded numbers, and of which of them it is sure that they are what digits say."""
    with np.errstate(all="ignore"):  # what is no number, or far too large, is not sure
        exponents = np.floor(np.log10(np.abs(values)))
        shifts = DIGITS - 1 - exponents
        within = np.abs(shifts) < len(POWERS)
        powers = POWERS.take(np.where(within, np.abs(shifts), 0.0).astype(np.intp))
        up = shifts >= 0.0
        scaled = np.where(up, values * powers, values / powers)
        whole = np.rint(scaled)
        # a whole number below 2 ** 53 over a power of ten is the very double its digits are read as
        found = np.where(up, whole / powers, whole * powers)
        sizes = np.abs(whole)
        inside = (sizes >= 10.0 ** (DIGITS - 1)) & (sizes <= 10.0**DIGITS)
        tie = np.abs(np.abs(scaled - whole) - 0.5) < NEARLY_HALF
    sure: NDArray[np.bool_] = within & inside & ~tie
    return found, sure
