"""How sure a model is: what it holds against healthy windows that it was not fitted on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.artifact.confidence import table_of
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact
from models.scoring.evidence import judge_windows
from models.training.preparation.spikes import usual
from models.training.preparation.windows import Prepared


def with_confidence(
    artifact: Artifact, prepared: Prepared, scores: NDArray[np.float64] | None = None
) -> Artifact:
    """Return an artifact with the table of its healthy validation windows.

    Args:
        artifact: The model. Its manifest stays as it is.
        prepared: What it was fitted on, and what it was not.
        scores: Of all windows of the ``validate`` part, from before a score that remembers them
            came to do so; none for what the artifact says of them.
    """
    which = usual(prepared.validate)
    windows = prepared.validate.where(which)
    if not len(windows):
        return artifact
    scorer = open_scorer(artifact)
    found = scorer.score(windows.windows, windows.trail)
    if scores is not None:
        found = replace(found, scores=scores[which])
    severities = judge_windows(found, windows, scorer.spec).severities
    return replace(artifact, confidence=table_of(severities, artifact.sha256).to_json())
