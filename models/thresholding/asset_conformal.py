"""Alarm budgets that hold: at most a part ``alpha`` of new assets alarms falsely.

An asset alarms when ``on_delay`` scores in a row reach the threshold. So of an asset's healthy
record one number matters, its *peak*: the highest threshold that would still have raised an alarm.
A new asset is taken to be exchangeable with those calibrated on: the ``n`` peaks known and the new
one are equally likely in any order. Then whatever their distribution is, the new peak is among the
``k`` highest of ``n + 1`` with probability ``k / (n + 1)``, and a threshold just above the ``k``-th
highest peak known is reached by nobody else. With ``k = floor(alpha (n + 1))`` the promise holds;
it needs ``k >= 1``, or ``n >= 1 / alpha - 1`` assets.

Windows are not exchangeable, for those of one asset resemble each other: a quantile over windows
promises nothing of assets. Peaks must come from a model that never saw the asset
(``training/cross_fit.py``), or new assets score higher than those calibrated on.

References:
    Vovk, Gammerman, Shafer 2005, "Algorithmic Learning in a Random World", ch. 2 and 4 (conformal);
    Tukey 1947, doi:10.1214/aoms/1177730343 (statistically equivalent blocks, several kinds).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.alarm_defaults import BRIDGE_CYCLES, ON_DELAY_CYCLES
from models.thresholding.strategies import CalibrationScores, Choice, Options

ALPHA: Final = 0.05
"""Part of healthy lives that may get a false warning, unless said otherwise."""

ALPHA_STEP: Final = Fraction(1, 10_000)
"""The smallest possible part is rounded up to this, so that a manifest reads well."""

CENTRAL: Final = 0.75
"""Quantile that says how far peaks of one kind reach, where they are too few for each kind to have
a cut of its own. A higher one is drawn up by the very asset it is to be measured by: with .97 of 19
assets 6.4 to 8.4 % of new ones alarmed where 5 % were meant, with .75 5.1 to 6.0 %."""


@dataclass(frozen=True, slots=True)
class AlarmPeaks:
    """What one threshold would have had to exceed, for each asset.

    Attributes:
        units: Shape ``(m,)``; asset numbers, ascending.
        peaks: Shape ``(m,)``; highest threshold that would have raised an alarm; ``-inf`` for an
            asset without ``on_delay`` scores in a row, which no threshold makes alarm.
    """

    units: NDArray[np.int64]
    peaks: NDArray[np.float64]


def alarm_peaks(
    severity: NDArray[np.float64],
    units: NDArray[np.int64],
    cycles: NDArray[np.int64],
    on_delay: int = ON_DELAY_CYCLES,
    bridge: int = BRIDGE_CYCLES,
) -> AlarmPeaks:
    """Return the highest threshold at which each asset would have alarmed.

    It is the largest, over the asset's record, of the smallest of ``on_delay`` consecutive scores.

    Args:
        severity: Shape ``(n,)``; higher is more anomalous.
        units: Shape ``(n,)``; asset of each. Assets may be mixed; each one's order is kept.
        cycles: Shape ``(n,)``; cycle of each. Where one does not follow the one before it, by more
            than ``bridge`` missing cycles or by going back, a row ends.
        on_delay: Scores in a row that raise an alarm, at least 1.
        bridge: Missing cycles that do not end a row.

    Raises:
        ValueError: If shapes differ, a score is not a number, or ``on_delay`` is below 1.

    Example:
        >>> found = alarm_peaks(
        ...     np.array([1.0, 5, 4, 9, 2]), np.full(5, 7), np.arange(1, 6), on_delay=2
        ... )
        >>> found.units.tolist(), found.peaks.tolist()
        ([7], [4.0])
    """
    if not severity.shape == units.shape == cycles.shape or severity.ndim != 1:
        raise ValueError(
            f"scores {severity.shape}, units {units.shape} and cycles {cycles.shape} came; all "
            "must be (n,)"
        )
    if np.isnan(severity).any() or on_delay < 1:
        raise ValueError(f"scores that are numbers and on_delay from 1 expected; {on_delay} came")
    order = np.argsort(units, kind="stable")
    values = severity[order].astype(np.float64)
    distinct, owner = np.unique(units[order], return_inverse=True)
    steps = np.diff(cycles[order], prepend=cycles[order][:1] - 1)
    broken = (np.diff(owner, prepend=-1) != 0) | (steps < 1) | (steps > bridge + 1)
    stretch = np.cumsum(broken)
    peaks = np.full(len(distinct), -np.inf)
    rows = len(values) - on_delay + 1
    if rows > 0:
        lowest = np.lib.stride_tricks.sliding_window_view(values, on_delay).min(axis=1)
        whole = stretch[:rows] == stretch[on_delay - 1 :]
        np.maximum.at(peaks, owner[:rows][whole], lowest[whole])
    return AlarmPeaks(distinct.astype(np.int64), peaks)


def least_assets(alpha: float) -> int:
    """Return how many assets it takes to promise ``alpha``: the least ``n >= 1 / alpha - 1``.

    ``alpha`` counts as the decimal number it is written as, not as the float nearest to it.

    Raises:
        ValueError: If ``alpha`` is not between 0 and 1.

    Example:
        >>> least_assets(0.05), least_assets(0.1)
        (19, 9)
    """
    return math.ceil(1 / _written(alpha)) - 1


def least_alpha(n: int) -> float:
    """Return the smallest part that ``n`` assets can promise, ``1 / (n + 1)``, rounded up to 1e-4.

    Raises:
        ValueError: If there is no asset.

    Example:
        >>> least_alpha(19), least_alpha(16)
        (0.05, 0.0589)
    """
    if n < 1:
        raise ValueError("no asset came; an alarm budget needs some")
    return float(math.ceil(Fraction(1, n + 1) / ALPHA_STEP) * ALPHA_STEP)


def allowed(n: int, alpha: float) -> int:
    """Return how many of ``n`` assets may reach the threshold: ``floor(alpha (n + 1)) - 1``.

    A new asset reaches it only if its peak is above that of the next asset, the
    ``floor(alpha (n + 1))``-th: then it is among so many highest of ``n + 1``. With one more the
    probability would be above ``alpha``. Below 0 where ``n`` is less than :func:`least_assets`.

    Example:
        >>> allowed(19, 0.05), allowed(80, 0.05), allowed(18, 0.05)
        (0, 3, -1)
    """
    return math.floor(_written(alpha) * (n + 1)) - 1


def budget_threshold(peaks: NDArray[np.float64], alpha: float) -> Choice:
    """Choose the lowest threshold that at most a part ``alpha`` of new assets reaches.

    It is the next number above the highest peak that must not reach it.

    Args:
        peaks: Shape ``(n,)``; one of each asset, of a model that never saw it.
        alpha: Part of new assets, in their healthy lives.

    Returns:
        The threshold; ``windows`` is the number of assets.

    Raises:
        ValueError: If there are too few assets for ``alpha``, or too few that could alarm at all.
    """
    n = len(peaks)
    spare = _spare(n, alpha)
    next_peak = float(np.sort(peaks)[n - 1 - spare])
    if next_peak == -np.inf:
        raise ValueError(
            f"of {n} assets at most {spare} have enough healthy scores in a row to alarm at all; "
            f"more are needed to choose a threshold for a budget of {alpha:.4g}"
        )
    value = float(np.nextafter(next_peak, np.inf))
    return Choice(
        value,
        n,
        f"at most {100 * alpha:.4g} % of new assets get a false alarm in their healthy life; of "
        f"the {n} it was chosen on {int((peaks >= value).sum())} would have had one",
    )


def joint_scales(peaks_by_kind: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """Return one threshold for each kind of evidence, so that together they keep one budget.

    At most a part ``alpha`` of new assets reaches *any* of them. With ``k = floor(alpha (n + 1))``,
    assets are cut away one at a time, ``k`` of them: the kinds take turns, the first one first, and
    each cuts away the asset that reaches highest in it of those still there. A kind's threshold is
    just above the last one it cut away. An asset that is odd in several kinds is cut away once, and
    an odd one spends one of the ``k`` cuts, however far out it is.

    *Why it holds.* Each cut takes away a block of what is possible; where the next one is made
    depends only on what was cut away before. Such blocks are equivalent: a new asset lies in each
    with probability ``1 / (n + 1)``, so in any of them with ``k / (n + 1) <= alpha`` (Tukey 1947),
    whatever the joint distribution. Ties only lower it. Where kinds are independent, each has its
    turns' part of ``alpha``.

    Where ``k`` is less than the number of kinds, some would never have a turn. Then a peak counts
    by its distance from its kind's median, in distances of its kind's upper quartile, and one
    threshold is chosen for the largest over kinds. Median and quartile come from the same assets,
    so this holds approximately: simulated, 19 assets and two or three kinds at .05 gave .051 to
    .060, 16 at .0589 gave .062 to .072.

    Args:
        peaks_by_kind: Shape ``(n_assets, n_kinds)``; ``-inf`` where an asset could not alarm.
        alpha: Part of new assets, in their healthy lives.

    Returns:
        Shape ``(n_kinds,)``; an asset reaches a kind when its peak is at or above it.

    Raises:
        ValueError: If there is no kind, there are too few assets for ``alpha``, or too few that
            could alarm at all.
    """
    if peaks_by_kind.ndim != 2 or not peaks_by_kind.shape[1] or np.isnan(peaks_by_kind).any():
        raise ValueError(f"peaks of shape {peaks_by_kind.shape} came; (n_assets, n_kinds) expected")
    n, kinds = peaks_by_kind.shape
    cuts = _spare(n, alpha) + 1
    found = _cut_in_turn(peaks_by_kind, cuts) if cuts >= kinds else _one_cut(peaks_by_kind, cuts)
    if not np.isfinite(found).all():
        raise ValueError(
            f"of {n} assets too few have enough healthy scores in a row to alarm in each of "
            f"{kinds} kinds; more are needed for a budget of {alpha:.4g}"
        )
    return found


def joint_thresholds(
    scores: NDArray[np.float64],
    units: NDArray[np.int64],
    cycles: NDArray[np.int64],
    alpha: float,
    on_delay: int = ON_DELAY_CYCLES,
) -> NDArray[np.float64]:
    """Return one threshold for each kind of score, for an alarm that counts kinds together.

    Where the alarm looks at the severity, which is the largest of score over threshold, a row of
    ``on_delay`` may be of one kind first and of another then. :func:`joint_scales` looks at each
    kind's rows alone. So all thresholds are raised together, by the least factor with which no more
    of these assets alarm than may; mostly it is 1.

    Args:
        scores: Shape ``(n, n_kinds)``; of healthy windows, by models that never saw the asset.
        units: Shape ``(n,)``; asset of each.
        cycles: Shape ``(n,)``; as in :func:`alarm_peaks`.
        alpha: Part of new assets, in their healthy lives.
        on_delay: Scores in a row that raise an alarm.

    Returns:
        Shape ``(n_kinds,)``, above 0.

    Raises:
        ValueError: As :func:`joint_scales`; or if a threshold is not above 0, so that nothing can
            be measured in it.
    """
    kinds = [alarm_peaks(kind, units, cycles, on_delay).peaks for kind in scores.T]
    found = joint_scales(np.stack(kinds, axis=1), alpha)
    if (found <= 0.0).any():
        raise ValueError(
            f"thresholds {found.tolist()} came; a severity is a score over its threshold, so all "
            "must be above 0"
        )
    together = alarm_peaks((scores / found).max(axis=1), units, cycles, on_delay).peaks
    factor = max(1.0, budget_threshold(together, alpha).value)
    if factor == 1.0:
        return found
    # a little more than the next number: product and quotient are both rounded
    return found * (factor * (1.0 + 4 * np.finfo(np.float64).eps))


def asset_budget(data: CalibrationScores, options: Options) -> Choice:
    """Choose the lowest threshold that at most ``alpha`` of new assets' healthy lives reach.

    See :func:`budget_threshold`; the alarm is the live detector's default.

    Raises:
        ValueError: If there is no healthy window, or too few assets for ``alpha``.
    """
    peaks = _healthy_peaks(data)
    choice = budget_threshold(peaks, options["alpha"])
    return replace(choice, windows=int(data.healthy.sum()))


def least_asset_budget(data: CalibrationScores, options: Options) -> Choice:
    """Choose as :func:`asset_budget` does, for the smallest possible ``alpha`` if that is larger.

    Raises:
        ValueError: If there is no healthy window.
    """
    n = len(_healthy_peaks(data))
    asked, possible = options["alpha"], least_alpha(n)
    if possible <= asked:
        return asset_budget(data, options)
    choice = asset_budget(data, {**options, "alpha": possible})
    return replace(
        choice,
        reason=f"{choice.reason}; {100 * asked:.4g} % would need {least_assets(asked)} assets",
        options={"alpha": possible},
    )


def _healthy_peaks(data: CalibrationScores) -> NDArray[np.float64]:
    healthy = data.healthy
    if not healthy.any():
        raise ValueError("no healthy window came; the asset_budget strategy needs some")
    # without cycles places count, so that many windows that are not healthy still end a row
    cycles = np.arange(len(healthy)) if data.cycles is None else data.cycles
    return alarm_peaks(data.scores[healthy], data.units[healthy], cycles[healthy]).peaks


def _written(alpha: float) -> Fraction:
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha {alpha:g} came; a part between 0 and 1 was expected")
    return Fraction(repr(float(alpha)))


def _spare(n: int, alpha: float) -> int:
    """Return :func:`allowed`, or refuse."""
    spare = allowed(n, alpha)
    if spare < 0:
        possible = f"; these allow {least_alpha(n):.4g} at the least" if n else ""
        raise ValueError(
            f"{n} assets came; {least_assets(alpha)} are needed to promise that at most "
            f"{alpha:.4g} of new ones alarm falsely{possible}"
        )
    return spare


def _cut_in_turn(peaks: NDArray[np.float64], cuts: int) -> NDArray[np.float64]:
    n, kinds = peaks.shape
    there = np.ones(n, np.bool_)
    found = np.full(kinds, np.inf)
    for turn in range(cuts):
        kind = turn % kinds
        highest = int(np.argmax(np.where(there, peaks[:, kind], -np.inf)))
        found[kind] = peaks[highest, kind]
        there[highest] = False
    return np.where(np.isfinite(found), np.nextafter(found, np.inf), found)


def _one_cut(peaks: NDArray[np.float64], cuts: int) -> NDArray[np.float64]:
    middle, reach = np.quantile(peaks, (0.5, CENTRAL), axis=0, method="lower")
    if not np.isfinite(middle).all():
        return np.full(peaks.shape[1], -np.inf)
    # peaks that do not differ count by their distance as it is
    distance = np.where(reach > middle, reach - middle, 1.0)
    furthest = ((peaks - middle) / distance).max(axis=1)
    limit = np.sort(furthest)[len(peaks) - cuts]
    # also above what rounding would let through of the assets that must not alarm
    kept = peaks[furthest <= limit].max(axis=0)
    found: NDArray[np.float64] = np.nextafter(np.maximum(middle + limit * distance, kept), np.inf)
    return found
