"""Boosted regression trees as plain arrays, summed with numpy.

Every tree is complete: node ``i`` has the children ``2 i + 1`` and ``2 i + 2``, as in a heap, so no
table of children is there to lead in a circle, and all windows reach a leaf after the same number
of steps. A branch that ends earlier is filled up with nodes that send everything left.

Leaves are whole numbers of ``1 / LEAF_UNITS``: their sum is exact, in whatever order it is taken,
so one window alone gets the same bits as in a batch, on any machine.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.contributions import ScoreParams

TREE_ARRAYS: Final = ("feature", "threshold", "leaf")
"""``feature`` (int16) and ``threshold`` (float32), shape ``(n_trees, 2 ** depth - 1)``: the column
a node splits by, and the value at or below which a window goes left. ``leaf`` (int32), shape
``(n_trees, 2 ** depth)``, in units of ``1 / LEAF_UNITS``."""

LEAF_UNITS: Final = 2**16
"""Rounding moves a sum of 300 trees by 0.0023 at most, far below a cycle."""

MAX_DEPTH: Final = 12
MAX_TREES: Final = 10_000
CHUNK: Final = 64
"""Windows that go down together: what they need stays in the processor's cache."""


def trees_sum(rows: NDArray[np.float32], params: ScoreParams) -> NDArray[np.float64]:
    """Return the sum of the leaves that each row gets to, shape ``(n,)``.

    Args:
        rows: Shape ``(n, n_features)``.
        params: :data:`TREE_ARRAYS`, as :func:`check_trees` wants them.
    """
    n_trees, n_leaves = params["leaf"].shape
    # flat tables, and positions in the width numpy indexes with: conversions cost more than steps
    feature = params["feature"].ravel().astype(np.intp)
    threshold, leaf = params["threshold"].ravel(), params["leaf"].ravel()
    first_node = np.arange(n_trees) * (n_leaves - 1)
    to_left = 1 - first_node  # a node's left child stands at twice its place, and this
    to_leaf = np.arange(n_trees) * n_leaves - (n_leaves - 1) - first_node
    found = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        values = np.ascontiguousarray(part).ravel()
        offset = (np.arange(len(part)) * part.shape[1])[:, None]
        at = np.empty((len(part), n_trees), np.intp)  # (n, T); all below is written in place
        at[:] = first_node
        column = np.empty_like(at)
        value, limit = np.empty(at.shape, np.float32), np.empty(at.shape, np.float32)
        for _ in range(n_leaves.bit_length() - 1):
            feature.take(at, out=column, mode="clip")  # all are inside: "raise" would copy
            column += offset
            values.take(column, out=value, mode="clip")
            threshold.take(at, out=limit, mode="clip")
            at *= 2
            at += to_left
            at += value > limit
        at += to_leaf
        found[start : start + CHUNK] = leaf.take(at).sum(axis=1, dtype=np.int64)
    return found / LEAF_UNITS


def check_trees(params: ScoreParams, n_features: int) -> None:
    """Refuse tables that do not fit each other or the features.

    Raises:
        ValueError: Saying what is wrong.
    """
    feature, threshold, leaf = (params[name] for name in TREE_ARRAYS)
    if feature.dtype != np.int16 or threshold.dtype != np.float32 or leaf.dtype != np.int32:
        raise ValueError("the trees' columns are not int16, float32 and int32")
    if leaf.ndim != 2 or not 1 <= len(leaf) <= MAX_TREES:
        raise ValueError(f"the trees' leaves have shape {leaf.shape}; (n_trees, n) was expected")
    if leaf.shape[1] not in {2**depth for depth in range(1, MAX_DEPTH + 1)}:
        raise ValueError(f"the trees have {leaf.shape[1]} leaves; a power of 2 was expected")
    nodes = (leaf.shape[0], leaf.shape[1] - 1)
    if feature.shape != nodes or threshold.shape != nodes:
        raise ValueError(f"the trees' nodes are not of shape {nodes}")
    if (feature < 0).any() or (feature >= n_features).any():
        raise ValueError("the trees' table is damaged: a node splits by a column that is not there")
    if not np.isfinite(threshold).all():
        raise ValueError("the trees' table is damaged: a threshold is not finite")
