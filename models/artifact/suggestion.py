"""Which shipped artifact fits a file of engines, when none is named."""

from __future__ import annotations

from typing import Final

import numpy as np

from common.cmapss.reader import Dataset
from models.artifact.store import Artifact, load_artifact, shipped_names

FALLBACK: Final = "fd001"


def suggest_artifact(dataset: Dataset) -> Artifact:
    """Return the shipped artifact of that name or training file, else the one that knows most rows.

    Rows are known if they lie in an operating regime the artifact was trained in. Among equals the
    first by name is taken; companions such as ``fd001-patchtst`` never are.

    Args:
        dataset: The engines to measure, or to train on.
    """
    names = [name for name in shipped_names() if "-" not in name]
    if dataset.name.lower() in names:
        return load_artifact(dataset.name.lower())
    artifacts = [load_artifact(name) for name in names or [FALLBACK]]
    settings = np.concatenate([engine.settings for engine in dataset.engines])

    def fit(artifact: Artifact) -> tuple[bool, float]:
        manifest = artifact.manifest
        known = manifest.normalisation.normaliser().regimes(settings) >= 0
        return manifest.training.data_sha256 == dataset.sha256, float(known.mean())

    return max(artifacts, key=fit)
