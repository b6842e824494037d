"""Trees are grown as ever, but a column is sorted once for all its bins.

Where windows have weights, scikit-learn sorts each column anew for every boundary between bins: 62
times. That took most of the time of tests that grow a few small trees.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import pytest
from sklearn.ensemble._hist_gradient_boosting import binning

BINS: Final = 63
"""As ``boosting.py`` has them; with another number scikit-learn is left alone."""

RANKS: Final = tuple(np.linspace(0, 100, BINS + 1)[1:-1].tolist())


@contextmanager
def quick_bins() -> Iterator[None]:
    """Remember all boundaries of the column that was asked for last; the same numbers come back."""
    slowly = getattr(binning, "_weighted_percentile", None)
    if slowly is None:  # another release finds its bins in another way
        yield
        return
    last = threading.local()  # columns are taken by several threads

    def quickly(column: Any, weights: Any, rank: Any, **how: Any) -> Any:
        if np.ndim(rank) or float(rank) not in RANKS:
            return slowly(column, weights, rank, **how)
        if getattr(last, "column", None) is not column or last.how != how:
            found = slowly(column, weights, np.array(RANKS), **how)
            last.found = dict(zip(RANKS, found, strict=True))
            last.column, last.how = column, how
        return last.found[float(rank)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binning, "_weighted_percentile", quickly)
        yield
