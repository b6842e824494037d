"""A simulated fleet's windows and batch scores: every worker and peer is checked by them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.suite.failures import WrongCountError, WrongScoresError
from bench.support.messages import asset_name
from common.cmapss.reader import Dataset, EngineSeries
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.evaluation.batch_path import engine_rows, record_windows
from models.scoring.scorer import WindowScorer
from producer.simulator.simulate import simulate

MODEL: Final = "fd001"
"""Whose network everybody uses."""

TOLERANCE: Final = 1e-6
ENGINES_A_TIME: Final = 20

Scores = Mapping[str, Mapping[int, float]]
"""By asset, by cycle."""


@cache
def scorer() -> WindowScorer:
    """Return the model, opened once."""
    return open_scorer(load_artifact(MODEL))


@cache
def fleet(engines: int) -> Dataset:
    """Return a simulated fleet, run to failure; a larger one begins with the smaller."""
    return simulate(engines, seed=1)


def fleet_windows(count: int) -> NDArray[np.float32]:
    """Return windows of a simulated fleet, sound and worn, shape ``(count, window, channels)``."""
    found = [_windows(engine)[1] for engine in fleet(ENGINES_A_TIME).engines]
    return np.ascontiguousarray(np.resize(np.concatenate(found), (count, *found[0].shape[1:])))


@cache
def batch_scores(engines: int) -> Scores:
    """Return the score of each reading of a simulated fleet that completes a window."""
    dataset = fleet(engines)
    found: dict[str, dict[int, float]] = {}
    for engine in dataset.engines:
        cycles, windows = _windows(engine)
        scores = scorer().score(windows).scores
        found[asset_name(dataset, engine.unit)] = dict(
            zip(cycles.tolist(), scores.tolist(), strict=True)
        )
    return found


def _windows(engine: EngineSeries) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    machine = scorer().spec.machine
    cut = record_windows(scorer(), machine, engine.cycles, engine_rows(machine, engine))
    return engine.cycles[cut.ends], cut.windows


def total(expected: Scores) -> int:
    """Return how many scores these are."""
    return sum(map(len, expected.values()))


def check_scores(who: str, came: Scores, expected: Scores) -> None:
    """Compare what somebody stored with the batch path.

    Raises:
        WrongCountError: If scores are missing, or there are others.
        WrongScoresError: If one differs by more than ``TOLERANCE``, of its size where above 1.
    """
    due = {(asset, cycle) for asset, scores in expected.items() for cycle in scores}
    found = {(asset, cycle) for asset, scores in came.items() for cycle in scores}
    if due != found:
        raise WrongCountError(
            f"{who} stored {len(found):,} scores; {len(due):,} were due, {len(due - found):,} of "
            f"them are missing and {len(found - due):,} others came."
        )
    for asset, scores in expected.items():
        for cycle, score in scores.items():
            difference = abs(came[asset][cycle] - score) / max(1.0, abs(score))
            if not difference <= TOLERANCE:  # NaN is no score either
                raise WrongScoresError(
                    f"{who}: {asset} cycle {cycle} has the score {came[asset][cycle]}; the batch "
                    f"path says {score}."
                )
