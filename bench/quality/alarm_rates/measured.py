"""What this room measures: thresholds on some engines, false warnings of others.

An engine's healthy life counts if it has a window with more than 125 cycles left; a false warning
is three such windows in a row at or above the threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.recording import Recording
from models.artifact.onnx_scorer import Reconstructor, ZeroReconstructor, reconstruct_in_chunks
from models.evaluation.collection import collect
from models.evaluation.measure import lead_cycles
from models.evaluation.splits import FIT_PART, VALIDATE_PART, EngineSplit
from models.scoring.measures.contributions import residuals_of
from models.scoring.measures.trend import MEDIAN, MIN_SD, RESIDUAL_WEIGHT, UPPER, magnitudes
from models.scoring.normaliser import Normaliser
from models.scoring.scores import SCORES
from models.thresholding.asset_conformal import alarm_peaks
from models.thresholding.rule import WARNING_RULE, Rule
from models.thresholding.strategies import CalibrationScores
from models.training.calibration import Fitted, fit_score
from models.training.cross_fit import cross_fit, fold_parts, refitted
from models.training.folds import assign_folds
from models.training.preparation.windows import Prepared, cut, healthy

TREND: Final = SCORES["input_trend"]
FIT_OF_CALIBRATED: Final = FIT_PART / (FIT_PART + VALIDATE_PART)
"""Today's rule fits on 64 and chooses on 16 of 80 engines."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one threshold did to engines that had no part in it.

    Attributes:
        lives: Engines with a healthy window.
        false: Of them, those with a false warning.
        leads: Life left at the first warning of each engine that had one, cycles.
        failing: Engines that ran to failure; 0 where warnings near failure were not looked at.
        spoke: Engines with a false warning, by the kind that spoke; empty for a score alone.
    """

    lives: int
    false: int
    leads: tuple[int, ...] = ()
    failing: int = 0
    spoke: Mapping[str, int] = field(default_factory=dict)


def calibrated_split(
    units: Sequence[int], rng: np.random.Generator
) -> tuple[list[int], list[int], list[int]]:
    """Return engines to fit on, to choose today's threshold on, and to judge: 64, 16 and 20 %."""
    dealt = rng.permutation(list(units)).tolist()
    n_calibrate = round(len(dealt) * (FIT_PART + VALIDATE_PART))
    n_fit = round(n_calibrate * FIT_OF_CALIBRATED)
    return dealt[:n_fit], dealt[n_fit:n_calibrate], dealt[n_calibrate:]


def sound_part(recording: Recording) -> Recording:
    """Return only the healthy readings; windows of these are all that budgets look at."""
    parts = tuple(
        asset.part(asset.healthy) for asset in recording.assets if asset.healthy is not None
    )
    return Recording(recording.name, recording.machine, parts, recording.sha256)


def cut_parts(sound: Recording, fit: list[int], validate: list[int]) -> Prepared:
    """Return healthy windows of some engines to fit on, and of others to choose on."""
    first, second = ([(unit, sound.assets[unit - 1]) for unit in part] for part in (fit, validate))
    split = EngineSplit.of_all(len(sound.assets))
    return cut(sound, sound.machine, split, (first, second, ()))


class TrendSplits:
    """``input_trend``, with everything refitted for each split: regimes, z-scores, statistics.

    Args:
        recording: Engines that ran to failure.
        alpha: The budget.
    """

    def __init__(self, recording: Recording, alpha: float) -> None:
        self._whole, self._sound = recording, sound_part(recording)
        self._machine: MachineType = recording.machine
        self._budget = Rule("asset_budget", {"alpha": alpha})

    def today(self, fit: list[int], validate: list[int], judged: list[int]) -> Judged:
        """Fit on some, choose by today's rule on others, judge the rest."""
        prepared = cut_parts(self._sound, fit, validate)
        fitted = fit_score(TREND, ZeroReconstructor(), prepared)
        data = _labelled(prepared, fitted)
        return self._judge(prepared.normaliser, fitted, WARNING_RULE.choose(data).value, judged)

    def budget(self, calibrate: list[int], judged: list[int], seed: int) -> Judged:
        """Choose cross-fitted, fit on all that was chosen on, judge the rest."""
        found = cross_fit(self._sound, self._machine, calibrate, refitted(TREND), seed=seed)
        threshold = self._budget.choose(found.calibration()).value
        prepared = cut_parts(self._sound, calibrate, [])
        fitted = fit_score(TREND, ZeroReconstructor(), prepared)
        return self._judge(prepared.normaliser, fitted, threshold, judged)

    def _judge(
        self, normaliser: Normaliser, fitted: Fitted, threshold: float, judged: list[int]
    ) -> Judged:
        numbered = [(unit, self._whole.assets[unit - 1]) for unit in judged]
        windows = collect(normaliser, self._machine, numbered)
        scores = fitted.scores(windows)
        sound = windows.healthy
        false = false_warnings(
            scores[sound], windows.units[sound], windows.cycles[sound], threshold
        )
        failing = np.unique(windows.units[windows.faulty]).tolist()
        leads = [
            lead_cycles(scores[own] >= threshold, windows.life_left[own])
            for unit in failing
            if (own := windows.units == unit).any()
        ]
        return Judged(*false, tuple(lead for lead in leads if lead is not None), len(failing))


def false_warnings(
    scores: NDArray[np.float64],
    units: NDArray[np.int64],
    cycles: NDArray[np.int64],
    threshold: float,
) -> tuple[int, int]:
    """Return how many lives these healthy scores are of, and how many of them have a warning."""
    peaks = alarm_peaks(scores, units, cycles).peaks
    return len(peaks), int((peaks >= threshold).sum())


def _labelled(prepared: Prepared, fitted: Fitted) -> CalibrationScores:
    part = prepared.validate
    return CalibrationScores(
        fitted.scores(part), part.units, part.healthy, part.faulty, part.cycles
    )


@dataclass(frozen=True, slots=True)
class FoldMagnitudes:
    """Healthy windows of all engines as one fold's network sees them.

    Attributes:
        fold: Which; its engines were not fitted on.
        units: Shape ``(n,)``.
        cycles: Shape ``(n,)``.
        inputs: Level and slope of the z-scored windows, each ``(n, n_channels)``.
        residuals: Likewise of the network's residuals.
    """

    fold: int
    units: NDArray[np.int64]
    cycles: NDArray[np.int64]
    inputs: tuple[NDArray[np.float64], NDArray[np.float64]]
    residuals: tuple[NDArray[np.float64], NDArray[np.float64]]


class NetworkSplits:
    """A score of a network, with one network for each of five folds of all engines.

    For each split only what the score learns is refitted, on its own engines of the other folds.
    Regimes, z-scores and weights are of a fold: they never saw the engines they score, but did see
    engines that this split judges in other folds.

    Args:
        recording: Engines that ran to failure.
        train: Trains and opens a network on the ``fit`` part.
        score: ``hybrid_upper``, ``hybrid`` or ``residual_trend``.
        alpha: The budget.
        on_fold: Told which fold comes next.
    """

    def __init__(
        self,
        recording: Recording,
        train: Callable[[Prepared], Reconstructor],
        score: str,
        alpha: float,
        on_fold: Callable[[int], None] = lambda fold: None,
    ) -> None:
        sound = sound_part(recording)
        fold_of = assign_folds(range(1, len(sound.assets) + 1))
        self._score = score
        self._fold_of = fold_of
        self._folds = []
        for fold in sorted(set(fold_of.values())):
            on_fold(fold)
            prepared = fold_parts(sound, recording.machine, fold_of, fold)
            self._folds.append(fold_magnitudes(fold, prepared, train(prepared)))
        self._budget = Rule("asset_budget", {"alpha": alpha})

    def today(self, fit: list[int], validate: list[int], judged: list[int]) -> Judged:
        """Fit on some, choose by today's rule on others, judge the rest."""
        data = self._scored(fit)
        chosen = WARNING_RULE.choose(_of(data, validate))
        return _judged(_of(data, judged), chosen.value)

    def budget(self, calibrate: list[int], judged: list[int], seed: int) -> Judged:
        """Choose cross-fitted, judge the rest; ``seed`` is not used, since folds are fixed."""
        data = self._scored(calibrate)
        chosen = self._budget.choose(_of(data, calibrate))
        return _judged(_of(data, judged), chosen.value)

    def _scored(self, fit: list[int]) -> CalibrationScores:
        """Return scores of all engines, each by statistics of ``fit`` without its fold."""
        scores, units, cycles = [], [], []
        for each in self._folds:
            own = np.array([self._fold_of[unit] == each.fold for unit in each.units.tolist()])
            learned = np.isin(each.units, fit) & ~own
            scores.append(score_of(self._score, each, learned, own))
            units.append(each.units[own])
            cycles.append(each.cycles[own])
        healthy_all = np.ones(sum(map(len, units)), np.bool_)
        return CalibrationScores(
            np.concatenate(scores), np.concatenate(units), healthy_all, ~healthy_all,
            np.concatenate(cycles),
        )  # fmt: skip


def score_of(
    score: str, found: FoldMagnitudes, learned: NDArray[np.bool_], scored: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return what ``fit_params`` and the score's function give, from magnitudes known before."""
    channel = UPPER if score == "hybrid_upper" else MEDIAN
    residual = _trend(found.residuals, learned, scored, channel)
    if score == "residual_trend":
        return residual
    return _trend(found.inputs, learned, scored, channel) + RESIDUAL_WEIGHT * residual


def _trend(
    levels_and_slopes: tuple[NDArray[np.float64], NDArray[np.float64]],
    learned: NDArray[np.bool_],
    scored: NDArray[np.bool_],
    channel: float,
) -> NDArray[np.float64]:
    total = np.zeros(int(scored.sum()))
    for values in levels_and_slopes:
        deviation = values[learned].std(axis=0)
        scale = np.where(deviation > MIN_SD, deviation, 1.0)
        z = (values[scored] - values[learned].mean(axis=0)) / scale
        total += np.quantile(z, channel, axis=1)
    return total


def fold_magnitudes(fold: int, prepared: Prepared, network: Reconstructor) -> FoldMagnitudes:
    """Return what scores of a fold's network are made of, for its ``fit`` and its own engines."""
    parts = [healthy(part) for part in (prepared.fit, prepared.validate)]
    windows = np.concatenate([part.windows for part in parts])
    expected = reconstruct_in_chunks(network, windows)
    return FoldMagnitudes(
        fold,
        np.concatenate([part.units for part in parts]),
        np.concatenate([part.cycles for part in parts]),
        magnitudes(residuals_of(windows, np.zeros_like(expected))),
        magnitudes(residuals_of(windows, expected)),
    )


def _of(data: CalibrationScores, units: list[int]) -> CalibrationScores:
    own = np.isin(data.units, units)
    assert data.cycles is not None
    return CalibrationScores(
        data.scores[own], data.units[own], data.healthy[own], data.faulty[own], data.cycles[own]
    )


def _judged(data: CalibrationScores, threshold: float) -> Judged:
    assert data.cycles is not None
    return Judged(*false_warnings(data.scores, data.units, data.cycles, threshold))
