"""How long a machine has got: remaining life of its last window, with an interval. numpy only.

Boosted trees look at each channel's level, mean and slope, at the course of one *wear index*, a
weighted sum of the channels in which noise averages out, and at what is remembered of the run
(``history.py``). They are grown in ``training/`` and served as plain arrays (``trees.py``). The
interval is what was measured on assets the trees did not know: signed errors, by how long the
prediction is, since errors are smallest near failure, and apart for runs that were not followed
from their start.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.scoring.history import OF_RUN, Trail, run_features, whole_runs
from models.scoring.measures.contributions import ScoreParams
from models.scoring.measures.courses import LENGTHS, Courses, weighed
from models.scoring.trees import TREE_ARRAYS, Trees, check_trees

LIFE_NUMBERS: Final = ("base", "cap", "coverage")
"""Shape ``(1,)`` each: what the trees add to, cycles; the longest life that is told apart, cycles;
the part of intervals that hold the true life."""

BAND_ARRAYS: Final = ("knots", "below", "above")
"""Shape ``(n_knots,)`` each, cycles: predictions, ascending, and how far at each of them the
interval reaches down (at most 0) and up (at least 0). In between it is interpolated."""

ALARM_ARRAYS: Final = ("alarm_reach",)
"""Shape ``(2,)``: how many times as far the interval reaches down and up at a first warning."""

JOINED: Final = "joined_"
"""Before the names of the same arrays for runs that were not followed from their start."""

INTERVAL_ARRAYS: Final = (*BAND_ARRAYS, *ALARM_ARRAYS)

LIFE_ARRAYS: Final[tuple[str, ...]] = (
    *TREE_ARRAYS,
    "wear",
    *LIFE_NUMBERS,
    *INTERVAL_ARRAYS,
    *(JOINED + name for name in INTERVAL_ARRAYS),
)
"""``wear`` has shape ``(n_channels,)``: the weights of the channels in the wear index."""

LONG_ROWS: Final = 10
"""Rows at a window's end of the slower of the two levels, and at its beginning of the first one."""

PER_CHANNEL: Final = 4
"""Columns a channel of what is seen of the window; one more is of the run."""

OF_WEAR: Final = 6

RECENT, LONG, WHOLE, SLOPE, FIRST, BEND = range(OF_WEAR)
"""Places among the courses: four means, the slope and the curvature."""

DOWN, UP = 0, 1

FEW: Final = 7
"""Windows up to which plain numbers are faster than arrays."""

LARGEST: Final = 1e9
"""No number of a sound model is larger; sums of larger ones might not be finite."""


@dataclass(frozen=True, slots=True)
class Life:
    """Remaining life of some windows, in cycles; each array has shape ``(n,)``.

    ``0 <= low <= expected <= high <= cap``, and likewise of the pair at an alarm. ``high`` at the
    cap means "at least": longer lives are not told apart.

    Attributes:
        expected: The prediction.
        low: Lower end of the interval of a single reading.
        high: Upper end.
        at_alarm_low: Lower end for the statement at the first warning, where each asset counts
            once.
        at_alarm_high: Upper end.
        cap: Longer lives are not told apart, cycles.
        coverage: Part of intervals that hold the true life.
    """

    expected: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    at_alarm_low: NDArray[np.float64]
    at_alarm_high: NDArray[np.float64]
    cap: float
    coverage: float

    def __getitem__(self, part: slice) -> Life:
        """Return some of them."""
        return replace(
            self,
            expected=self.expected[part],
            low=self.low[part],
            high=self.high[part],
            at_alarm_low=self.at_alarm_low[part],
            at_alarm_high=self.at_alarm_high[part],
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return those of consecutive windows as one; at least one part, all of one model."""
        return cls(
            np.concatenate([part.expected for part in parts]),
            np.concatenate([part.low for part in parts]),
            np.concatenate([part.high for part in parts]),
            np.concatenate([part.at_alarm_low for part in parts]),
            np.concatenate([part.at_alarm_high for part in parts]),
            parts[0].cap,
            parts[0].coverage,
        )


def n_features(n_channels: int) -> int:
    """Return how many columns :func:`life_features` gives."""
    return (PER_CHANNEL + 1) * n_channels + OF_WEAR + OF_RUN


def life_features(
    windows: NDArray[np.float32],
    trail: Trail,
    wear: NDArray[np.float64],
    measured: Courses | None = None,
) -> NDArray[np.float32]:
    """Return what the trees look at: the window, and what is remembered of its run.

    Of the window, per channel the mean of the last 5 rows, of the last 10 and of the whole window,
    and the least-squares slope in deviations per cycle. Of the wear index the same, and the mean of
    the first 10 rows and the least-squares curvature. Of the run :func:`run_features`.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        trail: What was remembered at each window.
        wear: Shape ``(n_channels,)``; weights of the channels in the wear index.
        measured: The courses of these windows, where they are known already.

    Returns:
        Shape ``(n, 5 * n_channels + 14)``.
    """
    measured = measured or Courses.of(windows)
    rows = measured.rows  # (W, n, C)
    length, n, channels = rows.shape
    courses = np.empty((OF_WEAR, n, channels))
    courses[RECENT] = measured.levels
    for place, span in ((LONG, rows[-LONG_ROWS:]), (WHOLE, rows), (FIRST, rows[:LONG_ROWS])):
        np.divide(np.add.reduce(span, axis=0), len(span), out=courses[place])
    courses[SLOPE] = measured.slopes
    courses[BEND] = weighed(rows, _bend_weights(length))
    # all six are linear in the rows: those of the index are the weighted sums of the channels'
    index = np.add.reduce(courses * wear, axis=2)  # (6, n)
    own = PER_CHANNEL * channels
    found = np.empty((n, n_features(channels)), np.float32)
    found[:, :own].reshape(n, PER_CHANNEL, channels)[:] = courses[:PER_CHANNEL].transpose(1, 0, 2)
    found[:, own : own + OF_WEAR] = index.T
    found[:, own + OF_WEAR :] = run_features(trail, index[1][:, None], wear)
    return found


class LifeModel:
    """What was learned of remaining life, ready to be asked again and again.

    Args:
        params: :data:`LIFE_ARRAYS`, as :func:`check_life` wants them.
    """

    def __init__(self, params: ScoreParams) -> None:
        self._params = params
        self._trees = Trees(params)
        self._base = float(params["base"][0])
        self._cap, self._coverage = float(params["cap"][0]), float(params["coverage"][0])
        self._single = Single(params, ""), Single(params, JOINED)

    def remaining(
        self, windows: NDArray[np.float32], trail: Trail, measured: Courses | None = None
    ) -> Life:
        """Return how long each window's machine has got.

        Args:
            windows: Shape ``(n, window_length, n_channels)``, z-scored, finite.
            trail: What was remembered of its run at each window (``history.follow``).
            measured: The courses of these windows, where they are known already.
        """
        rows = life_features(windows, trail, self._params["wear"], measured)
        predicted, whole = self._base + self._trees.sum(rows), whole_runs(trail)
        if len(windows) > FEW:
            return life_of(predicted, whole, self._params)
        known, joined = self._single
        each = [
            (known if followed else joined).interval(min(max(steps, 0.0), self._cap))
            for steps, followed in zip(predicted.tolist(), whole.tolist(), strict=True)
        ]
        expected, low, high, alarm_low, alarm_high = np.array(each, np.float64).reshape(-1, 5).T
        return Life(expected, low, high, alarm_low, alarm_high, self._cap, self._coverage)


class Single:
    """Intervals of single windows: of so few, plain numbers are faster than arrays.

    :func:`life_of` is the definition; ``test_life.py`` holds both against each other.

    Args:
        params: What the intervals are.
        prefix: Before the names of those that are meant.
    """

    def __init__(self, params: ScoreParams, prefix: str) -> None:
        knots, below, above = (params[prefix + name].tolist() for name in BAND_ARRAYS)
        self._knots, self._ends = knots, (below, above)
        self._alarm_reach = params[prefix + "alarm_reach"].tolist()
        self._cap = float(params["cap"][0])

    def interval(self, expected: float) -> tuple[float, float, float, float, float]:
        """Return a prediction, its ends, and its ends at an alarm.

        Args:
            expected: The prediction, between 0 and the cap.
        """
        down, up = self._band(expected)
        down_at_alarm, up_at_alarm = down * self._alarm_reach[DOWN], up * self._alarm_reach[UP]
        return (
            expected,
            min(max(expected + down, 0.0), expected),
            min(max(expected + up, expected), self._cap),
            min(max(expected + down_at_alarm, 0.0), expected),
            min(max(expected + up_at_alarm, expected), self._cap),
        )

    def _band(self, expected: float) -> tuple[float, float]:
        knots, (below, above) = self._knots, self._ends
        if len(knots) == 1:
            return below[0], above[0]
        left = bisect_left(knots, expected, 1, len(knots) - 1) - 1
        part = (expected - knots[left]) / (knots[left + 1] - knots[left])
        part = min(max(part, 0.0), 1.0)
        rest = 1.0 - part
        down = below[left] * rest + below[left + 1] * part
        return down, above[left] * rest + above[left + 1] * part


def remaining_life(windows: NDArray[np.float32], trail: Trail, params: ScoreParams) -> Life:
    """Return what :meth:`LifeModel.remaining` says, of a model that is asked once."""
    return LifeModel(params).remaining(windows, trail)


def life_of(predicted: NDArray[np.float64], whole: NDArray[np.bool_], params: ScoreParams) -> Life:
    """Return predictions with their intervals.

    Args:
        predicted: Shape ``(n,)``, steps; held between 0 and the cap.
        whole: Shape ``(n,)``; whether the run was followed from its start.
        params: What the intervals are.
    """
    cap = float(params["cap"][0])
    expected = np.minimum(np.maximum(predicted, 0.0), cap)
    if whole.all():  # nearly always all runs of a batch, or none of them
        reach = _reach(expected, params)
    elif not whole.any():
        reach = _reach(expected, params, JOINED)
    else:
        reach = np.where(whole, _reach(expected, params), _reach(expected, params, JOINED))
    down, up = expected + reach[DOWN], expected + reach[UP]  # (2, n) each
    np.minimum(np.maximum(down, 0.0, out=down), expected, out=down)
    np.minimum(np.maximum(up, expected, out=up), cap, out=up)
    return Life(expected, down[0], up[0], down[1], up[1], cap, float(params["coverage"][0]))


def _reach(
    expected: NDArray[np.float64], params: ScoreParams, prefix: str = ""
) -> NDArray[np.float64]:
    """Return how far intervals reach, ``(2, 2, n)``: down and up, of a reading and at an alarm."""
    found = np.empty((2, 2, len(expected)))
    found[:, 0] = band(expected, params, prefix)
    np.multiply(found[:, 0], params[prefix + "alarm_reach"][:, None], out=found[:, 1])
    return found


def band(
    expected: NDArray[np.float64], params: ScoreParams, prefix: str = ""
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far the interval reaches down (at most 0) and up at each prediction."""
    knots, *ends = (params[prefix + name] for name in BAND_ARRAYS)
    if len(knots) == 1:
        one = np.zeros(len(expected))
        return one + ends[0][0], one + ends[1][0]
    left = knots[1:-1].searchsorted(expected)  # before the first and beyond the last as next to it
    right = left + 1
    begin = knots[left]
    part = (expected - begin) / (knots[right] - begin)
    np.minimum(np.maximum(part, 0.0, out=part), 1.0, out=part)
    rest = 1.0 - part
    down, up = (values[left] * rest + values[right] * part for values in ends)
    return down, up


def check_life(params: ScoreParams, window_length: int, n_channels: int) -> None:
    """Refuse a table that is damaged, or made for other windows.

    Raises:
        ValueError: Saying what is wrong.
    """
    if missing := [name for name in LIFE_ARRAYS if name not in params]:
        raise ValueError(f"the life model lacks {', '.join(missing)}")
    if window_length < 2 or n_channels < 1:
        raise ValueError(
            f"windows of {window_length} rows and {n_channels} channels came; a life model needs "
            "at least 2 rows and 1 channel"
        )
    if params["wear"].shape != (n_channels,):
        raise ValueError(f"the life model's wear index is not of {n_channels} channels")
    check_trees(params, n_features(n_channels))
    for name in LIFE_ARRAYS[len(TREE_ARRAYS) :]:
        if params[name].dtype != np.float64 or not np.isfinite(params[name]).all():
            raise ValueError(f"the life model's {name} are not finite float64 numbers")
    if any(params[name].shape != (1,) for name in LIFE_NUMBERS):
        raise ValueError("the life model's base, cap or coverage is not one number")
    if params["cap"][0] <= 0 or not 0 < params["coverage"][0] < 1:
        raise ValueError("the life model's cap must be above 0, its coverage between 0 and 1")
    _check_proportion("wear", "base", params=params)
    for prefix in ("", JOINED):
        _check_interval({name: params[prefix + name] for name in INTERVAL_ARRAYS})


def _check_interval(params: ScoreParams) -> None:
    shape = params["knots"].shape
    if len(shape) != 1 or not shape[0] or any(params[name].shape != shape for name in BAND_ARRAYS):
        raise ValueError("the life model's bins are not of one length")
    if params["alarm_reach"].shape != (2,):
        raise ValueError("the life model's reach at an alarm is not two numbers")
    if not (np.diff(params["knots"]) > 0).all():
        raise ValueError("the life model's bins do not ascend")
    if (params["below"] > 0).any() or (params["above"] < 0).any():
        raise ValueError("the life model's intervals do not hold their predictions")
    if (params["alarm_reach"] < 0).any():
        raise ValueError("the life model's reach at an alarm is below 0")
    _check_proportion(*INTERVAL_ARRAYS, params=params)


def _check_proportion(*names: str, params: ScoreParams) -> None:
    if max(np.abs(params[name]).max() for name in names) > LARGEST:
        raise ValueError("the life model's numbers are out of all proportion")


@lru_cache(LENGTHS)
def _bend_weights(length: int) -> NDArray[np.float64]:
    """Return how much each reading counts in the least-squares curvature of so many."""
    steps = np.arange(length) - (length - 1) / 2
    direction = np.square(steps) - np.square(steps).mean()
    size = float(np.square(direction).sum())
    weights: NDArray[np.float64] = direction / size if size > 0 else direction
    weights.flags.writeable = False
    return weights
