"""How anomalous is a window: named scores as pure functions of (windows, what was expected).

Every score gives one non-negative contribution per channel and a total; higher is more anomalous.
``expected`` is the network's reconstruction, or zeros (the healthy mean) for a score that uses no
network. What a score first learned of healthy windows (``training/score_fits.py``) travels in the
artifact. To add one: write its function, enter it in :data:`SCORES` and its fit in
``score_fits.FITS``; the property tests in ``tests/unit/models/test_scoring.py`` then run over it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.channel import channel_score
from models.scoring.measures import (
    change,
    forest,
    moves,
    nearest,
    nearest_window,
    subspace,
    topk,
    trend,
    views,
    window_pca,
)
from models.scoring.measures.contributions import (
    RECENT_ROWS,
    Contributions,
    ScoreParams,
    residuals_of,
)
from models.scoring.measures.courses import Courses, by_time, signs_of
from models.scoring.scorer import ChannelScores, WindowScores

Contribute = Callable[[NDArray[np.float32], NDArray[np.float32], ScoreParams], Contributions]
OpenMeasured = Callable[[ScoreParams], trend.ContributeMeasured]
Check = Callable[[ScoreParams, int, int], None]


@dataclass(frozen=True, slots=True)
class Score:
    """A named score.

    Attributes:
        name: What artifacts and reports call it.
        summary: What it measures, in one sentence.
        uses_network: Whether ``expected`` must be a network's reconstruction; else it is zeros.
        contribute: Scores windows, given what was expected and what was learned.
        param_names: What it learned per channel, each of shape ``(n_channels,)``.
        array_names: What it learned of other shapes.
        check: Refuses arrays that do not fit ``(window_length, n_channels)`` with a ValueError.
        remembers: Whether it keeps some of the windows it was fitted on, which then score too low
            to choose a threshold by.
        of_courses: Given what was learned, the same of windows that are measured already; none for
            a score that does not begin with their courses.
    """

    name: str
    summary: str
    uses_network: bool
    contribute: Contribute
    param_names: frozenset[str] = frozenset()
    array_names: frozenset[str] = frozenset()
    check: Check = lambda params, window_length, n_channels: None
    remembers: bool = False
    of_courses: OpenMeasured | None = None


def mean_square(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the mean squared residual over all cycles and channels, in squared deviations.

    With ``residual = windows - expected`` a channel contributes
    ``mean(residual**2 over the window) / n_channels``. 0 is a perfect rebuild.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape and scale.
        params: Not used.
    """
    return _mean_square(residuals_of(windows, expected))


def last_row_square(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the mean squared residual of the window's last row alone.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape and scale.
        params: Not used.
    """
    return _mean_square(residuals_of(windows[:, -1:], expected[:, -1:]))


def _mean_square(residuals: NDArray[np.float64]) -> Contributions:
    sums = np.einsum("nwc,nwc->nc", residuals, residuals)
    channels = sums / (residuals.shape[1] * residuals.shape[2])
    return Contributions(channels.sum(axis=1), channels)


def _check_map(width: int | None, params: ScoreParams, length: int, n_channels: int) -> None:
    size = (length if width is None else width) * n_channels
    came = params[subspace.MAP]
    if came.shape != (size, size) or not np.isfinite(came).all():
        raise ValueError(f"a map of shape {came.shape} came; ({size}, {size}) was expected, finite")


def _check_forest(width: int | None, params: ScoreParams, length: int, n_channels: int) -> None:
    forest.check_forest(params, (length if width is None else width) * n_channels)


_TREND = frozenset(trend.STATISTICS)
_HYBRID = frozenset(trend.HYBRID_STATISTICS)
_MAP = frozenset({subspace.MAP})
_FOREST = frozenset(forest.FOREST)
_SQUARE_OF_WINDOW = subspace.mapped_square(subspace.flat)

SCORES: Final[Mapping[str, Score]] = MappingProxyType(
    {
        score.name: score
        for score in (
            Score("mse", "mean squared residual of the autoencoder", True, mean_square),
            Score(
                "residual_trend",
                "level and slope of the network's residual, in the median channel",
                True,
                trend.trend,
                _TREND,
                of_courses=trend.trend_of,
            ),
            Score(
                "input_trend",
                "level and slope of the z-scored window, in the median channel, no network",
                False,
                trend.trend,
                _TREND,
                of_courses=trend.trend_of,
            ),
            Score(
                "hybrid",
                "input_trend plus a quarter of residual_trend",
                True,
                trend.hybrid,
                _HYBRID,
                of_courses=trend.hybrid_of,
            ),
            Score(
                "hybrid_upper",
                "hybrid of the channel that 30 % of the channels exceed",
                True,
                trend.hybrid_upper,
                _HYBRID,
                of_courses=trend.hybrid_upper_of,
            ),
            Score(
                "input_mse", "mean square of the z-scored window, no network", False, mean_square
            ),
            Score(
                "last_row",
                "mean square of the last z-scored row, no network",
                False,
                last_row_square,
            ),
            Score(
                "iforest",
                "isolation forest on mean, deviation and slope of each channel",
                False,
                forest.isolation(forest.summary),
                array_names=_FOREST,
                check=partial(_check_forest, 3),
            ),
            Score(
                "iforest_flat",
                "isolation forest on the window's values",
                False,
                forest.isolation(subspace.flat),
                array_names=_FOREST,
                check=partial(_check_forest, None),
            ),
            Score(
                "pca_spe",
                "squared part of the window outside its principal components (SPE, or Q)",
                False,
                _SQUARE_OF_WINDOW,
                array_names=_MAP,
                check=partial(_check_map, None),
            ),
            Score(
                "pca_t2",
                "squared principal components, each in its own deviations (Hotelling's T2)",
                False,
                _SQUARE_OF_WINDOW,
                array_names=_MAP,
                check=partial(_check_map, None),
            ),
            Score(
                "mahalanobis",
                "squared Mahalanobis distance of each channel's level and slope",
                False,
                subspace.mapped_square(subspace.level_and_slope),
                array_names=_MAP,
                check=partial(_check_map, 2),
            ),
            Score(
                "iforest_rolling",
                "isolation forest on level, rolling mean and deviation, and change",
                False,
                forest.isolation(moves.moves),
                array_names=_FOREST,
                check=partial(_check_forest, moves.MOVES),
            ),
            Score(
                "pca_rolling",
                "what the usual ones leave of level, rolling mean and deviation, and change (SPE)",
                False,
                subspace.mapped_square(moves.moves),
                array_names=_MAP,
                check=partial(_check_map, moves.MOVES),
            ),
            Score(
                "nearest_healthy",
                "distance of the window's level from the nearest healthy state, no network",
                False,
                nearest.nearest_healthy,
                frozenset({nearest.SCALE}),
                frozenset({nearest.STATES}),
                lambda params, length, n_channels: nearest.check_states(params, n_channels),
                remembers=True,
            ),
            Score(
                "blended_topk",
                "the network's largest errors over time and channels, of values and of changes",
                True,
                topk.blended_topk,
                frozenset(topk.TOPK_SCALES),
            ),
            Score(
                "difference",
                "weighted mean of absolute changes from reading to reading, no model at all",
                False,
                change.difference,
            ),
            Score(
                "window_pca",
                "what the shapes that explain 95 % of healthy windows leave of a window",
                False,
                window_pca.window_pca,
                array_names=frozenset({window_pca.BASIS}),
                check=window_pca.check_basis,
            ),
            Score(
                "nearest_window",
                "distance of the whole window from the nearest healthy one, no network",
                False,
                nearest_window.nearest_window,
                array_names=frozenset({nearest_window.KEPT}),
                check=nearest_window.check_kept,
                remembers=True,
            ),
            Score(
                "three_views",
                "geometric mean of window_pca, nearest_window and difference, no network",
                False,
                views.three_views,
                array_names=frozenset({window_pca.BASIS, nearest_window.KEPT}),
                check=views.check_views,
                remembers=True,
            ),
        )
    }
)
"""Every score by name. An artifact that names another is refused."""


class OpenedScore:
    """A score with what it learned, ready to be asked again and again.

    Args:
        score: Which score.
        params: What ``score_fits.fit_params`` returned.
    """

    def __init__(self, score: Score, params: ScoreParams) -> None:
        self._score, self._params = score, params
        self._of_courses = None if score.of_courses is None else score.of_courses(params)

    @property
    def measures(self) -> bool:
        """Whether it begins with the windows' courses."""
        return self._of_courses is not None

    def of(
        self,
        windows: NDArray[np.float32],
        expected: NDArray[np.float32],
        courses: Courses | None = None,
    ) -> WindowScores:
        """Score windows, with each channel's share and direction.

        Args:
            windows: Shape ``(n, window_length, n_channels)``, z-scored; ``n`` may be 0.
            expected: Same shape.
            courses: Of these windows, where they are measured already.

        Raises:
            ValueError: If the shapes differ, or a value is not finite.
        """
        if windows.ndim != 3 or windows.shape != expected.shape:
            raise ValueError(
                f"windows {windows.shape} and expected {expected.shape} came; both must be "
                "(n, window_length, n_channels)"
            )
        if not (_finite(windows) and _finite(expected)):
            raise ValueError(
                "a window holds a value that is not finite; normalised rows were expected"
            )
        if self._of_courses is None or courses is None:
            found = self._score.contribute(windows, expected, self._params)
        else:
            found = self._of_courses(courses, expected)
        against = found.against
        if not self._score.uses_network:
            against = None
        elif against is None:
            against = directions(windows, expected)
        signs = directions(windows) if found.signs is None else found.signs
        return WindowScores(found.totals, shares(found.channels), signs, against)


def _finite(values: NDArray[np.float32]) -> bool:
    # all() takes three times as long
    return int(np.count_nonzero(np.isfinite(values))) == values.size


def score_windows(
    score: Score,
    windows: NDArray[np.float32],
    expected: NDArray[np.float32],
    params: ScoreParams,
    courses: Courses | None = None,
) -> WindowScores:
    """Return what :meth:`OpenedScore.of` says, of a score that is asked once."""
    return OpenedScore(score, params).of(windows, expected, courses)


def score_channels(
    windows: NDArray[np.float32], params: ScoreParams, courses: Courses | None = None
) -> ChannelScores:
    """Score each window by its oddest channel.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored; ``n`` may be 0.
        params: What ``channel.fit_channel`` returned.
        courses: Of these windows, where they are measured already.
    """
    found = channel_score(windows, params, courses)
    signs = directions(windows) if found.signs is None else found.signs
    return ChannelScores(found.totals, shares(found.channels), signs)


def shares(contributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each channel's part of its row; equal parts where nothing contributed.

    Args:
        contributions: Shape ``(n, n_channels)``, non-negative.

    Example:
        >>> shares(np.array([[3.0, 1.0], [0.0, 0.0]])).tolist()
        [[0.75, 0.25], [0.5, 0.5]]
    """
    totals = np.add.reduce(contributions, axis=1)
    parts: NDArray[np.float64]
    if np.count_nonzero(totals) == len(totals):
        parts = contributions / totals[:, None]
        return parts
    silent = totals == 0.0
    parts = contributions / np.where(silent, 1.0, totals)[:, None]
    parts[silent] = 1.0 / contributions.shape[1]
    return parts


def directions(
    windows: NDArray[np.float32], expected: NDArray[np.float32] | None = None
) -> NDArray[np.int8]:
    """Return +1 where a channel's recent mean is at or above what was expected, else -1.

    Args:
        windows: Shape ``(n, window_length, n_channels)``.
        expected: Same shape; none for the healthy level, which is what an operator compares with.

    Returns:
        Shape ``(n, n_channels)``; the mean is over the last :data:`RECENT_ROWS` rows.
    """
    recent = by_time(windows[:, -RECENT_ROWS:])
    if expected is not None:
        recent -= expected[:, -RECENT_ROWS:].transpose(1, 0, 2)
    return signs_of(np.add.reduce(recent, axis=0))
