"""``models:/surgeline@production`` to a folder on this machine, checked and cached.

The registry is asked each time, so that the alias is never stale; files are fetched only when
their digest is new here. A registry that does not answer is an error: which model is in production
is then not known, and an old copy must not quietly take its place.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from common.errors import ArtifactError
from common.settings import TrackingSettings, load_settings
from models.artifact.store import REGISTRY_SCHEME, Artifact, load_artifact, save_artifact
from models.tracking.mlflow_registry import MlflowRegistry
from models.tracking.registry import ModelRegistry

URL: Final = re.compile(
    rf"^{REGISTRY_SCHEME}(?P<name>[^/@]+)(@(?P<alias>[A-Za-z][\w-]*)|/(?P<number>\d+))$"
)


def registry_folder(url: str) -> Path:
    """Return the folder of the artifact a registry URL means, fetched if need be.

    Args:
        url: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.

    Raises:
        ArtifactError: If the URL means nothing, or its files are not what was promoted.
        BackendMissingError: If the extra ``mlflow`` is not installed.
        BackendError: If the registry does not answer, or refuses.
    """
    settings = load_settings().tracking
    alias_or_version = parse_url(url, settings.model_name)
    return fetch(url, alias_or_version, MlflowRegistry(settings), settings)


def parse_url(url: str, model_name: str) -> str:
    """Return the alias or version number of a registry URL.

    Raises:
        ArtifactError: If it is no such URL, or names another model.

    Example:
        >>> parse_url("models:/surgeline@production", "surgeline")
        'production'
    """
    matched = URL.match(url)
    if matched is None or matched["name"] != model_name:
        raise ArtifactError(
            f"{url!r} came; {REGISTRY_SCHEME}{model_name}@ALIAS or "
            f"{REGISTRY_SCHEME}{model_name}/VERSION was expected "
            "(SURGELINE_TRACKING__MODEL_NAME sets the name)."
        )
    return matched["alias"] or matched["number"]


def fetch(
    url: str, alias_or_version: str, registry: ModelRegistry, settings: TrackingSettings
) -> Path:
    """Return the cached folder of a version, after fetching it if it is not there.

    Raises:
        ArtifactError: If there is no such version, or its files are not what was promoted.
    """
    found = registry.find(alias_or_version)
    if found is None:
        raise ArtifactError(
            f"{url} means nothing at {settings.tracking_uri}. Put a model there with `surgeline "
            "promote`, or point SURGELINE_TRACKING__TRACKING_URI elsewhere."
        )
    if not re.fullmatch(r"[0-9a-f]{64}", found.sha256):
        raise ArtifactError(f"{url} has the digest {found.sha256!r}; 64 hex digits were expected.")
    folder = settings.cache_dir / found.sha256
    if _cached(folder, found.sha256) is None:
        artifact = registry.artifact_of(found.run_id)
        if artifact.sha256 != found.sha256:
            raise ArtifactError(
                f"{url} was promoted with sha256 {found.sha256}; its run now holds "
                f"{artifact.sha256}. Promote the run again, if that is meant."
            )
        save_artifact(artifact, folder)
    return folder


def _cached(folder: Path, sha256: str) -> Artifact | None:
    if not folder.is_dir():
        return None
    try:
        artifact = load_artifact(str(folder))
    except ArtifactError:
        return None  # half written or damaged: fetched again
    return artifact if artifact.sha256 == sha256 else None
