from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.cmapss.reader import Dataset
from common.errors import DatasetError
from common.machines.turbofan import TURBOFAN
from models.evaluation.splits import HEALTHY_RUL
from models.training.preparation.windows import Prepared, healthy, prepare
from tests.support.fleets import REGIMES, cut_short, engine, fleet


def test_each_window_carries_its_engine_cycle_and_life_left(prepared: Prepared) -> None:
    lengths = {series.unit: len(series) for series in fleet().engines}

    for part in (prepared.fit, prepared.validate, prepared.heldout):
        assert part.windows.shape[1:] == (30, len(TURBOFAN.used))
        whole = np.array([lengths[unit] for unit in part.units.tolist()])
        assert np.array_equal(part.cycles + part.life_left, whole)
        assert part.cycles.min() == 30


def test_only_healthy_rows_of_fit_engines_set_the_scale() -> None:
    dataset = fleet()
    split = prepare(dataset).split
    altered = []
    for series in dataset.engines:
        sensors = series.sensors.copy()
        if series.unit > split.fit.last:
            sensors *= 1.2
        else:
            sensors[-HEALTHY_RUL - 1 :] *= 0.9
        altered.append(replace(series, sensors=sensors))

    before = prepare(dataset).normaliser
    after = prepare(replace(dataset, engines=tuple(altered))).normaliser

    assert np.array_equal(before.means, after.means)
    assert np.array_equal(before.sds, after.sds)


def test_three_regimes_take_the_same_path_as_one() -> None:
    one, three = prepare(fleet(regimes=REGIMES[:1])), prepare(fleet(regimes=REGIMES))

    assert len(three.normaliser.centres) == 3
    assert len(three.fit) == len(one.fit)
    for part in (one, three):
        assert abs(float(healthy(part.validate).windows.std()) - 1) < 0.05


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        pytest.param(fleet(4), "at least 5", id="too few engines"),
        pytest.param(cut_short(fleet(), np.full(8, 5)), "test split", id="a test split"),
        pytest.param(
            Dataset("T", "train", tuple(engine(u, 100, 0) for u in range(1, 7)), None, "0" * 64),
            "healthy rows came",
            id="engines that die young",
        ),
        pytest.param(
            Dataset("T", "train", tuple(engine(u, 157, 0) for u in range(1, 7)), None, "0" * 64),
            None,
            id="just enough",
        ),
    ],
)
def test_a_file_that_cannot_train_says_why(dataset: Dataset, message: str | None) -> None:
    if message is None:
        assert len(healthy(prepare(dataset).validate))
        return
    with pytest.raises(DatasetError, match=message):
        prepare(dataset)
