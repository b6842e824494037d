from __future__ import annotations

from dataclasses import replace

import pytest

from common.cmapss.reader import Dataset
from common.errors import ArtifactError, BackendRefusedError, BackendUnavailableError
from models.artifact.metrics import Metrics
from models.artifact.store import Artifact
from models.tracking.gate import CRITERIA
from models.tracking.promotion import Candidate, Outcome, propose
from models.tracking.record import run_record
from models.tracking.validation import validation_metrics
from models.training.build import build_artifact
from models.training.config import TrainingConfig
from models.training.preparation.windows import Prepared
from tests.support.artifacts import heldout_metrics
from tests.support.fleets import fleet
from tests.support.registry import MemoryRegistry

DATA = fleet()


def with_auc(values: dict[str, float], artifact: Artifact) -> Metrics:
    """The artifact's held-out numbers, at an AUC of the test's choice."""
    metrics = heldout_metrics(artifact)
    level = metrics.warning.model_copy(update={"engines_caught": 1, "lead_mean": 9.0})
    update = {"auc": values[artifact.manifest.name], "pr_auc": 0.5}
    return metrics.model_copy(update={**update, "warning": level, "critical": level})


def proposed(
    registry: MemoryRegistry, artifact: Artifact, reason: str | None = None, **auc: float
) -> Outcome:
    def measure(measured: Artifact, data: Dataset) -> Metrics:
        return with_auc(auc, measured)

    return propose(Candidate(artifact, None), DATA, registry, reason, measure)


def test_a_better_candidate_takes_over(
    registry: MemoryRegistry, good: Artifact, other: Artifact
) -> None:
    proposed(registry, other, other=0.8)

    outcome = proposed(registry, good, good=0.9, other=0.8)

    assert (outcome.version, outcome.judgement.accepted) == ("2", True)
    assert outcome.replaced is not None
    assert outcome.replaced.version == "1"
    assert registry.find("production") == registry.find("2")
    tags = registry.versions["2"][1]
    assert (tags["surgeline.gate"], tags["surgeline.replaces"]) == ("passed", "1")


def test_a_worse_candidate_leaves_no_trace(
    registry: MemoryRegistry, good: Artifact, other: Artifact
) -> None:
    proposed(registry, good, good=0.9)

    outcome = proposed(registry, other, good=0.9, other=0.8)

    assert outcome.version is None
    assert outcome.judgement.reasons[0].startswith("auc 0.8 is 0.1 below production's 0.9")
    assert registry.aliases == {"production": "1"}
    assert len(registry.runs) == len(registry.versions) == 1


def test_a_reason_overrides_and_is_kept(
    registry: MemoryRegistry, good: Artifact, other: Artifact
) -> None:
    proposed(registry, good, good=0.9)

    proposed(registry, other, "a way back", good=0.9, other=0.8)

    tags = registry.versions["2"][1]
    assert (tags["surgeline.gate"], tags["surgeline.force_reason"]) == ("forced", "a way back")
    assert tags["surgeline.refused_because"].startswith("auc 0.8")


def test_a_reason_not_needed_is_not_called_force(registry: MemoryRegistry, good: Artifact) -> None:
    proposed(registry, good, "to be sure", good=0.9)

    assert registry.versions["1"][1]["surgeline.gate"] == "passed"


def test_what_is_in_production_is_not_promoted_again(
    registry: MemoryRegistry, good: Artifact
) -> None:
    proposed(registry, good, good=0.9)

    outcome = proposed(registry, good, "again", good=0.9)

    assert outcome.unchanged
    assert len(registry.versions) == 1


def test_models_of_other_data_are_not_compared(registry: MemoryRegistry, good: Artifact) -> None:
    proposed(registry, good, good=0.9)
    training = good.manifest.training.model_copy(update={"data_sha256": "f" * 64})
    manifest = good.manifest.model_copy(update={"training": training, "name": "foreign"})

    outcome = proposed(registry, replace(good, manifest=manifest), foreign=1.0)

    assert outcome.version is None
    assert outcome.judgement.reasons[0].startswith(
        "not comparable: training file TOY (ffffffffffff)"
    )
    assert all(row.production is None for row in outcome.judgement.rows)


def test_the_gate_looks_at_validation_engines_alone(good: Artifact) -> None:
    """Engines that are only measured, held out, may be anything: the numbers stay."""
    data = fleet()
    last = data.engines[-1]
    spoilt = replace(data, engines=(*data.engines[:-1], replace(last, sensors=last.sensors * 2)))
    first = data.engines[good.manifest.training.validate_.first - 1]
    touched = replace(
        data,
        engines=tuple(replace(e, sensors=e.sensors * 2) if e is first else e for e in data.engines),
    )

    metrics = validation_metrics(good, data)

    assert validation_metrics(good, spoilt) == metrics
    assert validation_metrics(good, touched) != metrics


def test_a_run_keeps_every_number_the_gate_looks_at(good: Artifact) -> None:
    record = run_record(good, validation_metrics(good, DATA), [0.5, 0.4])

    names = {"warning.false_alarms": "warning.false_alarms_per_1000"}
    for criterion in CRITERIA:
        name = names.get(criterion.name, criterion.name).replace(".caught", ".engines_caught")
        assert f"validation.{name}" in record.metrics
    assert record.metrics["heldout.auc"] == heldout_metrics(good).auc
    assert record.series == {"epoch_train_loss": (0.5, 0.4)}
    assert record.tags["surgeline.artifact_sha256"] == good.sha256
    assert (record.params["seed"], record.params["warning_rule"][:12]) == ("0", "asset_budget")


DAMAGED = ArtifactError("manifest.json is refused: it was changed or damaged.")


def test_a_damaged_production_is_not_replaced_without_a_reason(
    registry: MemoryRegistry, good: Artifact, other: Artifact
) -> None:
    proposed(registry, good, good=0.9)
    registry.broken["run-1"] = DAMAGED

    outcome = proposed(registry, other, other=1.0)

    assert outcome.version is None
    assert outcome.judgement.reasons == (f"not comparable: production cannot be loaded: {DAMAGED}",)
    assert registry.aliases == {"production": "1"}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(DAMAGED, id="damaged"),
        pytest.param(BackendUnavailableError("No such artifact"), id="files gone"),
        pytest.param(BackendRefusedError("No such artifact"), id="files refused"),
    ],
)
def test_a_reason_replaces_a_damaged_production(
    registry: MemoryRegistry, good: Artifact, other: Artifact, error: Exception
) -> None:
    proposed(registry, good, good=0.9)
    registry.broken["run-1"] = error

    outcome = proposed(registry, other, "production is damaged", other=0.8)

    assert outcome.version == "2"
    tags = registry.versions["2"][1]
    assert (tags["surgeline.gate"], tags["surgeline.replaces"]) == ("forced", "1")
    assert tags["surgeline.refused_because"].startswith("not comparable: production cannot be")
    assert proposed(registry, other, other=0.8).unchanged


def test_a_reason_replaces_a_damaged_production_by_a_sound_copy_of_itself(
    registry: MemoryRegistry, good: Artifact
) -> None:
    proposed(registry, good, good=0.9)
    registry.broken["run-1"] = DAMAGED

    outcome = proposed(registry, good, "the files were damaged", good=0.9)

    assert (outcome.version, outcome.unchanged) == ("2", False)
    assert proposed(registry, good, good=0.9).unchanged


def test_a_production_whose_network_or_arrays_cannot_be_opened_is_damaged_too(
    registry: MemoryRegistry, prepared: Prepared, good: Artifact
) -> None:
    forest = build_artifact(prepared, "trees", TrainingConfig(), "iforest")
    proposed(registry, replace(forest, arrays=b"no arrays"), trees=0.9)

    assert proposed(registry, good, good=0.95).version is None
    assert proposed(registry, good, "the arrays are damaged", good=0.95).version == "2"


def test_a_reason_replaces_a_production_that_is_not_of_surgeline(
    registry: MemoryRegistry, good: Artifact
) -> None:
    registry.versions["1"] = ("somebody's", {})
    registry.aliases["production"] = "1"

    assert proposed(registry, good, good=0.9).version is None
    assert proposed(registry, good, "not one of ours", good=0.9).version == "2"


def test_a_server_that_fails_is_no_damaged_production(
    registry: MemoryRegistry, good: Artifact, other: Artifact
) -> None:
    proposed(registry, good, good=0.9)
    registry.broken["run-1"] = BackendUnavailableError("no answer")

    with pytest.raises(BackendUnavailableError, match="no answer"):
        proposed(registry, other, other=1.0)


def test_a_candidate_that_cannot_be_measured_is_not_forced(
    registry: MemoryRegistry, good: Artifact
) -> None:
    def measure(artifact: Artifact, data: Dataset) -> Metrics:
        raise ArtifactError("the candidate is damaged")

    with pytest.raises(ArtifactError, match="the candidate"):
        propose(Candidate(good, None), DATA, registry, "all the same", measure)
