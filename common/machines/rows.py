"""Measured values as the rows that rings and windows are made of: 32-bit, rounded here alone.

A ring holds what was measured, not a model's scale, so that another model can read it; and the
batch path rounds by this very function, so that live and batch scores stay the same number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def as_rows(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return measured values as rows.

    Args:
        values: Shape ``(n, n_conditions + n_channels)``, the conditions first; each at most 1e18
            away from 0, NaN where nothing was measured.

    Example:
        >>> as_rows(np.array([[0.1, 2.0]])).tolist()
        [[0.10000000149011612, 2.0]]
    """
    return values.astype(np.float32)


def split_rows(
    rows: NDArray[np.float32], n_conditions: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return conditions and channels of rows, for arithmetic in 64 bits."""
    values = rows.astype(np.float64)
    return values[:, :n_conditions], values[:, n_conditions:]
