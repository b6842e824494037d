from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.scoring.measures.forest import average_path, check_forest, isolation, summary
from models.scoring.measures.subspace import flat
from models.training.isolation_forest import forest_arrays, grow

RNG = np.random.default_rng(3)
HEALTHY = RNG.normal(size=(400, 30, 14)).astype(np.float32)
WINDOWS = (RNG.normal(size=(150, 30, 14)) * RNG.uniform(0.5, 4, (150, 1, 1))).astype(np.float32)


@pytest.mark.parametrize("features", [summary, flat])
def test_arrays_score_as_scikit_learn_does(features: Any) -> None:
    rows = features(HEALTHY.astype(float)).astype(np.float32)
    model = grow(rows, seed=1)

    result = isolation(features)(WINDOWS, np.zeros_like(WINDOWS), forest_arrays(model))

    reference = -model.score_samples(features(WINDOWS.astype(float)).astype(np.float32))
    np.testing.assert_allclose(result.totals, reference, rtol=1e-12)


def test_credits_add_up_to_how_much_shorter_the_path_was() -> None:
    params = forest_arrays(grow(summary(HEALTHY.astype(float)).astype(np.float32), seed=1))
    far = WINDOWS * np.float32(50)

    result = isolation(summary)(far, np.zeros_like(far), params)

    expected = average_path(np.array([256]))[0]
    mean_path = -np.log2(result.totals) * expected
    shorter = expected - mean_path
    # what lengthened a path is left out of contributions, so they are never less
    assert (result.channels.sum(axis=1) >= shorter - 1e-9).all()
    np.testing.assert_allclose(result.channels.sum(axis=1), shorter, rtol=0.2)


@pytest.mark.parametrize(
    ("column", "row", "value"),
    [
        pytest.param("left", 0, 0, id="a circle"),
        pytest.param("right", 0, 10**6, id="out of the table"),
        pytest.param("feature", 0, 42, id="a column that is not there"),
        pytest.param("roots", 0, -1, id="no root"),
        pytest.param("threshold", 0, np.nan, id="not a number"),
    ],
)
def test_a_damaged_table_is_refused(column: str, row: int, value: float) -> None:
    params = forest_arrays(grow(summary(HEALTHY.astype(float)).astype(np.float32), seed=1))
    check_forest(params, 42)
    damaged = {name: values.copy() for name, values in params.items()}
    damaged[column][row] = value

    with pytest.raises(ValueError, match="damaged"):
        check_forest(damaged, 42)


def test_columns_of_other_lengths_or_kinds_are_refused() -> None:
    params = forest_arrays(grow(summary(HEALTHY.astype(float)).astype(np.float32), seed=1))

    with pytest.raises(ValueError, match="one length"):
        check_forest({**params, "path": params["path"][1:]}, 42)
    with pytest.raises(ValueError, match="integers"):
        check_forest({**params, "left": params["left"].astype(float)}, 42)
