"""What the batch path says of an asset whose scores become final later.

Whole stretches are cut at once, as evaluation does it, and means and thresholds are taken over the
whole record; nothing of what a worker remembers between batches is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.machines.rows import as_rows
from detector.core.fleet import Fleet
from detector.core.reading.source import Reading
from detector.tools.parity.differences import Numbers
from models.evaluation.batch_path import counting_rows, record_windows
from models.scoring.evidence import LARGEST, severities_of
from models.scoring.finals import covering_means, settled_rows
from models.scoring.smoothing import smoothed
from models.thresholding.series_rule import AssetFinals, AssetThreshold
from models.thresholding.trailing import trailing_thresholds


@dataclass(frozen=True, slots=True)
class BatchFinals:
    """Both kinds of scores of one asset's run, by cycle."""

    scores: dict[int, Numbers]
    finals: dict[int, float]


def batch_finals(
    fleet: Fleet, asset: AssetFinals, readings: Sequence[Reading], *, goes_on: bool
) -> BatchFinals:
    """Return what the batch path says of each cycle.

    Args:
        fleet: The asset's own part of the model, and which gaps a window may span.
        asset: How its scores become final.
        readings: Of one asset and run, in the order of the topic, repeats included.
        goes_on: Whether more may come, so that the last scores are not final.
    """
    if not readings:
        return BatchFinals({}, {})
    machine, length = fleet.spec.machine, fleet.spec.window_length
    cycles = np.array([reading.cycle for reading in readings], np.int64)
    rows = as_rows(np.array([reading.values for reading in readings], np.float64))
    laid = record_windows(fleet.scorer, machine, cycles, rows, fleet.inputs.bridge_cycles)
    scores = fleet.scorer.score(laid.windows, laid.trail).scores
    if asset.half_life is not None:
        scores = smoothed(scores, asset.half_life)
    kept, _ = counting_rows(machine, cycles, rows)
    ends = np.searchsorted(kept, laid.ends)
    begins = ends - (length - 1)
    finals = covering_means(scores, begins, ends, len(kept))
    done = settled_rows(begins, ends, len(kept)) if goes_on else ~np.isnan(finals)
    thresholds = np.minimum(_thresholds(finals, asset.threshold), LARGEST)[begins]
    severities = severities_of(scores, thresholds)
    numbers = map(Numbers, scores.tolist(), severities.tolist())
    return BatchFinals(
        dict(zip(cycles[laid.ends].tolist(), numbers, strict=True)),
        dict(zip(cycles[kept[done]].tolist(), finals[done].tolist(), strict=True)),
    )


def _thresholds(finals: NDArray[np.float64], asset: AssetThreshold) -> NDArray[np.float64]:
    if asset.rule is None:
        return np.full(len(finals), asset.fixed)
    return trailing_thresholds(finals, asset.past.astype(np.float64), asset.rule)
