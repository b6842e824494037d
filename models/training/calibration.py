"""From a network to a calibrated model: its score learns what is healthy, two thresholds follow.

What is held out decides nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.artifact.onnx_scorer import Reconstructor, reconstruct_in_chunks, score_in_chunks
from models.evaluation.splits import EngineRange
from models.scoring.measures.contributions import ScoreParams
from models.scoring.scorer import Thresholds
from models.scoring.scores import Score
from models.scoring.windows import WindowSet
from models.thresholding.rule import (
    CRITICAL_RULE,
    OWN_CRITICAL,
    OWN_WARNING,
    WARNING_RULE,
    Rule,
)
from models.thresholding.strategies import CalibrationScores
from models.training.preparation.spikes import usual
from models.training.preparation.windows import Prepared, healthy
from models.training.score_fits import fit_params


@dataclass(frozen=True, slots=True)
class Fitted:
    """A score that has learned what it needs, and what it is compared with.

    Attributes:
        score: Which score.
        params: What it learned of healthy windows.
        reconstructor: Says what the model expects.
    """

    score: Score
    params: ScoreParams
    reconstructor: Reconstructor

    def scores(self, windows: WindowSet) -> NDArray[np.float64]:
        """Return the score of each window, shape ``(n,)``."""
        return score_in_chunks(self.score, self.params, self.reconstructor, windows.windows).scores


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
        fitted: The score.
        warning: The lower threshold.
        critical: The higher threshold.
        unseen: Scores of the ``validate`` part from before the score came to remember it; none
            where nobody kept them.
    """

    fitted: Fitted
    warning: ChosenThreshold
    critical: ChosenThreshold
    unseen: NDArray[np.float64] | None = None

    @property
    def thresholds(self) -> Thresholds:
        """The two values."""
        return Thresholds(self.warning.value, self.critical.value)

    def scores(self, windows: WindowSet) -> NDArray[np.float64]:
        """Return the score of each window, shape ``(n,)``."""
        return self.fitted.scores(windows)

    def warning_from(self, warning: ChosenThreshold) -> Calibrated:
        """Return the same with another warning; critical is never below it."""
        return replace(self, warning=warning, critical=_not_below(self.critical, warning.value))


def fit_score(
    score: Score, reconstructor: Reconstructor, prepared: Prepared, seed: int = 0
) -> Fitted:
    """Let a score learn from the healthy windows of the ``fit`` part."""
    reference = healthy(prepared.fit)
    expected = reconstruct_in_chunks(reconstructor, reference.windows)
    params = fit_params(score, reference.windows, expected, seed, reference.units)
    return Fitted(score, params, reconstructor)


def choose_thresholds(
    fitted: Fitted,
    prepared: Prepared,
    warning_rule: Rule | None = None,
    critical_rule: Rule | None = None,
) -> Calibrated:
    """Choose both thresholds.

    ``warning`` is chosen on the ``validate`` part, which the model has never seen. ``critical`` is
    too, unless its strategy looks at faulty windows: of these there are few, so the ``fit`` part
    counts as well. ``critical`` is never below ``warning``.

    Args:
        fitted: The score.
        prepared: What it was fitted on, and what it was not.
        warning_rule: How the lower threshold is chosen; none for the default, which needs labels
            only where there are some.
        critical_rule: How the higher one is chosen, likewise.

    Raises:
        ValueError: If a rule cannot be followed on these engines.
    """
    warning_rule, critical_rule = rules(prepared, warning_rule, critical_rule)
    validate = labelled(prepared.validate, fitted.scores(prepared.validate))
    warning = choose(warning_rule, validate, prepared.split.validate)
    if critical_rule.labelled and prepared.labelled:
        part = prepared.fit
        if fitted.score.remembers:
            part = part.where(~part.healthy)
        fit = labelled(part, fitted.scores(part))
        both = EngineRange(prepared.split.fit.first, prepared.split.validate.last)
        critical = choose(critical_rule, joined(fit, validate), both)
    else:
        critical = choose(critical_rule, validate, prepared.split.validate)
    return Calibrated(
        _up_to_date(fitted, prepared),
        warning,
        _not_below(critical, warning.value),
        validate.scores,
    )


def rules(
    prepared: Prepared, warning: Rule | None = None, critical: Rule | None = None
) -> tuple[Rule, Rule]:
    """Return how both thresholds are chosen, where nothing was said by the default for the data.

    Raises:
        ValueError: If a rule needs faulty windows and none are known.
    """
    usual = (WARNING_RULE, CRITICAL_RULE) if prepared.labelled else (OWN_WARNING, OWN_CRITICAL)
    chosen = warning or usual[0], critical or usual[1]
    for rule in chosen:
        if rule.needs_faults and not prepared.labelled:
            raise ValueError(
                f"threshold strategy {rule.strategy!r} needs windows that are known to be faulty, "
                f"and {prepared.name} has none"
            )
    return chosen


def calibrate(
    score: Score, reconstructor: Reconstructor, prepared: Prepared, seed: int = 0
) -> Calibrated:
    """Fit a score and choose its thresholds by the default rules."""
    return choose_thresholds(fit_score(score, reconstructor, prepared, seed), prepared)


def labelled(part: WindowSet, scores: NDArray[np.float64]) -> CalibrationScores:
    """Return scores with what is known of their windows; one with a spike is not called healthy."""
    return CalibrationScores(scores, part.units, usual(part), part.faulty, part.cycles)


def joined(first: CalibrationScores, second: CalibrationScores) -> CalibrationScores:
    """Return both as one."""
    cycles = None
    if first.cycles is not None and second.cycles is not None:
        cycles = np.concatenate([first.cycles, second.cycles])
    return CalibrationScores(
        np.concatenate([first.scores, second.scores]),
        np.concatenate([first.units, second.units]),
        np.concatenate([first.healthy, second.healthy]),
        np.concatenate([first.faulty, second.faulty]),
        cycles,
    )


def _up_to_date(fitted: Fitted, prepared: Prepared) -> Fitted:
    """Let a score that remembers healthy windows remember the latest, once thresholds are chosen.

    What comes next is likest to them, and more to remember only lowers scores: a threshold that was
    chosen without them errs towards silence. What deviations are measured in stays as it was.
    """
    if not fitted.score.remembers or prepared.own is None or prepared.own.split_by != "time":
        return fitted
    parts = [healthy(part) for part in (prepared.fit, prepared.validate)]
    windows = np.concatenate([part.windows for part in parts])
    units = np.concatenate([part.units for part in parts])
    expected = reconstruct_in_chunks(fitted.reconstructor, windows)
    later = fit_params(fitted.score, windows, expected, units=units)
    kept = {name: fitted.params[name] for name in fitted.score.param_names}
    return Fitted(fitted.score, {**later, **kept}, fitted.reconstructor)


def choose(rule: Rule, data: CalibrationScores, engines: EngineRange) -> ChosenThreshold:
    """Return the threshold that a rule chooses on some engines' scores.

    Raises:
        ValueError: If it cannot be followed on these.
    """
    choice = rule.choose(data)
    complete = Rule(rule.strategy, {**rule.all_options(), **choice.options})
    return ChosenThreshold(choice.value, complete, engines, choice.windows, choice.reason)


def _not_below(critical: ChosenThreshold, warning: float) -> ChosenThreshold:
    if critical.value >= warning:
        return critical
    reason = f"raised to the warning threshold; was {critical.value:.6g}: {critical.reason}"
    return ChosenThreshold(warning, critical.rule, critical.engines, critical.windows, reason)
