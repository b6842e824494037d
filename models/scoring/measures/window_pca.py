"""How much of a window's shape lies outside the few shapes that healthy windows have.

A window is one point, of all its values; the principal components of healthy windows span the
shapes that are usual. Kept are as many as explain most of their variance, so the rest is what a
machine does not do when it is healthy. Without a network this is what an autoencoder learns.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import Contributions, ScoreParams, residuals_of
from models.scoring.measures.subspace import flat

BASIS: Final = "basis"
"""Orthonormal shapes of healthy windows, shape ``(window_length * n_channels, n_kept)``."""

EXPLAINED: Final = 0.95
"""Part of the healthy windows' squares that the kept components explain."""

MAX_WIDTH: Final = 4096
"""Values in a window. The components of more take minutes, and hundreds of megabytes."""


def fit_window_pca(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return the shapes that explain :data:`EXPLAINED` of healthy windows; none if they are flat.

    Args:
        windows: Healthy windows, shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.

    Raises:
        ValueError: If a window holds more than :data:`MAX_WIDTH` values.
    """
    width = windows.shape[1] * windows.shape[2]
    if width > MAX_WIDTH:
        raise ValueError(
            f"windows of {windows.shape[1]} readings of {windows.shape[2]} channels came, "
            f"{width} values; at most {MAX_WIDTH} were expected: set a shorter window or use "
            "fewer channels"
        )
    rows = flat(residuals_of(windows, expected))
    variances, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    variances, vectors = np.maximum(variances[::-1], 0.0), vectors[:, ::-1]
    total = variances.sum()
    if total <= np.finfo(np.float32).eps:  # it never moves: any move is unusual
        return {BASIS: np.zeros((width, 1), np.float32)}
    kept = int(np.searchsorted(np.cumsum(variances), EXPLAINED * total)) + 1
    return {BASIS: vectors[:, : min(kept, width)].astype(np.float32)}


def window_pca(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the root mean square of what the healthy shapes leave of a window.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.
        params: What :func:`fit_window_pca` returned.
    """
    n, length, n_channels = windows.shape
    rows = flat(residuals_of(windows, expected))  # (n, D)
    basis = params[BASIS].astype(np.float64)  # (D, K)
    # one product per window: a product of all would round differently for another n
    along = np.matmul(rows[:, None, :], basis)  # (n, 1, K)
    left = rows - np.matmul(along, basis.T)[:, 0]  # (n, D)
    squares = np.square(left).reshape(n, length, n_channels)
    channels = squares.sum(axis=1) / (length * n_channels)
    return Contributions(np.sqrt(channels.sum(axis=1)), channels)


def check_basis(params: ScoreParams, length: int, n_channels: int) -> None:
    """Refuse shapes of another width, none, or such that are not finite.

    Raises:
        ValueError: Saying what came.
    """
    came = params[BASIS]
    width = length * n_channels
    if came.ndim != 2 or came.shape[0] != width or not 1 <= came.shape[1] <= width:
        raise ValueError(f"a basis of shape {came.shape} came; ({width}, 1 or more) was expected")
    if came.dtype.kind != "f" or not np.isfinite(came).all():
        raise ValueError("a basis is not finite")
