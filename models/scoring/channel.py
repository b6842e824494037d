"""The channel score: one channel, much. What the trend scores cannot see, for they ask for many.

A sensor that fails moves alone, so here the *oddest* channel counts. Three statistics of each are
measured against what sound assets reach:

* level, ``|mean of the last 5 rows|``: a fault that came and stayed;
* slope, ``|least-squares slope over the window|``: a step or a ramp. Assets differ in level more
  than rows of one asset do, and a slope does not see that, so it finds smaller faults sooner;
* spread, root mean square of the differences from row to row: noise, whatever the level does.

A channel that is noisier than usual moves a mean and a slope by its noise alone, so both are
divided by how many times its usual spread it has. (One FD003 engine in eight has a fan speed of
ten times the usual noise; without this, all others' steps hide behind those few.)

A statistic's scale is what 95 % of the sound assets stay below. In these scales the tails of all
channels and statistics are alike, and the largest of all is a fair score: about 1 is the most a
usual channel of a usual asset reaches in its healthy life. Chosen on fit and validation engines of
C-MAPSS, where contrasts of last and first rows, or a search for the best step, added nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import Contributions, ScoreParams
from models.scoring.measures.courses import Courses, slope_weights

LEVEL, SLOPE, SPREAD = "level_scale", "slope_scale", "spread_scale"
USUAL_SPREAD: Final = "usual_spread"

CHANNEL_PARAMS: Final = frozenset({LEVEL, SLOPE, SPREAD, USUAL_SPREAD})
"""What :func:`fit_channel` learned, each of shape ``(n_channels,)``, positive."""

LEVEL_WEIGHT: Final = 0.75
"""Weight of the level beside the two others. Levels have the heaviest tails over assets (one engine
of FD004 stays at 8 deviations); with a weight of 1 they alone would set the threshold there."""

USUAL_ASSETS: Final = 0.95
"""Part of the sound assets that stay below a scale. One odd asset never sets it."""

SPELL: Final = 3
"""An asset reaches a value when it does in this many windows: as many as raise an alarm."""

MIN_SCALE: Final = 1e-9
"""A statistic that stays below this when healthy never moves; it then counts as it is."""

LIMIT: Final = 1e6
"""No evidence is above this, however still a channel was when healthy."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What is measured of each channel of each window, ``(n, n_channels)`` each, in deviations.

    Attributes:
        level: Size of the mean of the last rows.
        slope: Size of the least-squares slope, per row; 0 for windows of one row.
        spread: Root mean square difference of neighbours; 0 for windows of one row.
    """

    level: NDArray[np.float64]
    slope: NDArray[np.float64]
    spread: NDArray[np.float64]


def fit_channel(windows: NDArray[np.float32], units: NDArray[np.int64]) -> ScoreParams:
    """Return what sound machines' channels do, by :data:`CHANNEL_PARAMS`.

    ``usual_spread`` is the median over assets of each one's median spread. The scales are what 95 %
    of the assets stay below, rounded down to one of them; what an asset reaches is the third
    largest value over its windows (the smallest, if it has fewer).

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored, of sound machines.
        units: Shape ``(n,)``; which asset each window is of, in any order.

    Raises:
        ValueError: If no window came, or the shapes differ.
    """
    if not len(windows) or units.shape != windows.shape[:1]:
        raise ValueError(
            f"windows {windows.shape} of units {units.shape} came; at least one window, and a unit "
            "for each, was expected"
        )
    # an asset at a time: all windows in 64 bits at once would be twice as large
    assets = [statistics(Courses.of(windows[units == unit])) for unit in np.unique(units)]
    spread = _scale([each.spread for each in assets])
    usual = np.median([np.median(each.spread, axis=0) for each in assets], axis=0)
    usual = np.where(usual > MIN_SCALE, usual, spread)
    noises = [_noise(each, usual) for each in assets]
    pairs = list(zip(assets, noises, strict=True))
    return {
        LEVEL: _scale([each.level / noise for each, noise in pairs]),
        SLOPE: _scale([each.slope / noise for each, noise in pairs]),
        SPREAD: spread,
        USUAL_SPREAD: usual,
    }


def channel_score(
    windows: NDArray[np.float32], params: ScoreParams, courses: Courses | None = None
) -> Contributions:
    """Return how far each window's oddest channel is from its own healthy distribution.

    With ``noise = max(1, spread / usual_spread)`` and ``evidence = max(0.75 * |level| / noise /
    level_scale, slope / noise / slope_scale, spread / spread_scale)`` of each channel, the total is
    the largest evidence, and ``channels`` holds all of them. Signs are of a channel's level, the
    mean of its last 5 rows, against the healthy mean of its regime: what an operator reads, also
    where a slope or a spread speaks.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        params: What :func:`fit_channel` returned.
        courses: Of these windows, where they are measured already.

    Example:
        >>> params = {name: np.ones(1) for name in CHANNEL_PARAMS}
        >>> found = channel_score(np.full((1, 5, 1), -4.0, np.float32), params)
        >>> found.totals.tolist(), found.signs.tolist()
        ([3.0], [[-1]])
    """
    courses = courses or Courses.of(windows)
    found = statistics(courses)
    noise = _noise(found, params[USUAL_SPREAD])
    evidence = found.level * (LEVEL_WEIGHT / params[LEVEL])
    evidence /= noise
    slope = found.slope / params[SLOPE]
    slope /= noise
    np.maximum(evidence, slope, out=evidence)
    np.maximum(evidence, found.spread / params[SPREAD], out=evidence)
    np.minimum(evidence, LIMIT, out=evidence)
    totals: NDArray[np.float64] = np.maximum.reduce(evidence, axis=1)
    return Contributions(totals, evidence, courses.signs)


def statistics(courses: Courses) -> Statistics:
    """Return each channel's level, slope and spread.

    Args:
        courses: Of windows, z-scored.

    Example:
        >>> found = statistics(Courses.of(np.arange(8, dtype=np.float32).reshape(1, 8, 1)))
        >>> [float(each[0, 0].round(6)) for each in (found.level, found.slope, found.spread)]
        [5.0, 1.0, 1.0]
    """
    # Sums over time add row after row: one window alone gives the same bits as in a batch, and a
    # view the same as its copy. einsum does so five times as fast for this shape.
    rows, (level, slope) = courses.rows, courses.sizes
    if rows.shape[2] == 1:  # it was always added in another order here
        slope = np.abs(np.einsum("wnc,w->nc", rows, slope_weights(len(rows))))
    moves = rows[1:] - rows[:-1]
    squares = np.einsum("wnc,wnc->nc", moves, moves)
    squares /= max(1, len(rows) - 1)
    return Statistics(level, slope, np.sqrt(squares, out=squares))


def _noise(found: Statistics, usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many times the usual spread each channel has, at least 1."""
    return np.maximum(found.spread / usual, 1.0)


def _scale(statistic: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return what 95 % of the assets stay below, of ``(n, n_channels)`` of each."""
    reached = [np.sort(values, axis=0)[-min(SPELL, len(values))] for values in statistic]
    usual = np.quantile(reached, USUAL_ASSETS, axis=0, method="lower")
    return np.where(usual > MIN_SCALE, usual, 1.0)
