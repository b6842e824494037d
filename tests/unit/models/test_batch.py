from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.machines.rows import split_rows
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact
from models.evaluation.batch_path import engine_rows, score_engine
from models.evaluation.collection import collect_windows
from models.evaluation.splits import EngineRange
from models.scoring.scorer import WindowScorer
from tests.support.fleets import cut_short, engine, fleet


@pytest.fixture(scope="module")
def scorer(artifact: Artifact) -> WindowScorer:
    return open_scorer(artifact)


def test_every_cycle_from_the_thirtieth_has_a_score(scorer: WindowScorer) -> None:
    series = engine(1, 80, seed=5)

    result = score_engine(scorer, series)

    assert result.cycles.tolist() == list(range(30, 81))
    assert result.scores.shape == (51,)
    assert result.shares.shape == result.directions.shape == (51, 14)


def test_a_score_is_that_of_the_window_taken_by_hand(scorer: WindowScorer) -> None:
    series = engine(1, 80, seed=5)
    conditions, channels = split_rows(engine_rows(scorer.spec.machine, series), 3)

    result = score_engine(scorer, series)

    for cycle in (30, 57, 80):
        rows = scorer.normalise(conditions[cycle - 30 : cycle], channels[cycle - 30 : cycle])
        by_hand = scorer.score(rows.rows[None])
        assert result.scores[cycle - 30] == by_hand.scores[0]
        assert np.array_equal(result.shares[cycle - 30], by_hand.shares[0])


def test_after_a_row_of_an_unknown_regime_thirty_rows_must_come(scorer: WindowScorer) -> None:
    series = engine(1, 120, seed=5)
    settings = series.settings.copy()
    settings[49] = (30.0, 0.5, 80.0)

    result = score_engine(scorer, replace(series, settings=settings))

    assert result.cycles.tolist() == [*range(30, 50), *range(80, 121)]
    undisturbed = score_engine(scorer, series)
    assert np.array_equal(result.scores[:20], undisturbed.scores[:20])
    assert np.array_equal(result.scores[20:], undisturbed.scores[50:])


def test_an_engine_shorter_than_a_window_has_no_score(scorer: WindowScorer) -> None:
    result = score_engine(scorer, engine(1, 29, seed=5))

    assert result.cycles.shape == result.scores.shape == (0,)


def test_collected_windows_are_those_of_the_chosen_engines(scorer: WindowScorer) -> None:
    left = np.array([5, 40, 3, 9, 12, 31, 8, 2])
    dataset = cut_short(fleet(), left)

    windows = collect_windows(scorer, scorer.spec.machine, dataset, EngineRange(2, 3))

    assert sorted(set(windows.units.tolist())) == [2, 3]
    assert windows.life_left[windows.units == 2].min() == 40
    assert windows.life_left[windows.units == 3].min() == 3
    assert len(collect_windows(scorer, scorer.spec.machine, dataset, EngineRange(9, 9))) == 0
