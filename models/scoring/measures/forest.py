"""Isolation forests as plain arrays, scored with numpy (grown in ``training/``).

A forest splits at random; what a few splits isolate is unusual. Nodes of all trees are rows of one
table, so 64 windows walk down all trees in a dozen indexing steps.

Liu, Ting and Zhou, "Isolation Forest", ICDM 2008.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import Contributions, ScoreParams, residuals_of
from models.scoring.measures.subspace import Features

EULER_GAMMA: Final = 0.5772156649015329

FOREST: Final = ("roots", "feature", "threshold", "left", "right", "path")
"""``roots``: shape ``(n_trees,)``, rows of the trees' first nodes. The others, a row per node: the
column a node splits by (-1 in a leaf), the value at or below which a window goes left, the rows
of the children (a leaf's are its own), and the path length expected of a window that gets there."""


def summary(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean, deviation and slope of each channel, shape ``(n, 3 * n_channels)``."""
    length = residuals.shape[1]
    steps = np.arange(length) - (length - 1) / 2
    weights = steps / np.square(steps).sum()
    mean = residuals.sum(axis=1) / length
    spread = np.sqrt(np.square(residuals - mean[:, None]).sum(axis=1) / length)
    return np.concatenate([mean, spread, (residuals * weights[:, None]).sum(axis=1)], axis=1)


def average_path(samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean path length of an unsuccessful search in a tree of so many samples.

    Example:
        >>> average_path(np.array([1, 2, 256])).round(3).tolist()
        [0.0, 1.0, 10.245]
    """
    n = np.maximum(samples, 2).astype(np.float64)
    path = 2.0 * (np.log(n - 1.0) + EULER_GAMMA) - 2.0 * (n - 1.0) / n
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, path))


def isolation(features: Features) -> Callable[..., Contributions]:
    """Return the score function ``2 ** (-mean path / path expected at the root)``, in (0, 1).

    A split shortens or lengthens the path that is expected of a window; the change is credited to
    the channel split by. Credits add up to how much shorter than expected the path was; channels
    that lengthened it contribute nothing.
    """

    def contribute(
        windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
    ) -> Contributions:
        n, _, n_channels = windows.shape
        rows = features(residuals_of(windows, expected)).astype(np.float32)  # (n, D)
        roots, path = params["roots"], params["path"]
        nodes = np.broadcast_to(roots, (n, len(roots)))  # (n, T)
        credits = np.zeros((n, n_channels))
        window = np.arange(n)[:, None]
        while (splits := params["feature"][nodes] >= 0).any():
            column = np.maximum(params["feature"][nodes], 0)
            goes_left = rows[window, column] <= params["threshold"][nodes]
            children = np.where(goes_left, params["left"][nodes], params["right"][nodes])
            gain = np.where(splits, path[nodes] - path[children], 0.0)
            cells = window * n_channels + column % n_channels
            credits += np.bincount(cells.ravel(), gain.ravel(), minlength=n * n_channels).reshape(
                n, n_channels
            )
            nodes = children
        means = path[nodes].sum(axis=1) / len(roots)
        return Contributions(
            np.exp2(-means / path[roots[0]]), np.maximum(credits, 0.0) / len(roots)
        )

    return contribute


def check_forest(params: ScoreParams, n_features: int) -> None:
    """Refuse a table that would send a window in a circle or out of the table.

    Raises:
        ValueError: Saying what is wrong.
    """
    n_nodes = len(params["feature"])
    if any(params[name].dtype.kind != "i" for name in ("roots", "feature", "left", "right")):
        raise ValueError("the forest's nodes are not numbered by integers")
    if any(params[name].shape != (n_nodes,) for name in FOREST[1:]) or not n_nodes:
        raise ValueError("the forest's columns are not of one length")
    own = np.arange(n_nodes)
    inner = params["feature"] >= 0
    children = np.stack([params["left"], params["right"]])
    if (
        params["roots"].ndim != 1
        or not len(params["roots"])
        or not ((params["roots"] >= 0) & (params["roots"] < n_nodes)).all()
        or not (params["feature"] < n_features).all()
        or not (children[:, inner] > own[inner]).all()
        or not (children < n_nodes).all()
        or not (children[:, ~inner] == own[~inner]).all()
        or not (np.isfinite(params["path"]).all() and np.isfinite(params["threshold"]).all())
        or params["path"][params["roots"][0]] <= 0
    ):
        raise ValueError("the forest's table is damaged: a node leads nowhere or backwards")
