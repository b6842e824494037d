"""The CSV of one series: every row with its signal, scores, threshold, flag and truth."""

from __future__ import annotations

import io
import re
from typing import Final

import numpy as np

from models.evaluation.series import FloatArray, SeriesResult

COLUMNS: Final = ("row", "signal", "true", "provisional", "final", "threshold", "flag")


def series_csv(result: SeriesResult) -> str:
    """Return every row of one result; nothing where there is no score."""
    threshold = np.broadcast_to(np.asarray(result.threshold, np.float64), result.rows)
    numbers = [
        _written(values) for values in (result.signal, result.provisional, result.final, threshold)
    ]
    signal, provisional, final, limits = numbers
    truth, flags = result.truth.astype(int).tolist(), result.flags.astype(int).tolist()
    text = io.StringIO()
    text.write(",".join(COLUMNS) + "\n")
    text.writelines(
        f"{row},{signal[row]},{truth[row]},{provisional[row]},{final[row]},{limits[row]},{flags[row]}\n"
        for row in range(result.rows)
    )
    return text.getvalue()


def file_name(result: SeriesResult) -> str:
    """Return such as ``SMAP_A-1.csv``, of letters, digits, dots, dashes and underscores alone."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", f"{result.spacecraft}_{result.series}") + ".csv"


def _written(values: FloatArray) -> list[str]:
    return ["" if value != value else f"{value:.7g}" for value in values.tolist()]
