"""95 % intervals by drawing engines again and again, with replacement.

Windows of one engine resemble each other, so windows must not be drawn: 3,000 windows of 20 engines
are 20 observations, not 3,000. Every resample is a vector of engine weights, and every metric is
computed from sums over engines: no resample is ever built, so 1000 of them cost little more than
one. All models are measured on the same resamples, which makes their differences paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.intervals import Interval, proportion_interval
from models.evaluation.measure import Scored, lead_cycles

LEVEL: Final = 0.95
MIN_FINITE: Final = 0.5
"""A metric that is undefined in more of the resamples than this has no interval."""

CHUNK: Final = 500
"""Resamples at a time, to bound memory."""

LEVELS: Final = ("warning", "critical")
FALSE_ALARMS: Final = "false_alarms_per_1000"
LEVEL_METRICS: Final = ("f1", "precision", "recall", FALSE_ALARMS, "lead_mean")

Draws = dict[str, NDArray[np.float64]]
"""Metric (``auc``, ``critical.f1``, ...) to its value in each resample, nan where undefined."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher one model's metric is than another's, on the same resamples.

    Attributes:
        value: On the engines as they are.
        interval: 95 %; none if undefined.
    """

    value: float
    interval: Interval | None

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval is not None and self.interval.excludes_zero


@dataclass(frozen=True, slots=True)
class Resamples:
    """Draws of engines, shared by all models of a comparison.

    Attributes:
        units: Shape ``(n_engines,)``; the engines, ascending.
        weights: Shape ``(n_resamples, n_engines)``; how often each was drawn; rows sum to
            ``n_engines``.
    """

    units: NDArray[np.int64]
    weights: NDArray[np.float64]


def draw_engines(units: NDArray[np.int64], n_resamples: int, seed: int = 0) -> Resamples:
    """Draw as many engines as there are, with replacement, ``n_resamples`` times.

    Args:
        units: Any shape; engine numbers, repeated as often as you like.
        n_resamples: At least 1.
        seed: Same seed, same draws.

    Raises:
        ValueError: If there is no engine or no resample.
    """
    distinct = np.unique(units)
    if not len(distinct) or n_resamples < 1:
        raise ValueError(
            f"{len(distinct)} engines and {n_resamples} resamples came; at least 1 of each expected"
        )
    rng = np.random.default_rng(seed)
    n = len(distinct)
    weights = rng.multinomial(n, np.full(n, 1.0 / n), size=n_resamples)
    return Resamples(distinct, weights.astype(np.float64))


def draws(scored: Scored, resamples: Resamples) -> Draws:
    """Return every metric in every resample.

    Args:
        scored: One model on the engines that were drawn.
        resamples: From :func:`draw_engines`.

    Raises:
        ValueError: If a window is of an engine that could not be drawn.
    """
    if not np.isin(scored.units, resamples.units).all():
        raise ValueError("windows of engines came that are not among the resampled ones")
    engine = np.searchsorted(resamples.units, scored.units)
    found: Draws = {
        "auc": _auc(scored, engine, resamples.weights),
        "pr_auc": _average_precision(scored, engine, resamples.weights),
    }
    for level in LEVELS:
        values = _at_level(scored, engine, resamples, level)
        found |= {f"{level}.{name}": value for name, value in values.items()}
    return found


def intervals(found: Draws, scored: Scored) -> dict[str, Interval | None]:
    """Return the percentile interval of each metric.

    Where every draw gives the same number, as 0 false alarms in 20 engines do, resampling says
    nothing of other engines. Then it is Wilson's interval of that part of as many engines as the
    metric is measured on; of a lead, which is no part of anything, there is none.

    Args:
        found: From :func:`draws`.
        scored: What was drawn from.
    """
    failing, sound = (
        len(np.unique(scored.units[mask])) for mask in (scored.faulty, scored.healthy)
    )
    return {
        name: interval(values)
        or _of_one_value(name, values, sound if name.endswith(FALSE_ALARMS) else failing)
        for name, values in found.items()
    }


def interval(values: NDArray[np.float64]) -> Interval | None:
    """Return the central 95 % of the values; none if too few are defined, or that has no width."""
    finite = values[np.isfinite(values)]
    if len(finite) < max(1.0, MIN_FINITE * len(values)):
        return None
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high)) if low < high else None


def _of_one_value(name: str, values: NDArray[np.float64], engines: int) -> Interval | None:
    finite = values[np.isfinite(values)]
    if len(finite) < max(1.0, MIN_FINITE * len(values)) or name.endswith("lead_mean"):
        return None
    scale = 1000.0 if name.endswith(FALSE_ALARMS) else 1.0
    # the middle of all but equal draws
    found = proportion_interval(float(np.median(finite)) / scale * engines, engines)
    return None if found is None else Interval(scale * found.low, scale * found.high)


def difference(
    name: str,
    model: Mapping[str, float | None],
    other: Mapping[str, float | None],
    model_draws: Draws,
    other_draws: Draws,
) -> Difference | None:
    """Return ``model - other`` in one metric, paired by resample; none if either lacks it.

    Args:
        name: Of the metric, such as ``critical.f1``.
        model: The model's values on the engines as they are.
        other: The other's.
        model_draws: The model's values in each resample.
        other_draws: The other's, in the same resamples.
    """  # fmt: skip
    first, second = model[name], other[name]
    if first is None or second is None:
        return None
    return Difference(first - second, interval(model_draws[name] - other_draws[name]))


def _auc(
    scored: Scored, engine: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted Mann-Whitney: pairs won between engine i's faulty and engine j's other windows."""
    n = weights.shape[1]
    won, pairs = np.zeros((n, n)), np.zeros((n, n))
    faulty = scored.faulty
    positive, owner = scored.scores[faulty], engine[faulty]
    n_positive = np.bincount(owner, minlength=n)
    for j in range(n):
        negative = np.sort(scored.scores[(engine == j) & ~faulty])
        below = np.searchsorted(negative, positive, "left")
        not_above = np.searchsorted(negative, positive, "right")
        won[:, j] = np.bincount(owner, (below + not_above) / 2, minlength=n)
        pairs[:, j] = n_positive * len(negative)
    return _ratio(
        np.einsum("bi,ij,bj->b", weights, won, weights, optimize=True),
        np.einsum("bi,ij,bj->b", weights, pairs, weights, optimize=True),
    )


def _average_precision(
    scored: Scored, engine: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted average precision; only the scores of faulty windows move recall, so only they."""
    faulty = scored.faulty
    steps = np.unique(scored.scores[faulty])[::-1]
    n = weights.shape[1]
    reached = np.zeros((len(steps), n))  # windows of each engine at or above each step
    hits = np.zeros((len(steps), n))  # faulty ones among them
    for j in range(n):
        own = engine == j
        for counts, mask in ((reached, own), (hits, own & faulty)):
            ascending = np.sort(scored.scores[mask])
            counts[:, j] = len(ascending) - np.searchsorted(ascending, steps, "left")
    parts = []
    for start in range(0, len(weights), CHUNK):
        drawn = weights[start : start + CHUNK].T
        true = hits @ drawn  # (steps, resamples)
        precision = true / np.maximum(reached @ drawn, 1.0)
        gained = np.diff(true, axis=0, prepend=0.0)
        parts.append(_ratio((gained * precision).sum(axis=0), true[-1:].sum(axis=0)))
    return np.concatenate(parts)


def _at_level(scored: Scored, engine: NDArray[np.int64], resamples: Resamples, level: str) -> Draws:
    anomalous = scored.reached(level)
    weights = resamples.weights

    def total(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        return weights @ np.bincount(engine[mask], minlength=weights.shape[1])

    hits = total(anomalous & scored.faulty)
    reported, faulty = total(anomalous), total(scored.faulty)
    healthy = total(scored.healthy)
    leads = np.full(weights.shape[1], np.nan)
    for unit in np.unique(scored.units[scored.faulty]):
        own = scored.units == unit
        lead = lead_cycles(anomalous[own], scored.rul[own])
        if lead is not None:
            leads[np.searchsorted(resamples.units, unit)] = lead
    caught = np.isfinite(leads)
    return {
        "f1": np.where(faulty > 0, 2 * hits / np.maximum(reported + faulty, 1.0), np.nan),
        # as in evaluation/measure.py, precision is 0 when nothing is reported
        "precision": np.where(faulty > 0, hits / np.maximum(reported, 1.0), np.nan),
        "recall": _ratio(hits, faulty),
        FALSE_ALARMS: 1000 * _ratio(total(anomalous & scored.healthy), healthy),
        "lead_mean": _ratio(weights @ np.where(caught, leads, 0.0), weights @ caught),
    }


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quotient, nan where the denominator is 0."""
    quotient = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=denominator > 0)
    return quotient
