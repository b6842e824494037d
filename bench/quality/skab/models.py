"""What is tried on SKAB: each candidate fitted without labels, then asked for every judged row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_auc_score

from bench.quality.skab.data import FIT_ROWS, Experiments, labels
from common.machines.rows import as_rows
from common.recording import AssetRecord
from models.artifact.onnx_scorer import Reconstructor, ZeroReconstructor
from models.artifact.opening import open_scorer
from models.evaluation.batch_path import score_record
from models.evaluation.collection import collect
from models.evaluation.splits import FIT_TIME
from models.scoring.scores import SCORES
from models.thresholding.rule import OWN_WARNING, Rule
from models.thresholding.strategies import CalibrationScores
from models.training.build import build_artifact, train_network
from models.training.calibration import Calibrated, choose_thresholds, fit_score
from models.training.catalogue import LSTM_AUTOENCODER, MODELS, OWN_DEFAULT
from models.training.config import TrainingConfig
from models.training.preparation.own_data import Split, prepare_recording
from models.training.preparation.windows import Prepared

WINDOW: Final = 30
WITHOUT_NETWORK: Final = (
    "input_mse", "last_row", "input_trend", "mahalanobis", "pca_spe", "pca_t2", "iforest",
)  # fmt: skip
WITH_NETWORK: Final = ("mse", "residual_trend", "hybrid", "hybrid_upper")


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What one candidate says of the judged rows of one experiment.

    Attributes:
        scores: Shape ``(n,)``; 0 where a row got none.
        alarms: Shape ``(n,)``; at the warning threshold.
        faulty: Shape ``(n,)``; the publisher's label.
        unscored: Rows that got no score; they count as no alarm.
    """

    scores: NDArray[np.float64]
    alarms: NDArray[np.bool_]
    faulty: NDArray[np.bool_]
    unscored: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The benchmark's figures, in parts of 1.

    Attributes:
        f1: Of faulty rows.
        far: False alarm rate: alarms among rows that are not faulty.
        mar: Missed alarm rate: rows without alarm among faulty ones.
        best_f1: Of the best threshold that labels could have chosen.
        auc: Area under the ROC curve; none with one class only.
    """

    f1: float
    far: float
    mar: float
    best_f1: float
    auc: float | None


def figures(verdicts: list[Verdicts]) -> Figures:
    """Return the figures over all rows of some experiments."""
    faulty, alarms, scores = (
        np.concatenate([getattr(each, name) for each in verdicts])
        for name in ("faulty", "alarms", "scores")
    )
    hits = int((faulty & alarms).sum())
    return Figures(
        2 * hits / (int(faulty.sum()) + int(alarms.sum())) if hits else 0.0,
        float(alarms[~faulty].mean()),
        float((~alarms)[faulty].mean()),
        _best_f1(faulty, scores),
        float(roc_auc_score(faulty, scores)) if 0 < faulty.sum() < len(faulty) else None,
    )


def _best_f1(faulty: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    precision, recall, _ = precision_recall_curve(faulty, scores)
    return float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max())


def verdicts_of(
    record: AssetRecord,
    cycles: NDArray[np.int64],
    scores: NDArray[np.float64],
    threshold: float,
) -> Verdicts:
    """Return what scores of some cycles say of an experiment's judged rows."""
    found = np.zeros(len(record))
    where = np.searchsorted(record.cycles, cycles)
    found[where] = scores
    judged = np.zeros(len(record), np.bool_)
    judged[where] = True
    found, judged = found[FIT_ROWS:], judged[FIT_ROWS:]
    return Verdicts(found, judged & (found >= threshold), labels(record), int((~judged).sum()))


def prepared_of(
    data: Experiments,
    assets: tuple[AssetRecord, ...],
    window: int = WINDOW,
    split: Split = "auto",
) -> Prepared:
    """Return assets prepared as ``surgeline train`` prepares them."""
    return prepare_recording(data.recording(assets, window), split)


def default_verdicts(data: Experiments, window: int = WINDOW) -> list[Verdicts]:
    """Return what the shipped default says, through an artifact and the scorer that serves."""
    prepared = prepared_of(data, data.fitted(), window)
    artifact = build_artifact(prepared, "skab", TrainingConfig(), OWN_DEFAULT)
    scorer = open_scorer(artifact)
    warning = scorer.spec.thresholds.warning
    told = []
    for record in data.judged:
        result = score_record(scorer, record.cycles, as_rows(record.values(scorer.spec.machine)))
        told.append(verdicts_of(record, result.cycles, result.scores, warning))
    return told


def calibrated(
    name: str, prepared: Prepared, network: Reconstructor | None = None, rule: Rule = OWN_WARNING
) -> Calibrated:
    """Return a score fitted and calibrated without labels."""
    fitted = fit_score(SCORES[MODELS[name].score], network or ZeroReconstructor(), prepared)
    return choose_thresholds(fitted, prepared, rule, rule)


def judged_by(
    model: Calibrated, prepared: Prepared, records: tuple[AssetRecord, ...]
) -> list[Verdicts]:
    """Return what a calibrated score says of experiments."""
    told = []
    for record in records:
        windows = collect(prepared.normaliser, prepared.machine, [(1, record)])
        scores = model.scores(windows)
        told.append(verdicts_of(record, windows.cycles, scores, model.thresholds.warning))
    return told


def one_model_each(data: Experiments, name: str) -> list[Verdicts]:
    """Give each experiment a model of its own, fitted on its own first rows alone."""
    told = []
    for record, first in zip(data.judged, data.fitted()[1:], strict=True):
        prepared = prepared_of(data, (first,))
        network = _network(prepared) if MODELS[name].network else None
        told += judged_by(calibrated(name, prepared, network), prepared, (record,))
    return told


def trivial(data: Experiments, of_means: bool) -> list[Verdicts]:
    """Judge without any model: root mean square of rows in each file's own deviations.

    Args:
        data: The files.
        of_means: Take the means of the latest 30 rows for rows.
    """
    scored, validate = [], []
    for record in data.judged:
        rows = record.channels
        if of_means:
            rows = sliding_window_view(rows, WINDOW, axis=0).mean(axis=2)
        skipped = len(record) - len(rows)
        first = rows[: int(FIT_ROWS * FIT_TIME) - skipped]
        scores = np.sqrt(np.square((rows - first.mean(axis=0)) / first.std(axis=0)).mean(axis=1))
        validate.append(scores[len(first) : FIT_ROWS - skipped])
        scored.append((record, record.cycles[skipped:], scores))
    healthy = np.concatenate(validate)
    units = np.repeat(np.arange(len(validate)), [len(part) for part in validate])
    everywhere = np.ones(len(healthy), np.bool_)
    warning = OWN_WARNING.choose(CalibrationScores(healthy, units, everywhere, ~everywhere)).value
    return [verdicts_of(*each, warning) for each in scored]


def _network(prepared: Prepared) -> Reconstructor:
    return train_network(prepared, LSTM_AUTOENCODER, TrainingConfig()).reconstructor


def never_seen(data: Experiments, name: str) -> list[Verdicts]:
    """Judge each experiment by a model that was fitted on all the others."""
    told = []
    for record in data.judged:
        prepared = prepared_of(data, data.fitted(leave_out=record.asset_id))
        told += judged_by(calibrated(name, prepared), prepared, (record,))
    return told


def so_far(data: Experiments, name: str) -> list[Verdicts]:
    """Judge each experiment by a model of what had been recorded when it began, and its beginning.

    The protocol lets a model learn from the beginnings of later experiments, too: on the day, no
    one has these.
    """
    told = []
    for record in data.judged:
        known = tuple(first for first in data.fitted() if first.cycles[0] <= record.cycles[0])
        prepared = prepared_of(data, known)
        told += judged_by(calibrated(name, prepared), prepared, (record,))
    return told


def candidates(
    data: Experiments, prepared: Prepared, network: bool
) -> Iterator[tuple[str, list[Verdicts]]]:
    """Yield every other score of the catalogue that is tried, on the same windows."""
    for name in WITHOUT_NETWORK:
        yield name, judged_by(calibrated(name, prepared), prepared, data.judged)
    if network:
        reconstructor = _network(prepared)
        for name in WITH_NETWORK:
            model = calibrated(name, prepared, reconstructor)
            yield f"{name} (LSTM autoencoder)", judged_by(model, prepared, data.judged)


def other_thresholds(
    data: Experiments, prepared: Prepared, spreads: tuple[float, ...]
) -> Iterator[tuple[str, list[Verdicts]]]:
    """Yield the default score at other thresholds of the same kind."""
    for spread in spreads:
        rule = Rule(OWN_WARNING.strategy, {**OWN_WARNING.options, "spread": spread})
        model = calibrated(OWN_DEFAULT, prepared, rule=rule)
        threshold = model.thresholds.warning
        yield (
            f"spread {spread:g}: score >= {threshold:.3f}",
            judged_by(model, prepared, data.judged),
        )
