"""Three unlike views of a window as one score: its shape, its likeness, its unrest.

Each view is blind to something: shapes that are common to few windows (``window_pca``), patterns
longer than what is compared (``nearest_window``), a level that stands still where it never stood
(``difference``). They are multiplied, so none needs a scale that labels would have to choose.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.change import difference
from models.scoring.measures.contributions import Contributions, ScoreParams
from models.scoring.measures.nearest_window import check_kept, fit_nearest_window, nearest_window
from models.scoring.measures.window_pca import check_basis, fit_window_pca, window_pca

FLOOR: Final = 1e-3
"""Added to each view, in deviations: what stands quite still must not silence the other two."""


def _latest(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the later half of windows: likeness is compared over less time than shape is."""
    return windows[:, -half(windows.shape[1]) :]


def half(length: int) -> int:
    """Return how many readings of a window are compared with kept ones."""
    return max(2, length // 2)


def fit_three_views(windows: NDArray[np.float32], expected: NDArray[np.float32]) -> ScoreParams:
    """Return what the views learn of healthy windows.

    Args:
        windows: Healthy windows, shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.
    """
    return {
        **fit_window_pca(windows, expected),
        **fit_nearest_window(_latest(windows), _latest(expected)),
    }


def three_views(
    windows: NDArray[np.float32], expected: NDArray[np.float32], params: ScoreParams
) -> Contributions:
    """Return the geometric mean of the views, each with :data:`FLOOR` added.

    A channel contributes the mean of its parts of the three.

    Args:
        windows: Shape ``(n, window_length, n_channels)``, z-scored.
        expected: Same shape; zeros.
        params: What :func:`fit_three_views` returned.
    """
    views = (
        window_pca(windows, expected, params),
        nearest_window(_latest(windows), _latest(expected), params),
        difference(windows, expected, params),
    )
    logs = sum(np.log(view.totals + FLOOR) for view in views)
    totals = np.exp(logs / len(views))
    parts = np.zeros((len(windows), windows.shape[2]))
    for view in views:
        sums = view.channels.sum(axis=1)
        parts += view.channels / np.where(sums > 0.0, sums, 1.0)[:, None]
    return Contributions(totals, parts, views[1].signs)


def check_views(params: ScoreParams, length: int, n_channels: int) -> None:
    """Refuse arrays that do not fit, or are not finite.

    Raises:
        ValueError: Saying what came.
    """
    check_basis(params, length, n_channels)
    check_kept(params, half(length), n_channels)
