"""What the detectors' ``/metrics`` pages say: latency quantiles, and whether they are at rest."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

from common.metering.names import IN_HAND, LATENCY


def at_rest(pages: Iterable[str]) -> bool:
    """Return whether no worker has a batch in hand: what was received is stored and published."""
    return not any(
        sample.value
        for page in pages
        for family in text_string_to_metric_families(page)
        if family.name == IN_HAND.name
        for sample in family.samples
    )


def merged_buckets(pages: Iterable[str]) -> dict[float, float]:
    """Return the cumulative counts by upper bound (s), summed over the workers' pages."""
    merged: dict[float, float] = {}
    for page in pages:
        for family in text_string_to_metric_families(page):
            if family.name != LATENCY.name:
                continue
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    bound = float(sample.labels["le"])
                    merged[bound] = merged.get(bound, 0.0) + sample.value
    return merged


def counted_since(
    before: Mapping[float, float], after: Mapping[float, float]
) -> dict[float, float]:
    """Return the cumulative counts by upper bound of what came between two readings of the pages.

    A worker that restarted in between counts from zero again; what it had counted is lost, and no
    count is below zero.

    Example:
        >>> counted_since({1.0: 5.0, math.inf: 6.0}, {1.0: 7.0, math.inf: 10.0})
        {1.0: 2.0, inf: 4.0}
    """
    return {bound: max(0.0, count - before.get(bound, 0.0)) for bound, count in after.items()}


def quantile_s(buckets: Mapping[float, float], q: float) -> float | None:
    """Return a quantile, interpolated within its bucket; none if nothing was counted.

    Args:
        buckets: Cumulative counts by upper bound, s; the last bound is infinity.
        q: From 0 to 1.

    Returns:
        Seconds. A quantile beyond the last finite bound is that bound.

    Example:
        >>> quantile_s({0.5: 0, 1.0: 50, 2.0: 100, math.inf: 100}, 0.75)
        1.5
    """
    steps = sorted(buckets.items())
    if not steps or not steps[-1][1]:
        return None
    wanted = q * steps[-1][1]
    for (low, before), (high, until) in pairwise([(0.0, 0.0), *steps]):
        if until >= wanted and until > before:
            if math.isinf(high):
                return low
            return low + (high - low) * (wanted - before) / (until - before)
    return steps[-1][0]
