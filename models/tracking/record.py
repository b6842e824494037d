"""What is kept of a training run: parameters, numbers and tags, flat, as registries want them."""

from __future__ import annotations

from collections.abc import Sequence

from models.artifact.evidence_sections import ThresholdSection
from models.artifact.metrics import LevelMetrics, Metrics
from models.artifact.store import Artifact
from models.tracking.registry import SHA256_TAG, RunRecord


def run_record(
    artifact: Artifact, validation: Metrics, train_losses: Sequence[float] = ()
) -> RunRecord:
    """Return what to keep of the run that made an artifact.

    Args:
        artifact: What was made; its held-out numbers are in its manifest.
        validation: The numbers that the gate looks at.
        train_losses: One per pass over the windows.
    """
    manifest = artifact.manifest
    training, heldout = manifest.training, manifest.heldout_metrics
    losses = {"train_loss": training.train_loss, "validation_loss": training.validation_loss}
    return RunRecord(
        name=f"{manifest.name}@{manifest.version}",
        params=_params(artifact),
        metrics={
            **flat_metrics("validation", validation),
            **(flat_metrics("heldout", heldout) if heldout else {}),
            **{name: value for name, value in losses.items() if value is not None},
        },
        tags={
            SHA256_TAG: artifact.sha256,
            "surgeline.artifact_name": manifest.name,
            "surgeline.dataset": training.dataset,
            "surgeline.data_sha256": training.data_sha256,
        },
        series={"epoch_train_loss": tuple(train_losses)} if train_losses else {},
    )


def flat_metrics(prefix: str, metrics: Metrics) -> dict[str, float]:
    """Return metrics under names such as ``validation.critical.f1``; undefined ones are left out.

    Args:
        prefix: Which engines they were measured on.
        metrics: The numbers.
    """
    levels = (("warning.", metrics.warning), ("critical.", metrics.critical))
    return {
        **_numbers(f"{prefix}.", metrics),
        **{k: v for name, level in levels for k, v in _numbers(f"{prefix}.{name}", level).items()},
    }


def _numbers(prefix: str, section: Metrics | LevelMetrics) -> dict[str, float]:
    values = ((name, getattr(section, name)) for name in type(section).model_fields)
    return {f"{prefix}{name}": float(v) for name, v in values if isinstance(v, int | float)}


def _params(artifact: Artifact) -> dict[str, str]:
    manifest = artifact.manifest
    training = manifest.training
    return {
        "score": manifest.score.name,
        "network": manifest.network.kind if manifest.network else "none",
        "parameters": str(manifest.network.parameters if manifest.network else 0),
        "channels": ",".join(manifest.channels),
        "window_length": str(manifest.window_length),
        "regimes": str(len(manifest.normalisation.regimes)),
        "dataset": training.dataset,
        "data_sha256": training.data_sha256,
        "fit": str(training.fit),
        "validate": str(training.validate_),
        "heldout": str(training.heldout or "none"),
        "seed": str(training.seed),
        "warning_rule": _rule(manifest.thresholds.warning),
        "critical_rule": _rule(manifest.thresholds.critical),
        **{f"train.{name}": f"{value:g}" for name, value in training.config.items()},
        **{f"library.{name}": version for name, version in training.libraries.items()},
    }


def _rule(chosen: ThresholdSection) -> str:
    options = ",".join(f"{name}={value:g}" for name, value in chosen.options.items())
    return f"{chosen.strategy}:{options}" if options else chosen.strategy
