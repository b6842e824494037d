"""One asset's part of a model: fitted on its healthy readings, it scores what comes later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.errors import DatasetError
from common.machines.machine import MachineType
from common.machines.rows import as_rows
from common.recording import AssetRecord
from models.artifact.onnx_scorer import (
    Reconstructor,
    ZeroReconstructor,
    reconstruct_in_chunks,
    score_in_chunks,
)
from models.evaluation.batch_path import record_windows
from models.evaluation.collection import collect
from models.evaluation.plausible import plausible
from models.scoring.finals import covering_means, provisional
from models.scoring.measures.contributions import ScoreParams
from models.scoring.normaliser import Normaliser
from models.scoring.rolling import rolling_mean_and_deviation
from models.scoring.scores import SCORES
from models.scoring.smoothing import smoothed
from models.training.preparation.windows import healthy, normaliser_of
from models.training.score_fits import fit_params
from models.training.series.catalogue import ROLLING_Z, SeriesModel

FOLDS: Final = 5
"""Parts into which an asset's training time is cut; each is scored by what the others taught."""

FITTED_WINDOWS: Final = 500
"""Windows that the score of a network learns its scales of, evenly over the asset's time: they
overlap, so more say the same and cost a run of the network each."""

ROLLING_ROWS: Final = 100
SMALLEST_ROLLING: Final = 1e-3
"""Smallest deviation of a rolling z-score, measured units."""

Tune = Callable[[NDArray[np.float32]], Reconstructor]
"""From an asset's healthy windows to what says what is expected of it."""


@dataclass(frozen=True, slots=True)
class AssetPart:
    """What a model knows of one asset alone.

    Attributes:
        normaliser: Fitted on its healthy readings.
        params: What the score learned of its healthy windows.
        reconstructor: Says what is expected of it.
    """

    normaliser: Normaliser
    params: ScoreParams
    reconstructor: Reconstructor


@dataclass(frozen=True, slots=True)
class RowScores:
    """Both scores of each reading of one record.

    Attributes:
        provisional: Shape ``(rows,)``; there at once; NaN where no window ends.
        final: Shape ``(rows,)``; of all windows over the reading; NaN where none is.
    """

    provisional: NDArray[np.float64]
    final: NDArray[np.float64]


def no_network(windows: NDArray[np.float32]) -> Reconstructor:
    """Expect the healthy mean of any asset."""
    return ZeroReconstructor()


def fit_part(
    model: SeriesModel,
    machine: MachineType,
    record: AssetRecord,
    tune: Tune = no_network,
    seed: int = 0,
) -> AssetPart:
    """Learn one asset's part of its healthy readings.

    Args:
        model: Which; not the rolling z-score, which learns nothing.
        machine: What was recorded.
        record: The asset's readings; those not known to be healthy are not looked at.
        tune: Says what to expect of it.
        seed: Decides what is drawn at random, if anything is.

    Raises:
        DatasetError: If it has too few healthy readings.
    """
    try:
        normaliser = normaliser_of(machine, [(1, record)])
    except ValueError as exc:
        raise DatasetError(f"{_no_part(record)}: {exc}.") from exc
    windows = healthy(collect(normaliser, machine, [(1, record)])).windows
    if not len(windows):
        raise DatasetError(
            f"{_no_part(record)}: {len(record)} readings came, and no healthy window of "
            f"{machine.window.length} in a row. Record for longer, or set a shorter window in the "
            "machine type."
        )
    score, reconstructor = SCORES[model.score], tune(windows)
    params: ScoreParams = {}
    if score.param_names | score.array_names:
        some = evenly(windows, FITTED_WINDOWS) if score.uses_network else windows
        params = fit_params(score, some, reconstruct_in_chunks(reconstructor, some), seed)
    return AssetPart(normaliser, params, reconstructor)


def evenly(windows: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Return at most so many windows, evenly over those that came."""
    if len(windows) <= most:
        return windows
    return windows[np.linspace(0, len(windows) - 1, most).astype(np.int64)]


def _no_part(record: AssetRecord) -> str:
    return f"Asset {record.asset_id} cannot have a part of its own"


def score_rows(
    model: SeriesModel, machine: MachineType, part: AssetPart | None, record: AssetRecord
) -> RowScores:
    """Return both scores of each reading of a record.

    Args:
        model: Which.
        machine: What was recorded.
        part: The asset's; none for a model that learns nothing.
        record: Its readings, all of which count or not as in the live detector.
    """
    rows = len(record)
    if model.name == ROLLING_Z or part is None:
        return _rolling_z(record.values(machine))
    sound = plausible(machine, record)
    laid = record_windows(part.normaliser, machine, sound.cycles, as_rows(sound.values(machine)))
    score = SCORES[model.score]
    found = score_in_chunks(score, part.params, part.reconstructor, laid.windows).scores
    if model.half_life is not None:
        found = smoothed(found, model.half_life)
    # rows of the record, not of what is left of it
    kept = np.flatnonzero(np.isin(record.cycles, sound.cycles)) if len(sound) < rows else None
    begins, ends = (at if kept is None else kept[at] for at in (laid.begins, laid.ends))
    return RowScores(provisional(found, ends, rows), covering_means(found, begins, ends, rows))


def past_scores(
    model: SeriesModel,
    machine: MachineType,
    record: AssetRecord,
    tune: Tune = no_network,
    seed: int = 0,
) -> RowScores:
    """Return both scores of the readings a part is fitted on, as if they had come later.

    The record is cut into :data:`FOLDS` stretches of time, and each is scored by what the others
    taught: a score that remembers its training windows would find nothing in them. A record too
    short to be cut is scored by itself. A network that all assets share has seen all of it.

    Args:
        model: Which.
        machine: What was recorded.
        record: The asset's training readings.
        tune: Says what to expect.
        seed: Decides what is drawn at random, if anything is.
    """
    if model.name == ROLLING_Z:
        return score_rows(model, machine, None, record)
    folds = min(FOLDS, len(record) // (2 * machine.window.length))
    if folds < 2:
        part = fit_part(model, machine, record, tune, seed)
        return score_rows(model, machine, part, record)
    found = []
    cuts = np.linspace(0, len(record), folds + 1).astype(np.int64)
    for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        others = np.ones(len(record), np.bool_)
        others[start:stop] = False  # the hole is longer than any that may be bridged
        part = fit_part(model, machine, record.part(others), tune, seed)
        found.append(score_rows(model, machine, part, record.part(slice(start, stop))))
    return RowScores(
        np.concatenate([each.provisional for each in found]),
        np.concatenate([each.final for each in found]),
    )


def _rolling_z(values: NDArray[np.float64]) -> RowScores:
    """Return the mean over channels of the distance from what each lately was; final at once."""
    scores = np.zeros(len(values))
    for column in np.nan_to_num(values).T:
        means, deviations = rolling_mean_and_deviation(column, ROLLING_ROWS)
        scores += np.abs(column - means) / np.maximum(deviations, SMALLEST_ROLLING)
    scores /= max(1, values.shape[1])
    return RowScores(scores, scores)
