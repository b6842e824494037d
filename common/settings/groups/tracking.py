"""Experiment tracking."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from common.settings.groups.group import Group


class TrackingSettings(Group):
    """Experiment tracking and the model registry, in MLflow."""

    enabled: bool = Field(
        False, description="Whether `surgeline train` keeps each run, as with `--track`."
    )
    tracking_uri: str = Field(
        "sqlite:///var/mlflow.db",
        pattern=r"^(sqlite:///|https?://).+",
        description="`sqlite:///FILE` (files go beside it), or a server's URL. Credentials go in "
        "MLflow's own MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
    )
    experiment: str = Field("surgeline", min_length=1, description="Experiment that holds runs.")
    model_name: str = Field(
        "surgeline",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="Registered model, as in `models:/surgeline@production`.",
    )
    report: bool = Field(
        True, description="Keep the HTML report with each run; takes seconds per run."
    )
    cache_dir: Path = Field(
        Path("var/models"), description="Where artifacts from the registry are kept, by digest."
    )
    op_timeout_s: float = Field(
        30.0, ge=1, le=600, description="Longest wait for one request to the server, s."
    )
