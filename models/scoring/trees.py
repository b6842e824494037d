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

from models.scoring.measures.contributions import ScoreParams

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

MANY: Final = 16
"""From so many windows on it is faster to ask all nodes, of all windows at once, than to walk."""

ASKED_CHUNK: Final = 256
"""Windows of which all nodes are asked together: their answers stay in the cache, bit by bit."""

AT_ONCE: Final = 2**17
"""Answers that are found at once: what is compared is half a megabyte then, which stays in the
cache, and which the allocator has at hand."""

ASKED_DEPTH: Final = 6
"""Deeper trees are always walked down: their nodes double with each level, the steps do not."""


class Trees:
    """Trees laid out by level, all roots first.

    Node ``i`` of a level has its children at ``2 i`` and ``2 i + 1`` of the next one. Few windows
    walk down; of many, shallow trees are asked at every node. Both get to the same leaves.

    Args:
        params: :data:`TREE_ARRAYS`, as :func:`check_trees` wants them.
    """

    def __init__(self, params: ScoreParams) -> None:
        feature, threshold, leaf = (params[name] for name in TREE_ARRAYS)
        levels = [slice(2**level - 1, 2 ** (level + 1) - 1) for level in range(depth_of(leaf))]
        # positions in the width numpy indexes with: conversions cost more than steps
        self._features = [feature[:, nodes].ravel().astype(np.intp) for nodes in levels]
        self._thresholds = [threshold[:, nodes].ravel() for nodes in levels]
        self._leaves = leaf.ravel().astype(np.int64)
        self._roots = np.arange(0, 2 * len(leaf), 2)
        self._questions = _Questions(feature, threshold) if len(levels) <= ASKED_DEPTH else None
        self._first_leaves = np.arange(0, leaf.size, leaf.shape[1])[:, None]

    def sum(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sum of the leaves that each row gets to, shape ``(n,)``.

        Args:
            rows: Shape ``(n, n_features)``.
        """
        found = np.empty(len(rows), np.int64)
        if self._questions is not None and len(rows) >= MANY:
            for start in range(0, len(rows), ASKED_CHUNK):
                paths = self._questions.paths(rows[start : start + ASKED_CHUNK])  # (n_trees, n)
                leaves = np.empty(paths.shape, np.intp)
                np.copyto(leaves, paths)  # adding numbers of two widths is slower than both
                leaves += self._first_leaves
                reached = self._leaves.take(leaves, mode="clip")
                np.add.reduce(reached, axis=0, out=found[start : start + ASKED_CHUNK])
            return found / LEAF_UNITS
        for start in range(0, len(rows), CHUNK):
            reached = self._leaves.take(self._walk(rows[start : start + CHUNK]), mode="clip")
            np.add.reduce(reached, axis=1, out=found[start : start + CHUNK])
        return found / LEAF_UNITS

    def _walk(self, rows: NDArray[np.float32]) -> NDArray[np.intp]:
        """Return which leaf each row gets to in each tree, shape ``(n, n_trees)``."""
        values = rows.ravel()
        shape = (len(rows), len(self._roots))
        offset = np.empty(shape, np.intp)  # in full: broadcasting it each time costs three times
        offset[:] = np.arange(0, len(values), rows.shape[1])[:, None]
        # of the roots there is nothing to look up but the values; all are inside: "raise" would
        # check every place
        go_right = rows.take(self._features[0], axis=1, mode="clip") > self._thresholds[0]
        at = self._roots + go_right
        step = np.empty(shape, np.intp)
        for feature, threshold in zip(self._features[1:], self._thresholds[1:], strict=True):
            column = feature.take(at, mode="clip")
            column += offset
            go_right = values.take(column, mode="clip") > threshold.take(at, mode="clip")
            np.copyto(step, go_right)  # adding truth values to numbers is slower than both
            at += at
            at += step
        return at


class _Questions:
    """All that trees ask of a row, each question once: is this feature above this threshold?

    Many nodes ask the same: the shipped trees have 7,440 of them and 2,500 questions. Answers are
    bits, those of eight rows in a byte, so that one operation settles a node of many rows.

    Args:
        feature: Shape ``(n_trees, 2 ** depth - 1)``.
        threshold: Same shape.
    """

    def __init__(self, feature: NDArray[np.int16], threshold: NDArray[np.float32]) -> None:
        # one number each: numpy tells numbers apart ten times as fast as pairs
        asked = feature.astype(np.uint64) << 32 | threshold.view(np.uint32)
        questions, which = np.unique(asked, return_inverse=True)
        self._features = (questions >> 32).astype(np.intp)
        self._thresholds = questions.astype(np.uint32).view(np.float32)[:, None]
        by_node = which.reshape(feature.shape).T  # (2 ** depth - 1, n_trees)
        self._nodes = by_node[_preorder(len(by_node))]
        self._depth = len(by_node).bit_length()

    def paths(self, rows: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Return which of its leaves each tree sends each row to, shape ``(n_trees, n)``.

        A path is the number whose bits are the turns, 1 for right, that of the root first.
        """
        n_bytes = (len(rows) + 7) // 8
        columns = np.zeros((rows.shape[1], 8 * n_bytes), np.float32)
        columns[:, : len(rows)] = rows.T
        answers = np.empty((len(self._features), n_bytes), np.uint8)
        step = AT_ONCE // (8 * n_bytes)
        for start in range(0, len(answers), step):
            some = slice(start, start + step)
            values = columns.take(self._features[some], axis=0, mode="clip")
            answers[some] = np.packbits(values > self._thresholds[some]).reshape(-1, n_bytes)
        turns = np.empty((self._depth, self._nodes.shape[1], n_bytes), np.uint8)
        subtree = answers.take(self._nodes, axis=0, mode="clip")  # (2 ** depth - 1, n_trees, ...)
        for turn in turns:
            turn[:] = subtree[0]
            half = len(subtree) // 2
            left, right = subtree[1 : half + 1], subtree[half + 1 :]
            # bit by bit: the right one where it turned right, else the left one
            right ^= left
            right &= turn
            right ^= left
            subtree = right
        turned = np.unpackbits(turns).reshape(*turns.shape[:2], 8 * n_bytes)
        paths = np.zeros(turned.shape[1:], np.uint8)
        for each in turned:
            paths += paths
            paths += each
        return paths[:, : len(rows)]


def _preorder(n_nodes: int, root: int = 0) -> list[int]:
    """Return the nodes of a complete tree, each followed by all on its left, then on its right."""
    if root >= n_nodes:
        return []
    return [root, *_preorder(n_nodes, 2 * root + 1), *_preorder(n_nodes, 2 * root + 2)]


def depth_of(leaf: NDArray[np.int32]) -> int:
    """Return the steps to a leaf of trees with leaves of shape ``(n_trees, 2 ** depth)``."""
    return int(leaf.shape[1]).bit_length() - 1


def trees_sum(rows: NDArray[np.float32], params: ScoreParams) -> NDArray[np.float64]:
    """Return :meth:`Trees.sum` of trees that are used once.

    Args:
        rows: Shape ``(n, n_features)``.
        params: :data:`TREE_ARRAYS`, as :func:`check_trees` wants them.
    """
    return Trees(params).sum(rows)


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
