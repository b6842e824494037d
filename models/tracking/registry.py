"""The port of the registry: what tracking and promotion ask of it. No MLflow here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from models.artifact.store import Artifact

PRODUCTION: Final = "production"
"""The alias of the version that the detector loads."""

SHA256_TAG: Final = "surgeline.artifact_sha256"
"""On every run and version: the digest that a downloaded artifact must have."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is kept of one training run, besides its files.

    Attributes:
        name: Of the run.
        params: What went in.
        metrics: What came out; finite.
        series: Metrics with one value per pass over the windows, from the first.
        tags: For finding it again.
    """

    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    series: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Registered:
    """One version in the registry.

    Attributes:
        version: Its number, as the registry writes it.
        run_id: The run it came of.
        sha256: Digest of the artifact, noted at promotion.
    """

    version: str
    run_id: str
    sha256: str


class ModelRegistry(Protocol):
    """Runs, and the versions promoted from them.

    Every method raises ``BackendUnavailableError`` if the server does not answer and
    ``BackendRefusedError`` if it refuses. Nothing is unpickled.
    """

    def log_run(self, record: RunRecord, artifact: Artifact, report: Path | None) -> str:
        """Keep a run with its artifact's files and, if there is one, its report; return its id.

        A run that could not be kept whole is marked failed, and the error is raised.
        """

    def artifact_of(self, run_id: str) -> Artifact:
        """Return the artifact of a run, checked.

        Raises:
            ArtifactError: If there is no such run, or its files are not what was logged.
        """

    def find(self, alias_or_version: str) -> Registered | None:
        """Return the version of an alias or number; none if there is none.

        Raises:
            ArtifactError: If that version was not put there by a promotion of Surgeline.
        """

    def promote(self, run_id: str, tags: Mapping[str, str]) -> str:
        """Register a run's artifact and move the alias :data:`PRODUCTION` to it.

        Returns:
            The new version.
        """
