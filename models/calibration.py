"""From a fitted model to a calibrated one: healthy statistics of its score, and two thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.onnx_scorer import Reconstructor, reconstruct_in_chunks, score_in_chunks
from models.preparation import Prepared, healthy
from models.scoring import Score, ScoreParams
from models.serving import Thresholds
from models.splits import FAULT_RUL, HEALTHY_RUL, EngineRange
from models.thresholds import CRITICAL_RULE, WARNING_RULE, CalibrationScores, Rule
from models.windowing import WindowSet


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """One threshold and how it was chosen.

    Attributes:
        value: Anomalous when ``score >= value``.
        rule: The strategy and its options.
        engines: The engines it was chosen on.
        windows: How many of their windows the strategy looked at.
        reason: The choice in one sentence.
    """

    value: float
    rule: Rule
    engines: EngineRange
    windows: int
    reason: str


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A score with everything it needs to be used.

    Attributes:
        score: Which score.
        params: Its healthy statistics.
        reconstructor: Says what the model expects.
        warning: The lower threshold.
        critical: The higher threshold.
    """

    score: Score
    params: ScoreParams
    reconstructor: Reconstructor
    warning: ChosenThreshold
    critical: ChosenThreshold

    @property
    def thresholds(self) -> Thresholds:
        """The two values."""
        return Thresholds(self.warning.value, self.critical.value)

    def scores(self, windows: WindowSet) -> NDArray[np.float64]:
        """Return the score of each window, shape ``(n,)``."""
        return score_in_chunks(self.score, self.params, self.reconstructor, windows.windows).scores


def calibrate(score: Score, reconstructor: Reconstructor, prepared: Prepared) -> Calibrated:
    """Fit the score on healthy ``fit`` windows and choose its thresholds.

    ``warning`` is chosen on the ``validate`` engines, which the model has never seen; ``critical``
    on ``fit`` and ``validate`` engines, since few windows are near failure. Neither looks at the
    ``heldout`` engines. ``critical`` is never below ``warning``.
    """
    reference = healthy(prepared.fit).windows
    params = score.fit(reference, reconstruct_in_chunks(reconstructor, reference))
    fit, validate = (
        _labelled(part, score, params, reconstructor) for part in (prepared.fit, prepared.validate)
    )
    warning = ChosenThreshold(
        WARNING_RULE.threshold(validate),
        WARNING_RULE,
        prepared.split.validate,
        int(validate.healthy.sum()),
        f"{WARNING_RULE.options['q']:.0%} of healthy validation windows score below it",
    )
    both = EngineRange(prepared.split.fit.first, prepared.split.validate.last)
    critical = _choose_critical(_joined(fit, validate), both, warning.value)
    return Calibrated(score, params, reconstructor, warning, critical)


def _choose_critical(
    data: CalibrationScores, engines: EngineRange, warning: float
) -> ChosenThreshold:
    best = CRITICAL_RULE.threshold(data)
    reason = f"highest F1 for windows with at most {FAULT_RUL} cycles left, on engines {engines}"
    if best < warning:
        reason = f"raised to the warning threshold; the {reason}, was {best:.6g}"
    return ChosenThreshold(max(best, warning), CRITICAL_RULE, engines, len(data.scores), reason)


def _labelled(
    part: WindowSet, score: Score, params: ScoreParams, reconstructor: Reconstructor
) -> CalibrationScores:
    return CalibrationScores(
        score_in_chunks(score, params, reconstructor, part.windows).scores,
        part.units,
        part.rul > HEALTHY_RUL,
        part.rul <= FAULT_RUL,
    )


def _joined(first: CalibrationScores, second: CalibrationScores) -> CalibrationScores:
    return CalibrationScores(
        np.concatenate([first.scores, second.scores]),
        np.concatenate([first.units, second.units]),
        np.concatenate([first.healthy, second.healthy]),
        np.concatenate([first.faulty, second.faulty]),
    )
