"""Prepared data in, a whole artifact out: prepare, fit, export, choose, calibrate, examine.

Scores, thresholds and metrics are computed with the exported network through onnxruntime, the way
the detector will run it, not with torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as library_version
from typing import Final

from models.artifact.onnx_scorer import OnnxReconstructor, Reconstructor, ZeroReconstructor
from models.artifact.store import Artifact
from models.evaluation.splits import FAULT_RUL, HEALTHY_RUL, EngineRange
from models.scoring.scores import SCORES
from models.thresholding.rule import Rule
from models.training.assembly import NetworkFile, assemble, range_fields
from models.training.calibration import (
    Fitted,
    choose_thresholds,
    fit_score,
    joined,
    labelled,
    rules,
)
from models.training.catalogue import AUTO, CANDIDATES, LSTM_AUTOENCODER, MODELS, OWN_DEFAULT
from models.training.config import FOLDS, OnEpoch, TrainingConfig
from models.training.evidence import gather_evidence
from models.training.preparation.windows import Prepared, healthy
from models.training.sanity import SanityReport, examine

PARITY_WINDOWS: Final = 512
"""Validation windows, the last ones, on which the export is compared with torch."""

LIBRARIES: Final = ("numpy", "onnx", "onnxruntime", "scikit-learn", "torch")
SELECTION_RULE: Final = (
    f"highest ROC AUC for windows with at most {FAULT_RUL} cycles left, on fit and validation "
    "engines"
)
OWN_SELECTION_RULE: Final = (
    "highest ROC AUC for faulty windows, among these and what was not fitted on"
)


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network, exported and opened.

    Attributes:
        file: As it is stored.
        reconstructor: As it is run.
        train_loss: Of the last pass.
        validation_loss: Of healthy validation windows.
    """

    file: NetworkFile
    reconstructor: Reconstructor
    train_loss: float | None
    validation_loss: float | None


def build_artifact(
    prepared: Prepared,
    name: str,
    config: TrainingConfig,
    model: str = AUTO,
    warning_rule: Rule | None = None,
    critical_rule: Rule | None = None,
    on_epoch: OnEpoch = lambda report: None,
    folds: int = FOLDS,
    on_report: Callable[[SanityReport], None] = lambda report: None,
) -> Artifact:
    """Train a model and return it with all that serving needs.

    Args:
        prepared: What it is fitted on and chosen by.
        name: Of the artifact, such as ``fd001``.
        config: How a network is fitted; its seed is any model's.
        model: One of ``catalogue.MODELS``, or ``auto``: the best of ``catalogue.CANDIDATES`` by
            :data:`SELECTION_RULE`.
        warning_rule: How the lower threshold is chosen; none for the default for these data.
        critical_rule: How the higher threshold is chosen, likewise.
        on_epoch: Told after each pass over the windows; never, for a model without network.
        folds: Into how many parts assets are cut, each scored by what the others taught, so that
            all of them speak for when to warn; 0 chooses on the validation part alone.
        on_report: Told what was found of the model, once it is known to be sound.

    Raises:
        UnsoundModelError: If the model is not fit to be used (``sanity.py``).
        ValueError: If the model or a rule needs faulty windows and none are known; before training.
    """
    rules(prepared, warning_rule, critical_rule)
    if model == AUTO and not prepared.labelled:
        raise ValueError(
            f"model {AUTO!r} compares how well scores tell faulty windows from others, and "
            f"{prepared.name} has none that are known to be faulty; {OWN_DEFAULT!r} needs none"
        )
    kind = LSTM_AUTOENCODER if model == AUTO else MODELS[model].network
    network = train_network(prepared, kind, config, on_epoch) if kind else None
    selection = None
    if model == AUTO:
        fitted, selection = _select(prepared, network, config.seed)
    else:
        fitted = _fit(prepared, MODELS[model].score, network, config.seed)
    used = network if fitted.score.uses_network else None
    calibrated = choose_thresholds(fitted, prepared, warning_rule, critical_rule)
    evidence = gather_evidence(
        prepared,
        fitted.score,
        warning_rule,
        used.reconstructor if used else ZeroReconstructor(),
        folds,
        config.seed,
    )
    if evidence.warning is not None:
        calibrated = calibrated.warning_from(evidence.warning)
    on_report(examine(prepared, calibrated))
    return assemble(
        prepared,
        name,
        calibrated,
        used.file if used else None,
        _training_fields(prepared, config, used),
        selection,
        evidence,
    )


def train_network(
    prepared: Prepared, kind: str, config: TrainingConfig, on_epoch: OnEpoch = lambda report: None
) -> TrainedNetwork:
    """Train a network on healthy windows, export it and open it as the detector would."""
    # needs torch; models without a network do not
    from models.training.networks.loop import fit_network
    from models.training.networks.lstm import count_parameters
    from models.training.networks.onnx_export import export_onnx

    fitted = fit_network(
        healthy(prepared.fit).windows, healthy(prepared.validate).windows, kind, config, on_epoch
    )
    content = export_onnx(fitted.network, prepared.validate.windows[-PARITY_WINDOWS:])
    return TrainedNetwork(
        NetworkFile(content, kind, count_parameters(fitted.network)),
        OnnxReconstructor(
            content, window_length=prepared.window_length, n_channels=len(prepared.channels)
        ),
        fitted.train_loss,
        fitted.validation_loss,
    )


def _fit(prepared: Prepared, score: str, network: TrainedNetwork | None, seed: int) -> Fitted:
    used = network if SCORES[score].uses_network else None
    return fit_score(
        SCORES[score], used.reconstructor if used else ZeroReconstructor(), prepared, seed
    )


def _select(
    prepared: Prepared, network: TrainedNetwork | None, seed: int
) -> tuple[Fitted, Mapping[str, object]]:
    """Return the best candidate; what is held out is not looked at."""
    candidates = CANDIDATES if prepared.own is None else (*CANDIDATES, OWN_DEFAULT)
    fitted = {score: _fit(prepared, score, network, seed) for score in candidates}
    ranking = {score: _ranking(each, prepared) for score, each in fitted.items()}
    best = max(candidates, key=lambda score: ranking[score]["auc"])
    engines = EngineRange(prepared.split.fit.first, prepared.split.validate.last)
    selection = {
        "rule": SELECTION_RULE if prepared.own is None else OWN_SELECTION_RULE,
        "engines": range_fields(engines),
        "candidates": ranking,
    }
    return fitted[best], selection


def _ranking(fitted: Fitted, prepared: Prepared) -> dict[str, float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    fit_part = prepared.fit
    if prepared.own is not None:  # a score that remembers would know the rest
        fit_part = fit_part.where(~fit_part.healthy)
    fit, validate = (labelled(part, fitted.scores(part)) for part in (fit_part, prepared.validate))
    both = joined(fit, validate)
    return {
        "auc": float(roc_auc_score(both.faulty, both.scores)),
        "pr_auc": float(average_precision_score(both.faulty, both.scores)),
    }


def _training_fields(
    prepared: Prepared, config: TrainingConfig, network: TrainedNetwork | None
) -> dict[str, object]:
    settings = {key: value for key, value in asdict(config).items() if key != "seed"}
    own = prepared.own
    return {
        "dataset": prepared.name,
        "split": "train",
        "data_sha256": prepared.sha256,
        "fit": range_fields(prepared.split.fit),
        "validate": range_fields(prepared.split.validate),
        "heldout": range_fields(prepared.split.heldout) if len(prepared.split.heldout) else None,
        "healthy_rul": HEALTHY_RUL if own is None else None,
        "fault_rul": FAULT_RUL if own is None else None,
        "own": None if own is None else asdict(own),
        "seed": config.seed,
        "config": settings if network else {},
        "train_loss": network.train_loss if network else None,
        "validation_loss": network.validation_loss if network else None,
        "libraries": _installed(),
    }


def _installed() -> dict[str, str]:
    """Return the versions of what is installed here; a model without network needs little of it."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = library_version(name)
        except PackageNotFoundError:
            continue
    return found
