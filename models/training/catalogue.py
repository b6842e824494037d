"""Every model that can be trained, by name: which network, if any, and which score of it.

One interface for the reference network and the baselines: train, save, open, score, live or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from models.scoring.scores import SCORES

LSTM_AUTOENCODER: Final = "lstm_autoencoder"
LSTM_FORECASTER: Final = "lstm_forecaster"
PATCHTST: Final = "patchtst"

AUTO: Final = "auto"
CANDIDATES: Final = ("residual_trend", "input_trend", "hybrid", "hybrid_upper")
"""What ``auto`` chooses from, on fit and validation engines; all but one share one network."""

OWN_DEFAULT: Final = "nearest_healthy"
"""What somebody's own machine gets where no faulty windows are known to choose by: measured on real
pumps by ``python -m bench.quality.skab``."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model that can be trained.

    Attributes:
        name: As given to ``surgeline train --model``.
        network: Kind of its network; none for a model without.
        score: Name of its score.
        summary: One sentence.
    """

    name: str
    network: str | None
    score: str
    summary: str


MODELS: Final[Mapping[str, Model]] = MappingProxyType(
    {
        model.name: model
        for model in (
            *(
                Model(
                    score.name,
                    LSTM_AUTOENCODER if score.uses_network else None,
                    score.name,
                    score.summary,
                )
                for score in SCORES.values()
            ),
            Model(PATCHTST, PATCHTST, "mse", "forecast error of a PatchTST"),
            Model(
                "lstm_forecast",
                LSTM_FORECASTER,
                "mse",
                "error of an LSTM that forecasts each reading from those before it",
            ),
            Model(
                "patchtst_trend",
                PATCHTST,
                "residual_trend",
                "level and slope of a PatchTST's forecast error, in the median channel",
            ),
        )
    }
)
"""Every model by name."""

BASELINES: Final = tuple(model.name for model in MODELS.values() if model.network is None)
"""Models without a network: fitted in seconds, so every comparison has them all."""
