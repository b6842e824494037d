"""What is known of a record's readings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from common.recording import AssetRecord


def masks(record: AssetRecord) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which readings are of a sound machine, and which of a failing one; each ``(n,)``.

    Where nobody said anything, all are of a sound machine. Where only one of the two is known, what
    is not faulty is healthy, and what is not healthy is neither.
    """
    nowhere = np.zeros(len(record), np.bool_)
    faulty = nowhere if record.faulty is None else record.faulty
    healthy = ~faulty if record.healthy is None else record.healthy & ~faulty
    return healthy, faulty
