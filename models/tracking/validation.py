"""The numbers the gate compares: an artifact, measured on its validation engines.

Always measured anew, with today's code, never read from a registry: two models are then measured
by the same code on the same windows, and nobody can type a better number.
"""

from __future__ import annotations

from common.cmapss.reader import Dataset
from models.artifact.metrics import Metrics
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact
from models.evaluation.measure import measure_scorer
from models.training.recalibration import prepare_as


def validation_metrics(artifact: Artifact, training_data: Dataset) -> Metrics:
    """Measure an artifact on its validation engines, at its own thresholds.

    These engines also chose the thresholds, so the numbers flatter a little; they flatter both
    sides of a comparison alike.

    Raises:
        DatasetError: If the file is not the one the artifact was trained on.
    """
    windows = prepare_as(artifact, training_data).validate
    scorer = open_scorer(artifact)
    return measure_scorer(scorer, windows)
