"""Grow boosted regression trees with scikit-learn; turn them into the arrays of ``trees.py``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import ScoreParams
from models.scoring.trees import LEAF_UNITS, trees_sum

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

ROUNDING: Final = 0.01
"""Cycles; sums of leaves may differ from the library's by less."""

ALWAYS_LEFT: Final = np.finfo(np.float32).max


@dataclass(frozen=True, slots=True)
class Growth:
    """How trees are grown.

    Attributes:
        trees: How many, of each seed.
        depth: Steps from a root to a leaf, at most.
        learning_rate: Part of each tree that counts.
        min_leaf: Windows in a leaf, at least.
        seeds: How many ensembles are averaged.
    """

    trees: int = 120
    depth: int = 5
    learning_rate: float = 0.06
    min_leaf: int = 40
    seeds: int = 2


def grow_boosted(
    rows: NDArray[np.float32],
    target: NDArray[np.float64],
    weights: NDArray[np.float64],
    growth: Growth,
    seed: int,
) -> HistGradientBoostingRegressor:
    """Return one fitted scikit-learn model; rows have shape ``(n, n_features)``."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        max_iter=growth.trees,
        max_depth=growth.depth,
        max_leaf_nodes=None,
        learning_rate=growth.learning_rate,
        min_samples_leaf=growth.min_leaf,
        max_bins=63,
        early_stopping=False,
        random_state=seed,
    )
    return model.fit(rows, target, sample_weight=weights)


def boosted_arrays(models: Iterable[HistGradientBoostingRegressor], depth: int) -> ScoreParams:
    """Return the mean of fitted models as ``base`` and the tables of ``trees.py``.

    scikit-learn keeps the nodes in attributes of its own (``_predictors``): whoever calls this
    compares the result with the library's predictions (:func:`check_reproduces`).
    """
    ensembles: list[Any] = list(models)
    tables = [
        _complete(predictor.nodes, depth)
        for model in ensembles
        for (predictor,) in model._predictors
    ]
    base = float(np.mean([model._baseline_prediction.item() for model in ensembles]))
    feature, threshold, leaf = (np.stack(each) for each in zip(*tables, strict=True))
    return {
        "base": np.array([base]),
        "feature": feature.astype(np.int16),
        "threshold": _floor32(threshold),
        "leaf": np.rint(leaf / len(ensembles) * LEAF_UNITS).astype(np.int32),
    }


def check_reproduces(
    models: Iterable[HistGradientBoostingRegressor], params: ScoreParams, rows: NDArray[np.float32]
) -> None:
    """Refuse arrays that do not say what the library says.

    Raises:
        ValueError: With the largest difference; another release of scikit-learn may keep its trees
            in another form.
    """
    library = np.mean([model.predict(rows) for model in models], axis=0)
    worst = float(np.abs(params["base"][0] + trees_sum(rows, params) - library).max())
    if not worst < ROUNDING:
        raise ValueError(
            f"the exported trees differ from scikit-learn's by up to {worst:.3g} cycles; "
            "its way to keep trees must have changed"
        )


def _complete(nodes: NDArray[Any], depth: int) -> tuple[NDArray[np.float64], ...]:
    """Return column, threshold and leaf of one tree, every branch filled up to ``depth``."""
    inner = 2**depth - 1
    feature, threshold = np.zeros(inner), np.full(inner, float(ALWAYS_LEFT))
    at = np.zeros(2 * inner + 1, np.int64)  # the library's node at each place of the heap
    for place in range(inner):
        node = nodes[at[place]]
        if node["is_leaf"]:
            at[2 * place + 1] = at[2 * place + 2] = at[place]
            continue
        feature[place], threshold[place] = node["feature_idx"], node["num_threshold"]
        at[2 * place + 1], at[2 * place + 2] = node["left"], node["right"]
    return feature, threshold, nodes["value"][at[inner:]]


def _floor32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 not above each value: float32 rows split the same way by it."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near)
