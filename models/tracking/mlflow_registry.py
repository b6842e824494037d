"""The registry in MLflow: a server by URL, or a SQLite file with a folder beside it.

Artifacts are logged as the plain files they are and registered by where their run keeps them, not
as one of MLflow's model flavours: nothing is pickled, and loading needs no MLflow model code.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from common.clock import SystemClock
from common.errors import (
    ArtifactError,
    BackendError,
    BackendMissingError,
    BackendRefusedError,
    BackendUnavailableError,
    SettingsError,
)
from common.redaction import without_credentials
from common.settings import TrackingSettings
from common.terminal.extras import how_to_install
from models.artifact.store import Artifact, load_artifact, save_artifact
from models.tracking.registry import PRODUCTION, SHA256_TAG, Registered, RunRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient

T = TypeVar("T")

ARTIFACT_FOLDER: Final = "artifact"
REPORT_FOLDER: Final = "report"
SQLITE: Final = "sqlite:///"
ABSENT: Final = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""What MLflow calls an alias, version, model or run that is not there."""


class MlflowRegistry:
    """Runs and versions in MLflow (port ``ModelRegistry``).

    Args:
        settings: Where, and under which names.

    Raises:
        BackendMissingError: If MLflow is not installed.
    """

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        uri = settings.tracking_uri
        _prepare_folder(uri)
        client_class = _import_client(settings.op_timeout_s)
        with self._translated():
            self._client: MlflowClient = client_class(tracking_uri=uri, registry_uri=uri)

    def log_run(self, record: RunRecord, artifact: Artifact, report: Path | None) -> str:
        """See the port."""
        from mlflow.entities import Metric, Param

        now = int(SystemClock().now().timestamp() * 1000)
        metrics = [Metric(name, value, now, 0) for name, value in record.metrics.items()]
        metrics += [
            Metric(name, value, now, step)
            for name, values in record.series.items()
            for step, value in enumerate(values, start=1)
        ]
        params = [Param(name, value) for name, value in record.params.items()]
        with self._translated():
            experiment = self._experiment()
            run = self._client.create_run(experiment, tags=dict(record.tags), run_name=record.name)
            run_id = str(run.info.run_id)
            status = "FAILED"
            try:
                self._client.log_batch(run_id, metrics=metrics, params=params)
                with tempfile.TemporaryDirectory() as folder:
                    save_artifact(artifact, Path(folder))
                    self._client.log_artifacts(run_id, folder, ARTIFACT_FOLDER)
                if report is not None:
                    self._client.log_artifact(run_id, str(report), REPORT_FOLDER)
                status = "FINISHED"
            finally:
                self._client.set_terminated(run_id, status)
        return run_id

    def artifact_of(self, run_id: str) -> Artifact:
        """See the port."""
        with self._translated(), tempfile.TemporaryDirectory() as folder:
            run = self._absent_is_none(lambda: self._client.get_run(run_id))
            if run is None:
                raise ArtifactError(
                    f"No run {run_id!r} at {self._settings.tracking_uri}. "
                    "`surgeline train --track` prints the id of its run."
                )
            expected = run.data.tags.get(SHA256_TAG)
            self._client.download_artifacts(run_id, ARTIFACT_FOLDER, folder)
            artifact = load_artifact(str(Path(folder) / ARTIFACT_FOLDER))
        if artifact.sha256 != expected:
            raise ArtifactError(
                f"The artifact of run {run_id} has sha256 {artifact.sha256}; {expected} was "
                "logged: it was changed or damaged. Train it again with --track."
            )
        return artifact

    def find(self, alias_or_version: str) -> Registered | None:
        """See the port."""
        name, client = self._settings.model_name, self._client
        with self._translated():
            found = self._absent_is_none(
                lambda: (
                    client.get_model_version(name, alias_or_version)
                    if alias_or_version.isdecimal()
                    else client.get_model_version_by_alias(name, alias_or_version)
                )
            )
        if found is None:
            return None
        sha256 = found.tags.get(SHA256_TAG)
        if not sha256 or not found.run_id:
            raise ArtifactError(
                f"Version {found.version} of {name} was not promoted by Surgeline: it has no tag "
                f"{SHA256_TAG}. Promote a run with `surgeline promote --run-id ID`."
            )
        return Registered(str(found.version), str(found.run_id), str(sha256))

    def promote(self, run_id: str, tags: Mapping[str, str]) -> str:
        """See the port."""
        name, client = self._settings.model_name, self._client
        with self._translated():
            if self._absent_is_none(lambda: client.get_registered_model(name)) is None:
                client.create_registered_model(name)
            source = f"runs:/{run_id}/{ARTIFACT_FOLDER}"
            made = client.create_model_version(name, source, run_id=run_id, tags=dict(tags))
            client.set_registered_model_alias(name, PRODUCTION, made.version)
        return str(made.version)

    def _experiment(self) -> str:
        name, uri = self._settings.experiment, self._settings.tracking_uri
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        # a server says itself where it keeps files; beside a SQLite file they go next to it
        folder = _sqlite_file(uri)
        where = None if folder is None else (folder.parent / "mlflow-artifacts").resolve().as_uri()
        return str(self._client.create_experiment(name, artifact_location=where))

    @staticmethod
    def _absent_is_none(call: Callable[[], T]) -> T | None:
        from mlflow.exceptions import MlflowException

        try:
            return call()
        except MlflowException as exc:
            if exc.error_code in ABSENT:
                return None
            raise

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn MLflow's exceptions into ours."""
        from mlflow.exceptions import MlflowException
        from requests.exceptions import RequestException
        from sqlalchemy.exc import SQLAlchemyError

        uri = self._settings.tracking_uri
        try:
            yield
        except (MlflowException, RequestException, SQLAlchemyError, OSError) as exc:
            said = without_credentials(str(exc).strip() or type(exc).__name__, uri)
            first_line = said.splitlines()[0]
            raise _kind(exc)(f"MLflow at {without_credentials(uri)}: {first_line[:500]}") from exc


def _kind(exc: Exception) -> type[BackendError]:
    """Return whether the server refused, or could not be asked.

    MLflow has one exception for both: with the default code when no answer came.
    """
    code = getattr(exc, "error_code", "INTERNAL_ERROR")
    gone = {"INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"}
    return BackendUnavailableError if code in gone else BackendRefusedError


def _import_client(timeout_s: float) -> type[MlflowClient]:
    # read when MLflow is imported; it would otherwise send usage data to its makers
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    # its own defaults try for minutes before they say that a server is not there
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(round(timeout_s))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    try:
        from mlflow import MlflowClient
    except ImportError as exc:
        raise BackendMissingError(
            f"MLflow is not installed. {how_to_install('mlflow')} Or do without: name the artifact "
            "by its folder, train without --track."
        ) from exc
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    client: type[MlflowClient] = MlflowClient
    return client


def _sqlite_file(uri: str) -> Path | None:
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def _prepare_folder(uri: str) -> None:
    file = _sqlite_file(uri)
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise SettingsError(
            f"{file.parent} cannot be made: {exc.strerror}. Choose another place with "
            "SURGELINE_TRACKING__TRACKING_URI."
        ) from exc
