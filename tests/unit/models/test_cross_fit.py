from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from common.machines.turbofan import TURBOFAN
from models.artifact.onnx_scorer import ZeroReconstructor
from models.evaluation.engines import recording_of
from models.scoring.scores import SCORES
from models.training.cross_fit import (
    FoldNetworks,
    FoldReport,
    cross_fit,
    fold_parts,
    refitted,
)
from models.training.folds import assign_folds, folds_of
from models.training.preparation.windows import Prepared
from producer.simulator.simulate import simulate

RECORDING = recording_of(simulate(8, seed=3))
TREND = refitted(SCORES["input_trend"])


@given(
    units=st.lists(st.integers(1, 500), min_size=2, max_size=60, unique=True),
    folds=st.integers(2, 9),
    seed=st.integers(0, 99),
)
def test_folds_are_even_and_the_same_whatever_the_order(
    units: list[int], folds: int, seed: int
) -> None:
    dealt = assign_folds(units, folds, seed)

    assert dealt == assign_folds(units[::-1], folds, seed)
    assert set(dealt) == set(units)
    sizes = Counter(dealt.values())
    assert set(sizes) == set(range(min(folds, len(units))))
    assert max(sizes.values()) - min(sizes.values()) <= 1


def test_all_windows_of_an_asset_are_in_its_fold() -> None:
    units = np.repeat(np.arange(10, 33), 5)

    folds = folds_of(units, 5, seed=3)

    assert set(folds.tolist()) == set(range(5))
    assert dict(zip(units.tolist(), folds.tolist(), strict=True)) == assign_folds(
        units.tolist(), 5, seed=3
    )
    assert all(len(set(folds[units == unit].tolist())) == 1 for unit in range(10, 33))


def test_another_seed_deals_otherwise() -> None:
    assert assign_folds(range(40), seed=0) != assign_folds(range(40), seed=1)


@pytest.mark.parametrize(("units", "folds"), [([1], 5), ([1, 2], 1)])
def test_too_few_are_refused(units: list[int], folds: int) -> None:
    with pytest.raises(ValueError, match="at least 2 of each"):
        assign_folds(units, folds)


def test_every_asset_is_scored_once_by_a_model_that_never_saw_it() -> None:
    seen: list[tuple[set[int], set[int]]] = []
    told: list[FoldReport] = []

    def note(prepared: Prepared) -> NDArray[np.float64]:
        seen.append((set(prepared.fit.units.tolist()), set(prepared.validate.units.tolist())))
        return np.zeros(len(prepared.validate))

    found = cross_fit(RECORDING, TURBOFAN, range(1, 8), note, folds=3, on_fold=told.append)

    assert all(not fitted & scored for fitted, scored in seen)
    assert all(fitted | scored == set(range(1, 8)) for fitted, scored in seen)
    assert sorted(unit for _, scored in seen for unit in scored) == list(range(1, 8))
    assert found.units.tolist() == sorted(found.units.tolist())
    assert [(each.fold, each.folds) for each in told] == [(1, 3), (2, 3), (3, 3)]


def test_a_fold_s_scores_are_those_of_its_own_model_and_deterministic() -> None:
    units = range(1, 7)
    found = cross_fit(RECORDING, TURBOFAN, units, TREND, folds=3)
    fold_of = assign_folds(units, 3)
    prepared = fold_parts(RECORDING, TURBOFAN, fold_of, 1)

    own = TREND(prepared)

    assert np.array_equal(found.scores[found.folds == 1], own[np.argsort(
        prepared.validate.units, kind="stable")])  # fmt: skip
    assert np.array_equal(found.scores, cross_fit(RECORDING, TURBOFAN, units, TREND, 3).scores)
    assert (np.diff(found.cycles)[np.diff(found.units) == 0] > 0).all()
    assert found.calibration().cycles is found.cycles


def test_the_normaliser_of_a_fold_knows_nothing_of_its_assets() -> None:
    fold_of = assign_folds(range(1, 9), 4)
    means = [fold_parts(RECORDING, TURBOFAN, fold_of, fold).normaliser.means for fold in range(4)]

    assert len({array.tobytes() for array in means}) == 4


def test_several_kinds_of_scores_stay_beside_each_other() -> None:
    def both(prepared: Prepared) -> NDArray[np.float64]:
        scores = TREND(prepared)
        return np.stack([scores, -scores], axis=1)

    found = cross_fit(RECORDING, TURBOFAN, range(1, 5), both, folds=2)

    assert np.array_equal(found.calibration(1).scores, -found.calibration(0).scores)


def test_networks_of_the_same_assets_are_trained_once() -> None:
    trained: list[Prepared] = []

    def train(prepared: Prepared) -> ZeroReconstructor:
        trained.append(prepared)
        return ZeroReconstructor()

    score_fold = refitted(SCORES["residual_trend"], FoldNetworks(train))
    for _ in range(2):
        cross_fit(RECORDING, TURBOFAN, range(1, 7), score_fold, folds=3)

    assert len(trained) == 3


def test_a_score_too_few_is_refused() -> None:
    with pytest.raises(ValueError, match="one each expected"):
        cross_fit(RECORDING, TURBOFAN, range(1, 5), lambda prepared: np.zeros(1), folds=2)
