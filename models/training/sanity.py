"""Whether a trained model is fit to be written: pure checks on the model and its data.

A model that fails here would load, score and raise alarms, and be wrong without a word. So it is
refused in a sentence with numbers, and nothing is written. What is odd but no defect is a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.scoring.measures.contributions import check_deviations
from models.scoring.normaliser import ODD
from models.training.calibration import Calibrated, joined, labelled
from models.training.preparation.spikes import SPIKE, spiked
from models.training.preparation.windows import Prepared

MOST_WARNED: Final = 0.1
"""Part of the healthy validation windows that may be at or above the warning threshold. Default
rules aim at 1 in 100 and less; above this nobody heeds warnings any more."""

MOST_WARNED_OWN: Final = 0.5
"""The same of somebody's own data without spikes: what counts as healthy there is often no more
than that nobody said otherwise, and machines differ. From :data:`MOST_WARNED` on a note says it.
On the pumps of SKAB (``bench/quality/skab/``) it is 0.37, and the model still finds most faults."""

CHANCE: Final = 0.5
"""Area under the ROC curve of a score that knows nothing."""

FEW: Final = 0.02
MOST_OF_VARIANCE: Final = 0.8
"""A channel is dominated by few values where its farthest 2 % of values make four fifths of its
variance; of normally distributed ones they make an eighth."""

STILL: Final = 1e-6
"""Healthy deviations; a channel that moves less is constant."""


class UnsoundModelError(ValueError):
    """A trained model that must not be written. The message says why, with the numbers."""


@dataclass(frozen=True, slots=True)
class SanityReport:
    """What was found of a sound model.

    Attributes:
        summary: Thresholds, healthy windows that warn, ranking; one sentence.
        notes: What is odd but no defect, a sentence each.
    """

    summary: str
    notes: tuple[str, ...]


def examine(prepared: Prepared, calibrated: Calibrated) -> SanityReport:
    """Return what is to be said of a model that is fit to be written.

    Args:
        prepared: What it was fitted and calibrated on.
        calibrated: The score and its thresholds.

    Raises:
        UnsoundModelError: If it is not fit: thresholds that are not finite, ordered and positive;
            too many of the healthy validation windows at or above warning (:data:`MOST_WARNED`); a
            channel whose deviation a few values make; a score that ranks no better than chance.
    """
    _check_numbers(calibrated)
    still = _check_channels(prepared)
    warned, count = _check_healthy(prepared, calibrated)
    auc = _check_ranking(prepared, calibrated)
    thresholds = calibrated.thresholds
    summary = (
        f"warning {thresholds.warning:.4g}, critical {thresholds.critical:.4g}; {warned:,} of "
        f"{count:,} healthy validation windows warn; "
        + (f"AUC {auc:.4f} on fit and validation" if auc is not None else "no fault is known")
    )
    often: tuple[str, ...] = ()
    if warned > MOST_WARNED * count:
        often = (
            f"{warned / count:.0%} of the healthy validation windows would warn: machines differ "
            "much, or not all that was learned from is of sound ones",
        )
    return SanityReport(summary, (*prepared.notes, *_spike_notes(prepared), *still, *often))


def _check_numbers(calibrated: Calibrated) -> None:
    warning, critical = calibrated.thresholds.warning, calibrated.thresholds.critical
    params = calibrated.fitted.params
    for name, values in params.items():
        if not np.isfinite(values).all():
            raise UnsoundModelError(f"what the score learned is not finite: {name}")
    try:
        check_deviations(params)
    except ValueError as exc:
        raise UnsoundModelError(str(exc)) from exc
    if not (np.isfinite(warning) and np.isfinite(critical) and warning <= critical):
        raise UnsoundModelError(
            f"the thresholds are warning {warning:g} and critical {critical:g}; finite ones in "
            "this order were expected"
        )
    if warning <= 0.0:
        raise UnsoundModelError(
            f"the warning threshold is {warning:.4g}, no higher than what healthy windows usually "
            "score; a positive one was expected"
        )


def _check_channels(prepared: Prepared) -> tuple[str, ...]:
    """Refuse channels that a few values dominate; return a note on those that do not move."""
    fit = prepared.fit
    rows = fit.windows[fit.healthy & ~spiked(fit.windows)][:, -1].astype(np.float64)  # (n, C)
    still = []
    for name, values in zip(prepared.channels, rows.T, strict=True):
        within = np.abs(values) <= 2 * ODD
        values = values[within]
        away = np.square(values - np.median(values)) if len(values) else values
        if not len(away) or away.max() <= STILL**2:
            still.append(name)
            continue
        few = max(1, int(FEW * len(away)))
        ordered = np.sort(away)
        share = float(ordered[-few:].sum() / ordered.sum())
        if share > MOST_OF_VARIANCE and len(away) > 1 / FEW:
            if ordered[-few - 1] <= STILL**2:
                still.append(f"{name} (but for {np.mean(away > STILL**2):.2%} of its values)")
                continue
            raise UnsoundModelError(
                f"channel {name}: {few:,} of {len(away):,} healthy values make {share:.0%} of its "
                "variance, so a fault would not be seen in it. Say with lowest and highest in the "
                "machine type what is plausible, or set used = false"
            )
    if not still:
        return ()
    return (f"constant when healthy: {', '.join(still)}",)


def _check_healthy(prepared: Prepared, calibrated: Calibrated) -> tuple[int, int]:
    """Return how many healthy validation windows warn, and how many there are."""
    part = prepared.validate.where(prepared.validate.healthy)
    warns = calibrated.fitted.scores(part) >= calibrated.thresholds.warning
    held = spiked(part.windows) & warns
    warned, spikes = int(warns.sum()), int(held.sum())
    lenient = prepared.own is not None and 2 * spikes < warned
    most = MOST_WARNED_OWN if lenient else MOST_WARNED
    # of few assets a budget can promise little, and one that warns does so in many windows
    most = max(most, 2 * calibrated.warning.rule.options.get("alpha", 0.0))
    if warned > most * len(part):
        because = (
            f"; {spikes:,} of them hold a value more than {SPIKE:g} deviations off, in "
            f"{_spiky_channels(prepared, part.windows)}: say with lowest and highest in the "
            "machine type what is plausible"
            if spikes
            else ""
        )
        raise UnsoundModelError(
            f"{warned:,} of {len(part):,} healthy validation windows are at or above the warning "
            f"threshold; at most {most:.0%} are accepted{because}"
        )
    return warned, len(part)


def _check_ranking(prepared: Prepared, calibrated: Calibrated) -> float | None:
    """Return the AUC for faulty windows on fit and validation; none where no fault is known."""
    if not prepared.labelled:
        return None
    from sklearn.metrics import roc_auc_score

    fit = prepared.fit
    if calibrated.fitted.score.remembers:  # it would know the healthy ones
        fit = fit.where(~fit.healthy)
    both = joined(
        *(labelled(part, calibrated.fitted.scores(part)) for part in (fit, prepared.validate))
    )
    if both.faulty.all() or not both.faulty.any():
        return None
    auc = float(roc_auc_score(both.faulty, both.scores))
    if auc <= CHANCE:
        raise UnsoundModelError(
            f"the score ranks faulty windows no better than chance: AUC {auc:.3f} on fit and "
            "validation"
        )
    return auc


def _spike_notes(prepared: Prepared) -> tuple[str, ...]:
    told = []
    for role, part in (("fit", prepared.fit), ("validate", prepared.validate)):
        windows = part.windows[part.healthy]
        count = int(spiked(windows).sum())
        if count:
            told.append(
                f"{count:,} of {len(windows):,} healthy windows of the {role!r} part hold a value "
                f"more than {SPIKE:g} deviations off, in {_spiky_channels(prepared, windows)}; "
                "nothing is learned from these"
            )
    return tuple(told)


def _spiky_channels(prepared: Prepared, windows: NDArray[np.float32]) -> str:
    beyond = (np.abs(windows[spiked(windows)]) > SPIKE).any(axis=(0, 1))
    return ", ".join(prepared.channels[column] for column in np.flatnonzero(beyond))
