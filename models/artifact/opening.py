"""From an artifact to a scorer. Importing this loads no onnxruntime; opening does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from models.artifact.store import Artifact
from models.scoring.scorer import WindowScorer

if TYPE_CHECKING:
    from models.artifact.parts_scorer import PartsScorer


class Recipe(NamedTuple):
    """What a scorer was opened from; it can be sent to another process.

    Attributes:
        artifact: The artifact.
        threads: Threads of the network.
    """

    artifact: Artifact
    threads: int


def open_scorer(artifact: Artifact, threads: int = 1) -> WindowScorer:
    """Open an artifact for scoring.

    A score does not depend on which other windows are in the call, nor on how many. Not
    thread-safe by promise; open one per worker.

    Args:
        artifact: What ``store.load_artifact`` returned.
        threads: Threads of the network; scale by workers instead.

    Raises:
        ArtifactError: If the network is not what the manifest says.
    """
    # onnxruntime sends usage data to its maker unless told not to before it is imported
    os.putenv("ORT_DISABLE_TELEMETRY", "1")
    # here, so that whoever only reads artifacts does not load onnxruntime
    from models.artifact.onnx_scorer import ArtifactScorer

    return ArtifactScorer(artifact, threads)


def open_parts(folder: Path, threads: int = 1) -> PartsScorer:
    """Open an artifact of parts; a part is read when its asset is first asked for.

    Args:
        folder: Where it is.
        threads: Threads of the network.

    Raises:
        ArtifactError: If it is missing, damaged or of an unknown layout.
    """
    os.putenv("ORT_DISABLE_TELEMETRY", "1")
    from models.artifact.parts_scorer import PartsScorer

    return PartsScorer(folder, threads)


def is_parts_scorer(scorer: WindowScorer) -> TypeGuard[PartsScorer]:
    """Return whether a scorer has a part for each asset."""
    from models.artifact.parts_scorer import PartsScorer

    return isinstance(scorer, PartsScorer)


def recipe_of(scorer: WindowScorer) -> Recipe | None:
    """Return what opens the same scorer again; none for one that is a part, or made otherwise."""
    from models.artifact.onnx_scorer import ArtifactScorer

    return Recipe(scorer.artifact, scorer.threads) if isinstance(scorer, ArtifactScorer) else None
