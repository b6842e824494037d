"""Grow an isolation forest with scikit-learn, and turn it into the arrays of ``forest.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import ScoreParams, residuals_of
from models.scoring.measures.forest import FOREST, average_path
from models.scoring.measures.subspace import Features

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

TREES: Final = 100
SAMPLES: Final = 256
"""Both as in the paper that introduced the method."""


def fit_forest(
    features: Features, windows: NDArray[np.float32], expected: NDArray[np.float32], seed: int
) -> ScoreParams:
    """Return the arrays of a forest grown on features of healthy windows."""
    rows = features(residuals_of(windows, expected)).astype(np.float32)
    return forest_arrays(grow(rows, seed))


def grow(rows: NDArray[np.float32], seed: int) -> IsolationForest:
    """Return the fitted scikit-learn model; rows have shape ``(n, n_features)``."""
    from sklearn.ensemble import IsolationForest

    model = IsolationForest(
        n_estimators=TREES, max_samples=min(SAMPLES, len(rows)), random_state=seed
    )
    return model.fit(rows)


def forest_arrays(model: IsolationForest) -> ScoreParams:
    """Return a fitted forest as the table that ``models.scoring.measures.forest`` walks."""
    parts: dict[str, list[NDArray[np.generic]]] = {name: [] for name in FOREST}
    offset = 0
    for estimator in model.estimators_:
        tree = estimator.tree_
        leaf = tree.children_left < 0
        own = np.arange(tree.node_count)
        depth = _depths(tree.children_left, tree.children_right)
        parts["roots"].append(np.array([offset], np.int32))
        parts["feature"].append(np.where(leaf, -1, tree.feature).astype(np.int32))
        parts["threshold"].append(np.where(leaf, 0.0, tree.threshold))
        for name, children in (("left", tree.children_left), ("right", tree.children_right)):
            parts[name].append((np.where(leaf, own, children) + offset).astype(np.int32))
        parts["path"].append(depth + average_path(tree.n_node_samples))
        offset += tree.node_count
    return {name: np.concatenate(values) for name, values in parts.items()}


def _depths(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    depths = np.zeros(len(left), np.int64)
    for node in range(len(left)):  # a parent always comes before its children
        if left[node] >= 0:
            depths[left[node]] = depths[right[node]] = depths[node] + 1
    return depths
