"""A model beside the simple baselines, on the same engines; and the same model over several seeds.

A baseline gets what the model gets: thresholds chosen by the same rules on the same engines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from common.cmapss.files import PUBLISHED, file_name
from common.cmapss.reader import Dataset
from common.errors import DatasetError
from models.artifact.metrics import Metrics
from models.artifact.onnx_scorer import Reconstructor, ZeroReconstructor, open_reconstructor
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact, load_artifact, shipped_names
from models.evaluation.collection import collect_windows
from models.evaluation.measure import Scored, measure
from models.evaluation.splits import EngineRange
from models.scoring.evidence import judge_windows
from models.scoring.scorer import WindowScorer
from models.scoring.scores import SCORES, Score
from models.scoring.windows import WindowSet
from models.thresholding.rule import Rule
from models.training.calibration import calibrate, choose_thresholds, fit_score
from models.training.catalogue import BASELINES, MODELS
from models.training.preparation.windows import Prepared

SplitName = Literal["heldout", "test"]


@dataclass(frozen=True, slots=True)
class Measured:
    """The engines models are measured on.

    Attributes:
        dataset: The file they are in.
        split: ``heldout``: training engines of which no fit and no threshold comes; ``test``: the
            official file.
        engines: Which engines of the file.
    """

    dataset: Dataset
    split: SplitName
    engines: EngineRange

    @property
    def published(self) -> bool:
        """Whether the file is NASA's, byte for byte; else it is simulated or altered."""
        return is_published(self.dataset)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One model and the baselines.

    Attributes:
        measured: On which engines.
        default: Name of the model, a key of ``models``.
        models: Metrics by name; the model first.
        scored: What the metrics were computed from, by the same names: for intervals and plots.
    """

    measured: Measured
    default: str
    models: Mapping[str, Metrics]
    scored: Mapping[str, Scored] = field(default_factory=dict)

    def best_baseline(self) -> str | None:
        """Return the model without network with the highest F1 at its critical threshold.

        None if there is no other than the default itself.
        """
        names = [name for name in self.models if name != self.default and name in BASELINES]
        return max(names, key=lambda name: self.models[name].critical.f1, default=None)


@dataclass(frozen=True, slots=True)
class Spread:
    """One number over several seeds.

    Attributes:
        values: One per seed.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return float(np.mean(self.values))

    @property
    def sd(self) -> float:
        """Their standard deviation with ``n - 1``; 0 for one seed."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else 0.0


def compare(
    artifact: Artifact,
    prepared: Prepared | None,
    measured: Measured,
    others: Sequence[Artifact] = (),
) -> Comparison:
    """Measure an artifact, its network's other scores, the baselines and other artifacts.

    Args:
        artifact: The model.
        prepared: The training file the baselines are fitted and calibrated on; without it there are
            none.
        measured: Which engines count.
        others: Further artifacts, measured at their own thresholds.

    Raises:
        DatasetError: If no engine completes a window.
    """
    default = artifact.manifest.name
    metrics, scored = _score_and_measure(open_scorer(artifact), measured)
    models, kept = {default: metrics}, {default: scored}
    for other in others:
        name = _short_name(other, artifact)
        if name not in models:
            models[name], kept[name] = _score_and_measure(open_scorer(other), measured)
    if prepared is not None:
        windows = _windows(prepared, measured)
        for name, score, reconstructor in _contestants((artifact, *others), prepared):
            if name in models:
                continue
            calibrated = calibrate(score, reconstructor, prepared)
            scores = calibrated.scores(windows)
            models[name] = measure(windows, scores, calibrated.thresholds)
            kept[name] = Scored(
                windows.units, windows.cycles, windows.life_left, scores, calibrated.thresholds
            )
    return Comparison(measured, default, models, kept)


def companions(artifact: Artifact) -> tuple[Artifact, ...]:
    """Return the other shipped artifacts made of the same file, such as ``fd001-patchtst``."""
    others = [load_artifact(name) for name in shipped_names() if name != artifact.manifest.name]
    return tuple(
        other
        for other in others
        if other.manifest.training.data_sha256 == artifact.manifest.training.data_sha256
    )


def _contestants(
    artifacts: Sequence[Artifact], prepared: Prepared
) -> Iterator[tuple[str, Score, Reconstructor]]:
    """Yield the other scores of the artifacts' networks, then the models without network.

    A network is used beside the artifact's own score only on the file it was trained on: on another
    it would meet windows normalised in another way.
    """
    for artifact in artifacts:
        manifest = artifact.manifest
        if manifest.network is None or manifest.training.data_sha256 != prepared.sha256:
            continue
        network = open_reconstructor(artifact)
        for model in MODELS.values():
            if model.network == manifest.network.kind and model.score != manifest.score.name:
                yield model.name, SCORES[model.score], network
    for name in BASELINES:
        yield name, SCORES[MODELS[name].score], ZeroReconstructor()


def _short_name(other: Artifact, default: Artifact) -> str:
    """Return ``patchtst`` for ``fd001-patchtst`` beside ``fd001``."""
    return other.manifest.name.removeprefix(f"{default.manifest.training.dataset.lower()}-")


def is_published(dataset: Dataset) -> bool:
    """Return whether the engines are a file that NASA published, byte for byte."""
    known = PUBLISHED.get(file_name(dataset.name, dataset.split))
    return known is not None and known.sha256 == dataset.sha256


def measure_scorer(scorer: WindowScorer, measured: Measured) -> Metrics:
    """Measure an opened artifact at its own thresholds.

    Raises:
        DatasetError: If no engine completes a window.
    """
    return _score_and_measure(scorer, measured)[0]


def measure_plain_error(artifact: Artifact, prepared: Prepared, measured: Measured) -> Metrics:
    """Measure the plainest score of an artifact's network, whatever score the artifact names.

    The mean squared residual, with the pooled 99th percentile of healthy validation windows as
    warning threshold: the figures by which the network itself is known.

    Raises:
        ArtifactError: If the artifact has no network.
    """
    fitted = fit_score(SCORES["mse"], open_reconstructor(artifact), prepared)
    calibrated = choose_thresholds(fitted, prepared, Rule("quantile"))
    windows = _windows(prepared, measured)
    return measure(windows, calibrated.scores(windows), calibrated.thresholds)


def _score_and_measure(scorer: WindowScorer, measured: Measured) -> tuple[Metrics, Scored]:
    windows = collect_windows(scorer, scorer.spec.machine, measured.dataset, measured.engines)
    _check_some(windows, measured)
    explained = scorer.score(windows.windows, windows.trail)
    judged = judge_windows(explained, windows, scorer.spec)
    metrics = measure(windows, explained.scores, scorer.spec.thresholds, judged)
    return metrics, Scored(
        windows.units,
        windows.cycles,
        windows.life_left,
        explained.scores,
        scorer.spec.thresholds,
        explained,
        judged,
    )


def _windows(prepared: Prepared, measured: Measured) -> WindowSet:
    windows = collect_windows(
        prepared.normaliser, prepared.machine, measured.dataset, measured.engines
    )
    _check_some(windows, measured)
    return windows


def _check_some(windows: WindowSet, measured: Measured) -> None:
    if not len(windows):
        raise DatasetError(
            f"No engine of {measured.engines} in {measured.dataset.name} "
            f"({measured.dataset.split}) completes a window in a known operating regime. Was the "
            "artifact trained on a data set with other regimes?"
        )
