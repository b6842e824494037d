"""From assets that failed to a model of remaining life, with intervals that hold for new assets.

Every figure that a choice or an interval rests on is of assets the trees did not know: the assets
are cut into folds, and each fold is predicted by trees grown on the others.

A run may be joined in its middle: by a worker that started late, or by another model. So each run
is also learned from as if it had been, at cycles drawn at random, and such runs have intervals of
their own (``joined.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL
from models.scoring.history import Trail, alone, whole_runs
from models.scoring.life import JOINED, LIFE_ARRAYS, check_life, life_features
from models.scoring.measures.contributions import RECENT_ROWS, ScoreParams
from models.scoring.trees import trees_sum
from models.scoring.windows import LIFE_UNKNOWN, WindowSet
from models.training.config import FOLDS
from models.training.folds import folds_of
from models.training.life.band import COVERAGE, Course, alarm_reach, fit_band, half_way
from models.training.life.boosting import Growth, boosted_arrays, check_reproduces, grow_boosted
from models.training.life.joined import JOINS, join_late
from models.training.preparation.windows import Prepared

MIN_FAILURES: Final = 20
"""Assets that failed: with fewer, the outermost of their errors would be a 90 % interval's end."""

STRIDE: Final = 2
"""Every second window is grown on: neighbours share 29 of 30 rows."""

NEAR_CYCLES: Final = 20.0
NEAR_POWER: Final = 1.5
"""A window with ``t`` cycles left weighs ``(t + 20) ** -1.5``: near failure errors are smallest and
matter most. Chosen by cross-validation on fit and validation engines of FD001, FD002 and FD004,
where it betters the root mean square error, the order near failure, and the challenge's score."""

JOINED_MARGIN: Final = 1.5
"""Times as far as measured on runs joined at random the interval of a joined run reaches. Those
joined after 125 cycles or more were held only 65 to 80 % of the time, as they live longer than the
rest: on fit and validation engines of FD001 and FD002 this margin makes it 83 to 94 %."""

RIDGE: Final = 50.0
"""Penalty of the wear index; among thousands of windows it only keeps equal channels apart."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """What trees that did not know an asset say of its windows.

    Attributes:
        own: Of the runs as they were recorded.
        whole: Shape ``(n,)``; which of these windows are of a run followed from its start.
        joined: Of the same runs, as if each had been joined late.
        places: Shape ``(m,)``; which of the windows of ``own`` those of ``joined`` are.
    """

    own: Course
    whole: NDArray[np.bool_]
    joined: Course
    places: NDArray[np.int64]

    def where(self, mask: NDArray[np.bool_]) -> Crossed:
        """Return what is said of some windows, shape ``(n,)`` as those of ``own``."""
        kept = mask[self.places]
        numbers = np.cumsum(mask) - 1
        return Crossed(
            self.own.where(mask),
            self.whole[mask],
            self.joined.where(kept),
            numbers[self.places[kept]],
        )


def fit_life(
    prepared: Prepared,
    alarmed: NDArray[np.bool_] | None = None,
    crossed: Crossed | None = None,
    growth: Growth | None = None,
    coverage: float = COVERAGE,
    seed: int = 0,
) -> dict[str, NDArray[Any]]:
    """Return the arrays of a life model, :data:`models.scoring.life.LIFE_ARRAYS`.

    Args:
        prepared: Assets that ran until they failed; those held out are not looked at.
        alarmed: Shape ``(n_fit + n_validate,)``, windows of the fit part first; true at the window
            at which an asset's first warning is raised, once for each asset. None: the first
            window of an asset at which half of the cap or less is predicted.
        crossed: What :func:`cross_predict` returned, if it is at hand.
        growth: How trees are grown.
        coverage: Part of intervals that shall hold the true life.
        seed: Decides what is drawn at random.

    Raises:
        ValueError: If too few assets failed, or the exported arrays differ from the library's
            predictions.
    """
    growth = growth or Growth()
    crossed = crossed or cross_predict(prepared, growth, seed)
    windows = known_windows(prepared)
    params: dict[str, NDArray[Any]] = _grow(windows, growth, seed)
    params |= {"cap": np.array([float(HEALTHY_RUL)]), "coverage": np.array([coverage])}
    marks = None if alarmed is None else alarmed[_known(prepared)]
    params |= fit_intervals(crossed, marks, coverage)
    check_life(params, *windows.windows.shape[1:])
    return {name: params[name] for name in LIFE_ARRAYS}


def fit_intervals(
    crossed: Crossed, marks: NDArray[np.bool_] | None = None, coverage: float = COVERAGE
) -> dict[str, NDArray[np.float64]]:
    """Return the intervals of whole runs and of those that were joined late.

    Args:
        crossed: Of assets the trees did not know.
        marks: As ``alarmed`` of :func:`fit_life`, one for each window of ``crossed.own``.
        coverage: Part of intervals that shall hold the true life.
    """
    own, whole = crossed.own, crossed.whole
    late = own.where(~whole).followed_by(crossed.joined)
    if marks is None:
        of_own, of_late = half_way(own), half_way(late)
    else:
        of_own, of_late = marks, np.concatenate([marks[~whole], marks[crossed.places]])
    joined = _interval(late, of_late, coverage)
    for end in ("below", "above"):
        joined[end] = joined[end] * JOINED_MARGIN
    known = _interval(own.where(whole), of_own[whole], coverage) if whole.any() else joined
    return {**known, **{JOINED + name: values for name, values in joined.items()}}


def cross_predict(
    prepared: Prepared, growth: Growth | None = None, seed: int = 0, folds: int = FOLDS
) -> Crossed:
    """Return what trees that did not know an asset say of its windows, for all assets that failed.

    Args:
        prepared: Only the fit and validate parts are looked at.
        growth: How trees are grown.
        seed: Of the folds, the trees, and where runs are joined.
        folds: How many.

    Raises:
        ValueError: If too few assets failed.
    """
    growth = growth or Growth()
    windows = known_windows(prepared)
    late = join_late(windows, JOINS, seed)
    fold = folds_of(windows.units, folds, seed)
    predicted, of_late = np.empty(len(windows)), np.empty(len(late.places))
    for number in range(folds):
        own = fold == number
        params = _grow(windows.where(~own), growth, seed)
        predicted[own] = _predict(windows.windows[own], trail_of(windows)[own], params)
        here = own[late.places]
        of_late[here] = _predict(windows.windows[late.places[here]], late.trail[here], params)
    return Crossed(
        Course(windows.units, windows.life_left, predicted),
        whole_runs(trail_of(windows)),
        Course(windows.units[late.places], windows.life_left[late.places], of_late),
        late.places,
    )


def known_windows(prepared: Prepared) -> WindowSet:
    """Return the windows of the fit and validate parts whose life left is known.

    Raises:
        ValueError: If fewer than :data:`MIN_FAILURES` assets failed.
    """
    both, known = _both(prepared), _known(prepared)
    windows = both if known.all() else both.where(known)
    failed = failures(prepared)
    if failed < MIN_FAILURES:
        raise ValueError(
            f"{failed} assets that failed are among those to learn from; a model of remaining life "
            f"needs at least {MIN_FAILURES}"
        )
    return windows


def failures(prepared: Prepared) -> int:
    """Return how many assets of the fit and validate parts are recorded until they failed."""
    both = _both(prepared)
    near = (both.life_left != LIFE_UNKNOWN) & (both.life_left <= FAULT_RUL)
    return len(np.unique(both.units[near]))


def life_limit(course: Course, label: int = FAULT_RUL) -> float:
    """Return the limit L for which "critical where the predicted life is at most L" is best.

    Best is the F1 for windows with at most ``label`` cycles left, of assets the trees did not know.
    """
    order = np.argsort(course.predicted, kind="stable")
    ordered = course.predicted[order]
    hits = np.cumsum(course.life[order] <= label)
    counted = np.arange(1, len(order) + 1)
    f1 = 2 * hits / (counted + hits[-1])
    f1[:-1][ordered[:-1] == ordered[1:]] = 0.0  # a limit takes all windows of one prediction
    return float(ordered[int(f1.argmax())])


def fit_wear(windows: NDArray[np.float32], capped: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights of the channels in the wear index: a ridge regression of capped life.

    Divided by 10, so that the index is of the size of a channel; it falls as wear grows.
    """
    level = windows[:, -RECENT_ROWS:].mean(axis=1, dtype=np.float64)
    centred = level - level.mean(axis=0)
    gram = centred.T @ centred + RIDGE * np.eye(level.shape[1])
    found: NDArray[np.float64] = np.linalg.solve(gram, centred.T @ (capped - capped.mean())) / 10.0
    return found


def _grow(windows: WindowSet, growth: Growth, seed: int) -> dict[str, NDArray[Any]]:
    """Return wear index, base and trees."""
    capped = np.minimum(windows.life_left, HEALTHY_RUL).astype(np.float64)
    wear = fit_wear(windows.windows, capped)
    late = join_late(windows, JOINS, seed)
    rows = np.concatenate(
        [
            life_features(windows.windows, trail_of(windows), wear),
            life_features(windows.windows[late.places], late.trail, wear),
        ]
    )
    capped = np.concatenate([capped, capped[late.places]])
    weights = ((HEALTHY_RUL + NEAR_CYCLES) / (capped + NEAR_CYCLES)) ** NEAR_POWER
    models = []
    for number in range(growth.seeds):
        part = slice(number % STRIDE, None, STRIDE)
        models.append(grow_boosted(rows[part], capped[part], weights[part], growth, seed + number))
    params = dict(boosted_arrays(models, growth.depth))
    check_reproduces(models, params, rows[::STRIDE])
    return {**params, "wear": wear}


def _predict(
    windows: NDArray[np.float32], trail: Trail, params: ScoreParams
) -> NDArray[np.float64]:
    rows = life_features(windows, trail, params["wear"])
    predicted = float(params["base"][0]) + trees_sum(rows, params)
    return np.clip(predicted, 0.0, float(HEALTHY_RUL))


def _interval(
    course: Course, marks: NDArray[np.bool_], coverage: float
) -> dict[str, NDArray[np.float64]]:
    found = fit_band(course, coverage)
    return {**found, "alarm_reach": alarm_reach(course, marks, found, coverage)}


def trail_of(windows: WindowSet) -> Trail:
    """Return what was remembered at each window; alone, where nobody followed the runs."""
    return alone(windows.windows) if windows.trail is None else windows.trail


def _both(prepared: Prepared) -> WindowSet:
    return prepared.fit.followed_by(prepared.validate)


def _known(prepared: Prepared) -> NDArray[np.bool_]:
    """Return which windows of both parts are of an asset whose failure is known."""
    known: NDArray[np.bool_] = _both(prepared).life_left != LIFE_UNKNOWN
    return known
