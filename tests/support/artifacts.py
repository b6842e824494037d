"""What artifacts of C-MAPSS engines always have, though others need not; edited manifests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.artifact.manifest import read_manifest
from models.artifact.metrics import Metrics
from models.artifact.provenance import RangeSection
from models.artifact.store import Artifact
from models.artifact.version import version_of


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


def edit_manifest(
    folder: Path, edit: Callable[[dict[str, Any]], object], *, sealed: bool = True
) -> None:
    """Change the manifest of a folder; ``sealed`` gives it the version of its new content."""
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(written(content))
    if sealed:
        content["version"] = _version(path.read_bytes(), content["version"])
        path.write_text(written(content))


def written(content: dict[str, Any]) -> str:
    """Return a manifest's text, a field per line."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _version(content: bytes, otherwise: str) -> str:
    """Return the version that is due; what is no manifest anyway has none."""
    try:
        manifest, is_current = read_manifest(content)
    except ValueError:
        return otherwise
    return version_of(manifest.to_json() if is_current else content)
