"""How often something may happen, by key or address: buckets of tokens that fill with time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_BUCKETS: Final = 10_000
"""About 1 MB. The bucket used longest ago is forgotten first; it is the fullest again."""


class RateLimit:
    """Lets ``per_minute`` happen at once, and as many a minute in the long run.

    Args:
        per_minute: How many, at least 1.
        monotonic: Tells the time, s.
    """

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._size = float(per_minute)
        self._per_s = per_minute / 60
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str) -> float:
        """Take one, and return 0; or take none, and return when there will be one again, s."""
        now = self._monotonic()
        tokens, since = self._buckets.pop(who, (self._size, now))
        tokens = min(self._size, tokens + max(0.0, now - since) * self._per_s)
        allowed = tokens >= 1
        self._buckets[who] = (tokens - 1 if allowed else tokens, now)
        while len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - tokens) / self._per_s
