"""What artifacts of C-MAPSS engines always have, though others need not."""

from __future__ import annotations

from models.artifact.metrics import Metrics
from models.artifact.provenance import RangeSection
from models.artifact.store import Artifact


def heldout_engines(artifact: Artifact) -> RangeSection:
    """Return the engines that were only measured."""
    heldout = artifact.manifest.training.heldout
    assert heldout is not None
    return heldout


def heldout_metrics(artifact: Artifact) -> Metrics:
    """Return the figures on them."""
    metrics = artifact.manifest.heldout_metrics
    assert metrics is not None
    return metrics
