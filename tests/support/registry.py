"""A model registry in memory that keeps the port's promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.errors import ArtifactError
from models.artifact.store import Artifact
from models.tracking.registry import PRODUCTION, SHA256_TAG, Registered, RunRecord


class MemoryRegistry:
    """Runs and versions in dictionaries (port ``ModelRegistry``)."""

    def __init__(self) -> None:
        self.runs: dict[str, Artifact] = {}
        self.records: dict[str, RunRecord] = {}
        self.versions: dict[str, tuple[str, Mapping[str, str]]] = {}
        self.aliases: dict[str, str] = {}
        self.fetched = 0
        self.broken: dict[str, Exception] = {}

    def log_run(self, record: RunRecord, artifact: Artifact, report: Path | None) -> str:
        run_id = f"run-{len(self.runs) + 1}"
        self.runs[run_id], self.records[run_id] = artifact, record
        return run_id

    def artifact_of(self, run_id: str) -> Artifact:
        self.fetched += 1
        if run_id in self.broken:
            raise self.broken[run_id]
        if run_id not in self.runs:
            raise ArtifactError(f"no run {run_id}")
        return self.runs[run_id]

    def find(self, alias_or_version: str) -> Registered | None:
        version = self.aliases.get(alias_or_version, alias_or_version)
        if version not in self.versions:
            return None
        run_id, tags = self.versions[version]
        if SHA256_TAG not in tags:
            raise ArtifactError(f"version {version} was not promoted by Surgeline")
        return Registered(version, run_id, tags[SHA256_TAG])

    def promote(self, run_id: str, tags: Mapping[str, str]) -> str:
        version = str(len(self.versions) + 1)
        self.versions[version] = (run_id, tags)
        self.aliases[PRODUCTION] = version
        return version
