"""An artifact, its training file and new rules in; the same model with other thresholds out."""

from __future__ import annotations

from common.cmapss.reader import Dataset
from common.errors import DatasetError
from models.artifact.evidence_sections import ThresholdSection
from models.artifact.onnx_scorer import open_reconstructor
from models.artifact.score_arrays import learned_params
from models.artifact.store import Artifact
from models.evaluation.splits import EngineRange
from models.scoring.scores import SCORES
from models.thresholding.rule import Rule
from models.training.assembly import measured, revise, threshold_fields
from models.training.calibration import ChosenThreshold, Fitted, choose_thresholds
from models.training.confidence import with_confidence
from models.training.preparation.windows import Prepared, prepare


def recalibrate(
    artifact: Artifact, dataset: Dataset, warning: Rule | None, critical: Rule | None
) -> Artifact:
    """Return the artifact with its score's thresholds chosen anew; all else stays as it is.

    That of single channels does, too: with it goes a budget that both shared, if they did.

    Args:
        artifact: Any artifact.
        dataset: The training file it was made of, so that its engines keep their roles.
        warning: How the lower threshold is chosen; none keeps it as it is.
        critical: How the higher threshold is chosen; none keeps the artifact's own rule.

    Raises:
        DatasetError: If the file is another.
        ValueError: If a rule cannot be followed on these engines.
    """
    prepared = prepare_as(artifact, dataset)
    manifest = artifact.manifest
    fitted = Fitted(
        SCORES[manifest.score.name], learned_params(artifact), open_reconstructor(artifact)
    )
    stored = manifest.thresholds
    calibrated = choose_thresholds(fitted, prepared, warning, critical or _rule(stored.critical))
    if warning is None:
        calibrated = calibrated.warning_from(_chosen(stored.warning))
    revised = measured(revise(artifact, {"thresholds": threshold_fields(calibrated)}), prepared)
    return with_confidence(revised, prepared)


def prepare_as(artifact: Artifact, dataset: Dataset) -> Prepared:
    """Return the artifact's training file as the artifact sees it.

    Raises:
        DatasetError: If the file is another.
    """
    manifest = artifact.manifest
    if manifest.training.own is not None:
        raise DatasetError(
            f"{manifest.name} was trained on {manifest.training.origin}, not on a C-MAPSS file. "
            "Train it again with other options of `surgeline train --machine ... --data ...`."
        )
    if dataset.sha256 != manifest.training.data_sha256:
        raise DatasetError(
            f"{manifest.name} was trained on {manifest.training.dataset} with sha256 "
            f"{manifest.training.data_sha256}; {dataset.name} with {dataset.sha256} came. Its own "
            "training file is needed: engines it was fitted on must not be taken for new ones."
        )
    return prepare(dataset, manifest.machine, manifest.normalisation.normaliser())


def _chosen(stored: ThresholdSection) -> ChosenThreshold:
    engines = EngineRange(stored.engines.first, stored.engines.last)
    return ChosenThreshold(stored.value, _rule(stored), engines, stored.windows, stored.reason)


def _rule(stored: ThresholdSection) -> Rule:
    return Rule(stored.strategy, dict(stored.options))
