"""Models of single streams, by name: which score, of which network, smoothed or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from models.training.catalogue import LSTM_AUTOENCODER, LSTM_FORECASTER, PATCHTST


class Shared(StrEnum):
    """What of a network is an asset's own."""

    NOTHING = "none"  # there is no network
    GLOBAL = "global"  # all assets share all of it
    TUNED = "tuned"  # its last layer is fitted to each asset


@dataclass(frozen=True, slots=True)
class SeriesModel:
    """A model of single streams. Normalisation and what the score learned are each asset's own.

    Attributes:
        name: As it is called in tables and on command lines.
        score: Name of its score (``models.scoring.scores``); empty for a rolling z-score.
        shared: What network it has.
        half_life: Readings after which a score counts half as much; none does not smooth.
        summary: One sentence.
        network: Kind of its network, if it has one.
    """

    name: str
    score: str
    shared: Shared
    half_life: float | None
    summary: str
    network: str = LSTM_AUTOENCODER


ROLLING_Z: Final = "rolling_z"
DEFAULT: Final = "three_views"
"""What is used where nothing else is asked for."""

SERIES_MODELS: Final[Mapping[str, SeriesModel]] = MappingProxyType(
    {
        model.name: model
        for model in (
            SeriesModel(
                DEFAULT, DEFAULT, Shared.NOTHING, None,
                "geometric mean of window_pca, nearest_window and difference: what ships",
            ),
            SeriesModel(
                "window_pca", "window_pca", Shared.NOTHING, None,
                "what the usual shapes leave of a window",
            ),
            SeriesModel(
                "nearest_window", "nearest_window", Shared.NOTHING, None,
                "distance from the nearest training window",
            ),
            SeriesModel(
                "difference", "difference", Shared.NOTHING, None,
                "weighted mean of absolute changes, nothing learned",
            ),
            SeriesModel(
                "lstm_global", "mse", Shared.GLOBAL, None,
                "error of one LSTM autoencoder of all streams",
            ),
            SeriesModel(
                "lstm_tuned", "mse", Shared.TUNED, None,
                "the same, its last layer fitted to each stream",
            ),
            SeriesModel(
                "lstm_topk", "blended_topk", Shared.TUNED, 10.0,
                "its largest errors, of values and of changes, smoothed",
            ),
            SeriesModel(
                "lstm_forecast", "mse", Shared.GLOBAL, None,
                "error of one LSTM of all streams that forecasts each reading",
                LSTM_FORECASTER,
            ),
            SeriesModel(
                "patchtst", "mse", Shared.GLOBAL, None,
                "error of one PatchTST of all streams that forecasts the last ten readings",
                PATCHTST,
            ),
            SeriesModel(
                "last_row", "last_row", Shared.NOTHING, None,
                "distance from the mean in the stream's own deviations: mean and k deviations",
            ),
            SeriesModel(
                ROLLING_Z, "", Shared.NOTHING, None,
                "distance from the mean of the last 100 readings in their deviations",
            ),
        )
    }
)  # fmt: skip
"""By name, in the order of tables."""
