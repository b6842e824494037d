"""The batch path: whole engines to scores, through the same scorer as the live detector.

Parity tests compare the live scores with these. Both ask the same :class:`WindowScorer`, so they
can differ only in how windows are put together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.channels import SENSOR_NAMES
from common.cmapss import Dataset, EngineSeries, remaining_useful_life
from models.evaluation.splits import EngineRange
from models.scoring.scorer import NormalisedRows, WindowScorer
from models.scoring.windows import WindowSet, complete_window_ends, sliding_windows


class RowNormaliser(Protocol):
    """Puts readings on the model's scale: a scorer, or a bare regime table."""

    def normalise(
        self, settings: NDArray[np.float64], sensors: NDArray[np.float64]
    ) -> NormalisedRows:
        """See :meth:`models.scoring.scorer.WindowScorer.normalise`."""


@dataclass(frozen=True, slots=True)
class EngineScores:
    """Scores of one engine, one for each cycle that completes a window.

    Attributes:
        unit: Engine number.
        cycles: Shape ``(m,)``; ascending.
        scores: Shape ``(m,)``; higher is more anomalous.
        shares: Shape ``(m, n_channels)``; rows sum to 1.
        directions: Shape ``(m, n_channels)``; +1 above what was expected, -1 below.
    """

    unit: int
    cycles: NDArray[np.int64]
    scores: NDArray[np.float64]
    shares: NDArray[np.float64]
    directions: NDArray[np.int8]


def sensor_columns(channels: tuple[str, ...]) -> list[int]:
    """Return where the channels are among the 21 sensors of a reading.

    Example:
        >>> sensor_columns(("T24", "W32"))
        [1, 20]
    """
    return [SENSOR_NAMES.index(name) for name in channels]


def engine_windows(
    normaliser: RowNormaliser, channels: tuple[str, ...], window_length: int, series: EngineSeries
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the complete windows of one engine, and the row each ends at.

    A window that holds a row of an unknown regime is left out: after such a row, as after a gap,
    ``window_length`` rows must come before the next window.

    Returns:
        Rows, shape ``(m,)``, and windows, shape ``(m, window_length, n_channels)``.
    """
    normalised = normaliser.normalise(series.settings, series.sensors[:, sensor_columns(channels)])
    ends = complete_window_ends(normalised.known, window_length)
    windows = sliding_windows(normalised.rows, window_length)
    if len(ends) < len(windows):
        windows = windows[ends - (window_length - 1)]
    return ends, windows


def score_engine(scorer: WindowScorer, series: EngineSeries) -> EngineScores:
    """Score every cycle of one engine that completes a window of known rows."""
    ends, windows = engine_windows(scorer, scorer.spec.channels, scorer.spec.window_length, series)
    result = scorer.score(windows)
    return EngineScores(
        series.unit, series.cycles[ends], result.scores, result.shares, result.directions
    )


def collect_windows(
    normaliser: RowNormaliser,
    channels: tuple[str, ...],
    window_length: int,
    dataset: Dataset,
    engines: EngineRange | None = None,
) -> WindowSet:
    """Return all complete windows of a data set's engines, with the life left at each end.

    Args:
        normaliser: Puts readings on the model's scale.
        channels: Sensors to use, in the model's order.
        window_length: Rows in a window.
        dataset: The engines.
        engines: Only these; none means all.

    Raises:
        DatasetError: If the remaining life is not known (a test file without its RUL file).
    """
    windows = [np.empty((0, window_length, len(channels)), np.float32)]
    units, cycles, rul = ([np.empty(0, np.int64)] for _ in range(3))
    for series, life in zip(dataset.engines, remaining_useful_life(dataset), strict=True):
        if engines is not None and not engines.first <= series.unit <= engines.last:
            continue
        ends, found = engine_windows(normaliser, channels, window_length, series)
        windows.append(found)
        units.append(np.full(len(ends), series.unit, np.int64))
        cycles.append(series.cycles[ends])
        rul.append(life[ends])
    return WindowSet(
        np.concatenate(windows), np.concatenate(units), np.concatenate(cycles), np.concatenate(rul)
    )
