"""From scores of assets, whether or not their fate is known, to two thresholds: named strategies.

``warning`` needs no labels but "healthy"; ``critical`` may use the fault label too. Anomalous is
``score >= threshold``. To add a strategy: write a function of :class:`CalibrationScores` and
enter it in :data:`STRATEGIES`. ``peaks_over_threshold.py`` holds the one that models the tail,
``asset_conformal.py`` the one whose false alarms are counted in assets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

Options = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CalibrationScores:
    """Scores of windows with what is known of each.

    Attributes:
        scores: Shape ``(n,)``, finite.
        units: Shape ``(n,)``; asset number.
        healthy: Shape ``(n,)``; true where known to be of a sound machine.
        faulty: Shape ``(n,)``; true where known to be of a failing one. Never true where
            ``healthy`` is.
        cycles: Shape ``(n,)``; cycle at each window's end, in order within an asset; none where
            nobody knows: then windows that follow each other count as consecutive.
    """

    scores: NDArray[np.float64]
    units: NDArray[np.int64]
    healthy: NDArray[np.bool_]
    faulty: NDArray[np.bool_]
    cycles: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold and why it is this one.

    Attributes:
        value: Anomalous when ``score >= value``.
        windows: How many windows the strategy looked at.
        reason: The choice in one sentence, without a full stop.
        options: Options that were chosen too, since what was meant is not possible on these data.
    """

    value: float
    windows: int
    reason: str
    options: Options = field(default_factory=dict)


Choose = Callable[[CalibrationScores, Options], Choice]

MAD_TO_SD: Final = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


def quantile(data: CalibrationScores, options: Options) -> Choice:
    """Choose the quantile ``q`` of all healthy windows' scores, pooled over assets."""
    healthy = _healthy(data, "quantile")
    q = options["q"]
    return Choice(
        float(np.quantile(healthy, q)), len(healthy), f"{q:.4g} of healthy windows score below it"
    )


def robust_quantile(data: CalibrationScores, options: Options) -> Choice:
    """Choose a high but robust value of the assets' own quantiles ``q``.

    Each asset's healthy windows give one quantile; of these the median plus ``spread`` robust
    deviations (1.4826 times the median absolute deviation) is chosen. One odd asset moves it
    little, while it may decide a pooled quantile alone. With ``pieces`` above 1 each asset's
    windows give so many, one for each piece of its time: then one asset alone has a deviation, too.
    """
    healthy = _healthy(data, "robust_quantile")
    units = data.units[data.healthy]
    pieces = int(options.get("pieces", 1))
    parts = [
        part
        for unit in np.unique(units)
        for part in np.array_split(healthy[units == unit], pieces)
        if len(part)
    ]
    own = np.array([np.quantile(part, options["q"]) for part in parts])
    median = float(np.median(own))
    deviation = MAD_TO_SD * float(np.median(np.abs(own - median)))
    return Choice(
        median + options["spread"] * deviation,
        len(healthy),
        f"each of {len(own)} {'assets' if pieces == 1 else 'pieces of the assets'} has its "
        f"quantile {options['q']:.4g} of healthy windows; this "
        f"is their median plus {options['spread']:g} robust deviations",
    )


def capped_quantile(data: CalibrationScores, options: Options) -> Choice:
    """Choose the pooled :func:`quantile`, unless a few odd assets push it too high.

    Then :func:`robust_quantile` with the same options is lower, and is chosen.
    """
    pooled, robust = quantile(data, options), robust_quantile(data, options)
    if pooled.value <= robust.value:
        return pooled
    return replace(
        robust,
        reason=f"{robust.reason}; the pooled quantile, {pooled.value:.4g}, is due to few assets",
    )


def zscore(data: CalibrationScores, options: Options) -> Choice:
    """Choose the mean of healthy windows' scores plus ``k`` standard deviations."""
    healthy = _healthy(data, "zscore")
    value = float(healthy.mean() + options["k"] * healthy.std())
    return Choice(
        value, len(healthy), f"mean plus {options['k']:g} standard deviations of healthy windows"
    )


def maximum(data: CalibrationScores, options: Options) -> Choice:
    """Choose what no healthy window's score reached, times ``margin``.

    It says something only of scores that were made without these windows (``cross_fit.py``).
    """
    healthy = _healthy(data, "maximum")
    value = float(np.nextafter(healthy.max() * options["margin"], np.inf))
    return Choice(
        value, len(healthy), f"{options['margin']:g} times the highest score of a healthy window"
    )


def alarm_budget(data: CalibrationScores, options: Options) -> Choice:
    """Choose the lowest threshold that keeps to a budget of false alarms.

    At most ``per_1000`` of 1000 healthy windows reach it, over all engines. If then fewer than
    ``coverage`` of the engines with faulty windows reach it in one of these, it is lowered until
    they do, and the sentence says what that costs.
    """
    healthy = _healthy(data, "alarm_budget")
    allowed = math.floor(options["per_1000"] * len(healthy) / 1000)
    descending = np.sort(healthy)[::-1]
    # above the first score that is one too many; equal scores all fall
    value = float(
        np.nextafter(descending[allowed], np.inf) if allowed < len(healthy) else descending[-1]
    )
    peaks = np.sort(
        [data.scores[data.faulty & (data.units == unit)].max()
         for unit in np.unique(data.units[data.faulty])]
    )[::-1]  # fmt: skip
    needed = math.ceil(options["coverage"] * len(peaks))
    reason = f"at most {options['per_1000']:g} of 1000 healthy windows reach it"
    if needed and peaks[needed - 1] < value:
        value = float(peaks[needed - 1])
        spent = 1000 * float((healthy >= value).mean())
        reason = (
            f"the budget of {options['per_1000']:g} in 1000 healthy windows would cover too few "
            f"assets; lowered until {options['coverage']:.4g} of them are caught, which costs "
            f"{spent:.1f}"
        )
    return Choice(value, len(healthy) + int(data.faulty.sum()), reason)


def best_f1(data: CalibrationScores, options: Options) -> Choice:
    """Choose the score at which calling ``score >= threshold`` faulty has the highest F1.

    All windows count: those neither healthy nor faulty are negatives. Among equals the highest
    threshold wins, which has the fewest alarms.
    """
    candidates, hits, alarms, n_faulty = _trade_off(data, "best_f1")
    # one division of whole numbers: equal F1s are equal floats, and ties are seen
    f1 = 2 * hits / (alarms + n_faulty)
    best = int(np.argmax(f1))
    return Choice(
        float(candidates[best]), len(data.scores), f"highest F1 on these windows, {f1[best]:.3f}"
    )


def precision_floor(data: CalibrationScores, options: Options) -> Choice:
    """Choose the highest recall of faulty windows at a precision of at least ``precision``.

    If no threshold has that precision, the most precise one is chosen, and the sentence says so.
    """
    candidates, hits, alarms, n_faulty = _trade_off(data, "precision_floor")
    precision, recall = hits / alarms, hits / n_faulty
    enough = precision >= options["precision"]
    if not enough.any():
        best = int(np.argmax(precision))
        reason = f"no threshold is {options['precision']:.4g} precise; the most precise is"
    else:
        best = int(np.argmax(np.where(enough, recall, -1.0)))
        reason = f"highest recall at a precision of at least {options['precision']:.4g}:"
    return Choice(
        float(candidates[best]),
        len(data.scores),
        f"{reason} {precision[best]:.3f}, recall {recall[best]:.3f}",
    )


def _healthy(data: CalibrationScores, strategy: str) -> NDArray[np.float64]:
    healthy = data.scores[data.healthy]
    if not len(healthy):
        raise ValueError(f"no healthy window came; the {strategy} strategy needs some")
    return healthy


def _trade_off(
    data: CalibrationScores, strategy: str
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], int]:
    """Return each distinct score, highest first, with what a threshold there takes in.

    Returns:
        The scores; how many faulty windows each takes in; how many windows; how many are faulty.
    """
    n_faulty = int(data.faulty.sum())
    if not n_faulty:
        raise ValueError(f"no faulty window came; the {strategy} strategy needs some")
    order = np.argsort(-data.scores, kind="stable")
    descending = data.scores[order]
    hits = np.cumsum(data.faulty[order])
    alarms = np.arange(1, len(order) + 1)
    # a threshold takes in every window of equal score: only the last of equals is a candidate
    last_of_equals = np.append(descending[:-1] != descending[1:], True)
    return (
        descending[last_of_equals],
        hits[last_of_equals],
        alarms[last_of_equals],
        n_faulty,
    )
