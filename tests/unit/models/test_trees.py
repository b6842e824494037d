from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.scoring.trees import (
    ASKED_CHUNK,
    ASKED_DEPTH,
    CHUNK,
    LEAF_UNITS,
    MANY,
    Trees,
    check_trees,
    trees_sum,
)
from models.training.life.boosting import Growth, boosted_arrays, check_reproduces, grow_boosted

RNG = np.random.default_rng(5)
ROWS = RNG.normal(size=(500, 4)).astype(np.float32)
TARGET = ROWS[:, 0] * 20.0 + np.square(ROWS[:, 1]) * 5.0
GROWTH = Growth(trees=12, depth=3, min_leaf=5)


def grown() -> tuple[Any, dict[str, Any]]:
    models = [grow_boosted(ROWS, TARGET, np.ones(len(ROWS)), GROWTH, seed) for seed in (0, 1)]
    return models, dict(boosted_arrays(models, GROWTH.depth))


def test_arrays_say_what_scikit_learn_says() -> None:
    models, params = grown()

    found = params["base"][0] + trees_sum(ROWS, params)

    library = np.mean([model.predict(ROWS) for model in models], axis=0)
    np.testing.assert_allclose(found, library, atol=24 / LEAF_UNITS)
    check_reproduces(models, params, ROWS)


def test_arrays_that_say_something_else_are_not_exported() -> None:
    models, params = grown()
    params["leaf"] = params["leaf"] + 10_000

    with pytest.raises(ValueError, match="differ from scikit-learn"):
        check_reproduces(models, params, ROWS)


def test_a_value_at_the_threshold_goes_left() -> None:
    params: dict[str, Any] = {
        "feature": np.array([[1]], np.int16),
        "threshold": np.array([[0.5]], np.float32),
        "leaf": np.array([[LEAF_UNITS, 3 * LEAF_UNITS]], np.int32),
    }
    rows = np.array([[9, 0.5], [9, np.nextafter(np.float32(0.5), np.float32(1))]], np.float32)

    assert trees_sum(rows, params).tolist() == [1.0, 3.0]


@given(
    n_trees=st.integers(1, 6),
    depth=st.integers(1, ASKED_DEPTH + 1),
    seed=st.integers(0, 99),
    n=st.sampled_from([0, 1, MANY - 1, MANY, CHUNK + 3, 99]),
)
def test_trees_are_walked_as_one_would_by_hand(n_trees: int, depth: int, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = 2**depth - 1
    params: dict[str, Any] = {
        "feature": rng.integers(0, 4, (n_trees, nodes)).astype(np.int16),
        "threshold": rng.normal(size=(n_trees, nodes)).astype(np.float32),
        "leaf": rng.integers(-(2**31), 2**31, (n_trees, nodes + 1)).astype(np.int32),
    }
    check_trees(params, 4)
    rows = ROWS[:n]

    expected = []
    for row in rows:
        total = 0
        for tree in range(n_trees):
            place = 0
            while place < nodes:
                right = row[params["feature"][tree, place]] > params["threshold"][tree, place]
                place = 2 * place + (2 if right else 1)
            total += int(params["leaf"][tree, place - nodes])
        expected.append(total / LEAF_UNITS)

    assert trees_sum(rows, params).tolist() == expected


def test_many_windows_get_the_same_as_one_at_a_time() -> None:
    _, params = grown()
    rows = RNG.normal(size=(2 * ASKED_CHUNK + 5, 4)).astype(np.float32)
    rows[3], rows[4], rows[5, 1] = np.inf, -np.inf, np.nan
    trees = Trees(params)

    alone = [trees.sum(rows[index : index + 1])[0] for index in range(len(rows))]

    assert trees.sum(rows).tolist() == alone


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        pytest.param("feature", lambda a: a + np.int16(4), "not there", id="no such column"),
        pytest.param("feature", lambda a: a - np.int16(9), "not there", id="negative column"),
        pytest.param("feature", lambda a: a.astype(np.int64), "int16", id="another kind"),
        pytest.param("feature", lambda a: a[:, 1:], "shape", id="a node short"),
        pytest.param("threshold", lambda a: a * np.float32(np.nan), "finite", id="not a number"),
        pytest.param("threshold", lambda a: a[1:], "shape", id="a tree short"),
        pytest.param("leaf", lambda a: a[:, 1:], "power of 2", id="a leaf short"),
        pytest.param("leaf", lambda a: a[:0], "n_trees", id="no tree"),
        pytest.param("leaf", lambda a: a.ravel(), "n_trees", id="flat"),
        pytest.param("leaf", lambda a: a.astype(float), "int32", id="leaves of another kind"),
    ],
)
def test_damaged_trees_are_refused(name: str, change: Any, message: str) -> None:
    _, params = grown()
    check_trees(params, 4)

    with pytest.raises(ValueError, match=message):
        check_trees({**params, name: change(params[name])}, 4)
