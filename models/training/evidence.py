"""What else an artifact holds against an asset, beside its score: single channels, little life.

Warnings of the score and of single channels share one budget of false alarms, counted in assets:
both are chosen on scores of models that never saw the asset (``cross_fit.py``). Where there are no
whole lives to count, each is chosen by the rule for the score alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from common.machines.machine import MachineType
from common.machines.rows import as_rows
from common.recording import AssetRecord
from models.artifact.onnx_scorer import Reconstructor, score_in_chunks
from models.evaluation.batch_path import counting_rows
from models.evaluation.labels import masks
from models.evaluation.measure import alarm_begin
from models.evaluation.splits import EngineRange
from models.scoring.channel import channel_score, fit_channel
from models.scoring.evidence import severity_of
from models.scoring.measures.contributions import ScoreParams
from models.scoring.scorer import WARNING_SEVERITY
from models.scoring.scores import Score
from models.scoring.unmoved import frozen_after
from models.scoring.windows import WindowSet
from models.thresholding.asset_conformal import (
    ALPHA,
    alarm_peaks,
    joint_thresholds,
    least_alpha,
)
from models.thresholding.rule import OWN_CHANNEL, WARNING_RULE, Rule
from models.training.calibration import ChosenThreshold, choose, fit_score, labelled
from models.training.cross_fit import OutOfFold, cross_fit, fit_and_validate
from models.training.life.fit import MIN_FAILURES, cross_predict, failures, fit_life, life_limit
from models.training.preparation.windows import Prepared, healthy

BUDGET: Final = "asset_budget"
DEGRADATION, CHANNEL = 0, 1


@dataclass(frozen=True, slots=True)
class ChannelPart:
    """What an artifact says of single channels.

    Attributes:
        params: What the channel score learned.
        warning: From where on it warns.
        frozen_after: Unmoved readings after which a channel is frozen, one per channel; 0 never.
    """

    params: ScoreParams
    warning: ChosenThreshold
    frozen_after: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LifePart:
    """What an artifact says of remaining life.

    Attributes:
        arrays: What is served.
        limit: A warning is critical when at most so many steps are expected to be left.
        engines: Which assets it was learned from.
        reason: How the limit was chosen, in a sentence.
    """

    arrays: dict[str, NDArray[Any]]
    limit: float
    engines: EngineRange
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it.

    Attributes:
        warning: From where on the score warns, where that was chosen together with the channels.
        channel: Single channels.
        life: Remaining life; none where too few assets failed to learn it from.
    """

    warning: ChosenThreshold | None
    channel: ChannelPart
    life: LifePart | None


def gather_evidence(
    prepared: Prepared,
    score: Score,
    rule: Rule | None,
    network: Reconstructor,
    folds: int,
    seed: int = 0,
) -> Evidence:
    """Learn what single channels and remaining life say, and choose when both warn.

    Args:
        prepared: What the score was fitted on.
        score: The artifact's.
        rule: How a warning is chosen; none for the default for the data.
        network: What the score compares windows with. It is the same for all folds: an autoencoder
            of so few weights rebuilds assets it has seen hardly better than others.
        folds: How many; 0 chooses on the ``validate`` part.
        seed: Decides what is drawn at random.

    Raises:
        ValueError: If the rule cannot be followed on these assets.
    """
    out_of_fold = None
    # of as many assets as each fold's: scales of all hang on odd ones that the folds did not have
    channel_learned = channel_params(prepared.fit)
    if rule is None and folds and prepared.lives:
        rule = Rule(BUDGET)
    if rule is not None and folds and rule.strategy == BUDGET and prepared.lives:
        out_of_fold = cross_fit(
            prepared.recording,
            prepared.machine,
            fit_and_validate(prepared),
            both_kinds(score, network, seed),
            folds,
            seed,
        )
        warning, channel = shared_budget(out_of_fold, rule, prepared)
    else:
        scores = channel_score(prepared.validate.windows, channel_learned).totals
        warning, channel = (
            None,
            choose(
                rule or (WARNING_RULE if prepared.labelled else OWN_CHANNEL),
                labelled(prepared.validate, scores),
                prepared.split.validate,
            ),
        )
    part = ChannelPart(channel_learned, channel, _frozen_after(prepared))
    return Evidence(warning, part, _life(prepared, out_of_fold, warning, channel, seed))


def channel_params(windows: WindowSet) -> ScoreParams:
    """Return what the channel score learns of the healthy windows of a set."""
    sound = healthy(windows)
    return fit_channel(sound.windows, sound.units)


def both_kinds(
    score: Score, network: Reconstructor, seed: int
) -> Callable[[Prepared], NDArray[np.float64]]:
    """Return what fits both kinds on one fold and scores with them.

    Args:
        score: The artifact's; its scores are in column :data:`DEGRADATION`.
        network: What it compares windows with, the same for all folds.
        seed: Of what the score draws at random.
    """

    def score_fold(fold: Prepared) -> NDArray[np.float64]:
        windows = fold.validate.windows
        fitted = fit_score(score, network, fold, seed)
        found = score_in_chunks(score, fitted.params, fitted.reconstructor, windows).scores
        channel = channel_score(windows, channel_params(fold.fit)).totals
        return np.stack([found, channel], axis=1)

    return score_fold


def shared_budget(
    out_of_fold: OutOfFold, rule: Rule, prepared: Prepared
) -> tuple[ChosenThreshold, ChosenThreshold]:
    """Return when the score and single channels warn, so that together they keep the budget.

    Args:
        out_of_fold: Scores of both kinds (:func:`both_kinds`).
        rule: With ``alpha``, or without for the default or the least that so few assets allow.
        prepared: Says which assets these are.

    Raises:
        ValueError: As :func:`joint_thresholds`.
    """
    sound = out_of_fold.healthy
    scores = out_of_fold.scores[sound]
    units, cycles = out_of_fold.units[sound], out_of_fold.cycles[sound]
    n = len(np.unique(units))
    alpha = rule.options.get("alpha", max(ALPHA, least_alpha(n)))
    values = joint_thresholds(scores, units, cycles, alpha)
    engines = EngineRange(prepared.split.fit.first, prepared.split.validate.last)
    peaks = alarm_peaks((scores / values).max(axis=1), units, cycles).peaks
    told = (
        f"at most {100 * alpha:.4g} % of new assets get a false warning in their healthy life, by "
        f"the score or by a single channel; of these {n} assets, each scored by what the others "
        f"taught, {int((peaks >= WARNING_SEVERITY).sum())} would have"
    )
    shared, windows = Rule(BUDGET, {"alpha": alpha}), int(sound.sum())
    chosen = [ChosenThreshold(float(value), shared, engines, windows, told) for value in values]
    return chosen[DEGRADATION], chosen[CHANNEL]


def _frozen_after(prepared: Prepared) -> tuple[int, ...]:
    split = prepared.split
    first, last = min(split.fit.first, split.validate.first), split.validate.last
    return frozen_limits(prepared.machine, prepared.recording.assets[first - 1 : last])


def frozen_limits(machine: MachineType, records: Iterable[AssetRecord]) -> tuple[int, ...]:
    """Return after how many unmoved readings each channel is frozen, by the healthy readings."""
    sound = []
    for record in records:
        counted, filled = counting_rows(machine, record.cycles, as_rows(record.values(machine)))
        is_healthy = masks(record)[0][counted]
        sound.append(filled[is_healthy][:, len(machine.conditions) :])
    after = frozen_after([rows for rows in sound if len(rows)], machine.window.length)
    # a value that stands in for a blank repeats itself: that is not the sensor's doing
    held = np.array([channel.max_hold for channel in machine.used]) + 2
    after = np.where(after > 0, np.maximum(after, held), 0)
    return tuple(np.where(after <= machine.window.length, after, 0).tolist())


def _life(
    prepared: Prepared,
    out_of_fold: OutOfFold | None,
    warning: ChosenThreshold | None,
    channel: ChosenThreshold,
    seed: int,
) -> LifePart | None:
    if failures(prepared) < MIN_FAILURES:
        return None
    crossed = cross_predict(prepared, seed=seed)
    alarmed = None
    if out_of_fold is not None and warning is not None:
        alarmed = _first_warnings(
            prepared.fit.followed_by(prepared.validate), out_of_fold, warning, channel
        )
    limit = life_limit(crossed.own)
    engines = EngineRange(prepared.split.fit.first, prepared.split.validate.last)
    return LifePart(
        fit_life(prepared, alarmed, crossed, seed=seed),
        limit,
        engines,
        "highest F1 for windows near failure, each predicted by trees that did not know its asset",
    )


def _first_warnings(
    windows: WindowSet,
    out_of_fold: OutOfFold,
    warning: ChosenThreshold,
    channel: ChosenThreshold,
) -> NDArray[np.bool_]:
    """Return at which windows an asset's first alarm would have been raised, one an asset."""
    severities = np.maximum(
        severity_of(out_of_fold.scores[:, DEGRADATION], warning.value),
        severity_of(out_of_fold.scores[:, CHANNEL], channel.value),
    )
    begins: dict[int, int] = {}
    for unit in np.unique(out_of_fold.units).tolist():
        own = out_of_fold.units == unit
        anomalous = severities[own] >= WARNING_SEVERITY
        raised = alarm_begin(anomalous, np.zeros(len(anomalous), np.bool_))
        if raised is not None:
            begins[unit] = int(out_of_fold.cycles[own][raised])
    firsts = np.array([begins.get(unit, -1) for unit in windows.units.tolist()])
    found: NDArray[np.bool_] = windows.cycles == firsts
    return found
