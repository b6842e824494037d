"""Scores of assets by models that never saw them, so that every asset can speak for a threshold.

Assets are dealt into K folds. For each fold everything is fitted anew on the others (normaliser,
network, what the score learns) and scores the fold. A threshold chosen on 16 of 80 assets is chosen
on few; cross-fitted, all 80 count.

The model that then goes into service should be fitted on no more assets than each fold's. With more
it scores new assets lower than those the threshold was chosen on, and with robust scales that hang
on a few odd assets much lower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.recording import Recording
from models.artifact.onnx_scorer import Reconstructor, ZeroReconstructor
from models.evaluation.splits import EngineSplit
from models.scoring.scores import Score
from models.scoring.windows import WindowSet
from models.thresholding.strategies import CalibrationScores
from models.training.calibration import fit_score
from models.training.config import FOLDS
from models.training.folds import assign_folds, folds_of
from models.training.preparation.spikes import usual
from models.training.preparation.windows import Prepared, cut

ScoreFold = Callable[[Prepared], NDArray[np.float64]]
"""Fits on a fold's ``fit`` part and returns scores of its ``validate`` part, ``(n,)`` or
``(n, n_kinds)``. Nothing of ``validate`` may be fitted on."""


@dataclass(frozen=True, slots=True)
class FoldReport:
    """One fold, done.

    Attributes:
        fold: 1-based.
        folds: How many there will be.
        assets: How many were scored.
    """

    fold: int
    folds: int
    assets: int


OnFold = Callable[[FoldReport], None]


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Windows of all assets without the windows, each scored by a model that never saw its asset.

    Attributes:
        units: Shape ``(n,)``; asset of each window, ascending.
        cycles: Shape ``(n,)``; cycle at the window's end, in order within an asset.
        life_left: Shape ``(n,)``; as in :class:`WindowSet`.
        healthy: Shape ``(n,)``; without windows that hold a spike.
        faulty: Shape ``(n,)``.
        folds: Shape ``(n,)``; which fold the asset is in, from 0.
        scores: Shape ``(n,)`` or ``(n, n_kinds)``.
    """

    units: NDArray[np.int64]
    cycles: NDArray[np.int64]
    life_left: NDArray[np.int64]
    healthy: NDArray[np.bool_]
    faulty: NDArray[np.bool_]
    folds: NDArray[np.int64]
    scores: NDArray[np.float64]

    def calibration(self, kind: int | None = None) -> CalibrationScores:
        """Return what a threshold is chosen on; of several kinds of scores, one."""
        scores = self.scores if kind is None else self.scores[:, kind]
        return CalibrationScores(scores, self.units, self.healthy, self.faulty, self.cycles)


def fit_and_validate(prepared: Prepared) -> tuple[int, ...]:
    """Return the numbers of the assets that models are fitted and thresholds chosen on."""
    split = prepared.split
    return tuple(range(split.fit.first, split.validate.last + 1))


def fold_parts(
    recording: Recording, machine: MachineType, fold_of: Mapping[int, int], fold: int
) -> Prepared:
    """Return one fold as something to fit and score: ``fit`` the others, ``validate`` the fold.

    The normaliser is fitted on healthy rows of ``fit``. ``split`` says only how many assets there
    are, since a fold is no range of them.

    Raises:
        ValueError: If the others have too few healthy rows.
    """
    numbered = [
        (unit, record) for unit, record in enumerate(recording.assets, start=1) if unit in fold_of
    ]
    others = [each for each in numbered if fold_of[each[0]] != fold]
    own = [each for each in numbered if fold_of[each[0]] == fold]
    everyone = EngineSplit.of_all(len(recording.assets))
    return cut(recording, machine, everyone, (others, own, ()))


def cross_fit(
    recording: Recording,
    machine: MachineType,
    units: Sequence[int],
    score_fold: ScoreFold,
    folds: int = FOLDS,
    seed: int = 0,
    on_fold: OnFold = lambda report: None,
) -> OutOfFold:
    """Return scores of assets, each by a model that was fitted on other folds alone.

    Args:
        recording: What the assets are in.
        machine: Which channels are used, and how long a window is.
        units: Assets by number, from 1 in the order of the recording; of a prepared data set
            :func:`fit_and_validate`. The rest are not looked at.
        score_fold: Fits and scores one fold (:func:`refitted`).
        folds: How many.
        seed: Of the folds.
        on_fold: Told after each fold.

    Raises:
        ValueError: If there are too few assets, or a fold cannot be fitted or scored.
    """
    fold_of = assign_folds(units, folds, seed)
    n_folds = max(fold_of.values()) + 1
    parts: list[WindowSet] = []
    scores: list[NDArray[np.float64]] = []
    for fold in range(n_folds):
        prepared = fold_parts(recording, machine, fold_of, fold)
        found = score_fold(prepared)
        if len(found) != len(prepared.validate):
            raise ValueError(
                f"{len(found)} scores of {len(prepared.validate)} windows came; one each expected"
            )
        parts.append(prepared.validate)
        scores.append(found)
        on_fold(FoldReport(fold + 1, n_folds, sum(each == fold for each in fold_of.values())))
    return _joined(parts, scores, folds, seed)


@dataclass(slots=True)
class FoldNetworks:
    """Networks by the assets they were fitted on: the same assets are not trained on twice.

    Training is deterministic, so what is remembered is what training again would give.

    Attributes:
        train: Trains and opens a network on a fold's ``fit`` part.
    """

    train: Callable[[Prepared], Reconstructor]
    _known: dict[tuple[object, ...], Reconstructor] = field(default_factory=dict)

    def __call__(self, prepared: Prepared) -> Reconstructor:
        """Return the network of these assets."""
        assets = np.unique(prepared.fit.units).tolist()
        key = (prepared.name, prepared.sha256, prepared.machine.name, *assets)
        if key not in self._known:
            self._known[key] = self.train(prepared)
        return self._known[key]


def refitted(
    score: Score,
    network: Callable[[Prepared], Reconstructor] = lambda prepared: ZeroReconstructor(),
    seed: int = 0,
) -> ScoreFold:
    """Return what fits a score on one fold and scores with it.

    Args:
        score: Which.
        network: Gives what the score compares windows with: :class:`FoldNetworks`, if it uses one.
        seed: Of what the score draws at random.
    """

    def score_fold(prepared: Prepared) -> NDArray[np.float64]:
        return fit_score(score, network(prepared), prepared, seed).scores(prepared.validate)

    return score_fold


def _joined(
    parts: list[WindowSet], scores: list[NDArray[np.float64]], folds: int, seed: int
) -> OutOfFold:
    units = np.concatenate([part.units for part in parts])
    order = np.argsort(units, kind="stable")
    return OutOfFold(
        units[order],
        np.concatenate([part.cycles for part in parts])[order],
        np.concatenate([part.life_left for part in parts])[order],
        np.concatenate([usual(part) for part in parts])[order],
        np.concatenate([part.faulty for part in parts])[order],
        folds_of(units[order], folds, seed),
        np.concatenate(scores)[order],
    )
