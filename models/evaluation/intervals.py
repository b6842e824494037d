"""95 % intervals: what they are, Wilson's for counts of assets, and how they are written.

No interval has width zero: where draws of assets do not differ, few assets are still few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

Z: Final = 1.959964
"""The normal distribution's quantile .975."""

MORE_DIGITS: Final = 6
"""Digits added at most to bounds that would read alike."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A central 95 % interval."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference with this interval is significant."""
        return self.low > 0.0 or self.high < 0.0

    def written(self, digits: int) -> tuple[str, str]:
        """Return both bounds, with more digits where they would read alike.

        Example:
            >>> Interval(0.99991, 1.0).written(3)
            ('0.9999', '1.0000')
        """
        for more in range(MORE_DIGITS + 1):
            low, high = (f"{bound:.{digits + more}f}" for bound in (self.low, self.high))
            if low != high:
                break
        return low, high


def proportion_interval(hits: float, n: int) -> Interval | None:
    """Return Wilson's 95 % interval of ``hits`` out of ``n``; none if ``n`` is 0.

    For counts of assets, where resampling 20 out of 20 would give no width at all.

    Args:
        hits: From 0 to ``n``; a mean of parts times ``n`` need not be whole.
        n: Assets, which are independent of each other; not windows, which are not.

    References:
        Wilson 1927, doi:10.1080/01621459.1927.10502953.

    Example:
        >>> found = proportion_interval(20, 20)
        >>> round(found.low, 3), found.high
        (0.839, 1.0)
    """
    return wilson(hits, n) if n else None


def wilson(hits: float, n: float) -> Interval:
    """Return Wilson's interval of ``n`` above 0, which need not be whole.

    So it also serves windows, with the number of independent ones they are worth. It holds
    ``hits / n`` itself, also where the last bit of a bound falls on the wrong side of it.
    """
    centre = (hits + Z * Z / 2) / (n + Z * Z)
    half = Z / (n + Z * Z) * math.sqrt(max(0.0, hits * (n - hits) / n) + Z * Z / 4)
    part = hits / n
    return Interval(max(0.0, min(part, centre - half)), min(1.0, max(part, centre + half)))
