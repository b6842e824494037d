"""From a candidate to production: measure both, ask the gate, register what passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from common.cmapss.reader import Dataset
from common.errors import ArtifactError, BackendError
from models.artifact.metrics import Metrics
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact
from models.tracking.gate import Judgement, incomparable, judge
from models.tracking.record import run_record
from models.tracking.registry import PRODUCTION, SHA256_TAG, ModelRegistry, Registered
from models.tracking.validation import validation_metrics


@dataclass(frozen=True, slots=True)
class Candidate:
    """What may go into production.

    Attributes:
        artifact: The model.
        run_id: Its run; none if it was not tracked.
    """

    artifact: Artifact
    run_id: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a candidate.

    Attributes:
        judgement: Of the gate.
        replaced: The version that was in production before; none if none was, or nobody can say.
        version: The candidate's version; none if it was refused or is in production already.
        unchanged: Whether the candidate is what is in production already.
    """

    judgement: Judgement
    replaced: Registered | None
    version: str | None
    unchanged: bool = False


def propose(
    candidate: Candidate,
    training_data: Dataset,
    registry: ModelRegistry,
    force_reason: str | None = None,
    measure: Callable[[Artifact, Dataset], Metrics] = validation_metrics,
) -> Outcome:
    """Put a candidate into production if it is not worse, or if someone says why all the same.

    What is in production may be damaged, gone or not of Surgeline: then nothing can be compared
    with it, which is a refusal like any other, and a reason overrides it.

    Args:
        candidate: The model.
        training_data: The file it was trained on.
        registry: Where production is.
        force_reason: Overrides a refusal; kept with the version.
        measure: An artifact on its validation engines.

    Raises:
        DatasetError: If the file is another.
        ArtifactError: If the candidate cannot be measured.
        BackendError: If the registry does not answer, or refuses; with a reason, not because of
            files of production that it cannot give.
    """
    production, theirs, lost = _in_production(registry, forced=force_reason is not None)
    metrics = measure(candidate.artifact, training_data)
    judgement = _judge(candidate.artifact, metrics, theirs, training_data, measure)
    if lost:
        judgement = Judgement(judgement.rows, (lost,))
    elif production is not None and production.sha256 == candidate.artifact.sha256:
        return Outcome(judgement, production, None, unchanged=True)
    if not judgement.accepted and force_reason is None:
        return Outcome(judgement, production, None)
    run_id = candidate.run_id or registry.log_run(
        run_record(candidate.artifact, metrics), candidate.artifact, None
    )
    version = registry.promote(
        run_id, _tags(candidate.artifact, judgement, production, force_reason)
    )
    return Outcome(judgement, production, version)


def _in_production(
    registry: ModelRegistry, *, forced: bool
) -> tuple[Registered | None, Artifact | None, str]:
    """Return the version in production, its artifact, and why it cannot be had if it cannot."""
    production: Registered | None = None
    try:
        production = registry.find(PRODUCTION)
        if production is None:
            return None, None, ""
        theirs = registry.artifact_of(production.run_id)
        open_scorer(theirs)
    except ArtifactError as exc:
        return production, None, f"not comparable: production cannot be loaded: {exc}"
    except BackendError as exc:
        # files that are gone look like a server that fails; one that does fails again below
        if production is None or not forced:
            raise
        return production, None, f"not comparable: production cannot be fetched: {exc}"
    return production, theirs, ""


def _judge(
    candidate: Artifact,
    metrics: Metrics,
    theirs: Artifact | None,
    training_data: Dataset,
    measure: Callable[[Artifact, Dataset], Metrics],
) -> Judgement:
    if theirs is None:
        return judge(metrics, None)
    reasons = incomparable(candidate.manifest.training, theirs.manifest.training)
    if reasons:
        return Judgement(judge(metrics, None).rows, reasons)
    return judge(metrics, measure(theirs, training_data))


def _tags(
    artifact: Artifact, judgement: Judgement, production: Registered | None, reason: str | None
) -> dict[str, str]:
    training = artifact.manifest.training
    forced = not judgement.accepted
    tags = {
        SHA256_TAG: artifact.sha256,
        "surgeline.dataset": training.dataset,
        "surgeline.data_sha256": training.data_sha256,
        "surgeline.gate": "forced" if forced else "passed",
    }
    if production is not None:
        tags["surgeline.replaces"] = production.version
    if forced and reason:
        tags["surgeline.force_reason"] = reason
        tags["surgeline.refused_because"] = "; ".join(judgement.reasons)
    return tags
