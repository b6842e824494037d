from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.quality.alarm_rates.__main__ import row_of
from bench.quality.alarm_rates.evidence import (
    AT_ONCE,
    EvidenceSplits,
    false_speakers,
    judge_engines,
)
from bench.quality.alarm_rates.measured import (
    Judged,
    NetworkSplits,
    TrendSplits,
    calibrated_split,
    false_warnings,
    fold_magnitudes,
    score_of,
    sound_part,
)
from common.machines.turbofan import TURBOFAN
from models.artifact.onnx_scorer import ZeroReconstructor
from models.evaluation.collection import numbered
from models.evaluation.engines import recording_of
from models.evaluation.splits import split_engines
from models.scoring.evidence import WARNERS
from models.scoring.scores import SCORES
from models.thresholding.rule import Rule
from models.training.calibration import fit_score
from models.training.config import FOLDS
from models.training.cross_fit import fold_parts
from models.training.evidence import BUDGET, gather_evidence
from models.training.folds import assign_folds
from models.training.preparation.windows import cut
from producer.simulator.simulate import simulate

RECORDING = recording_of(simulate(25, seed=3))
SURVIVORS = replace(
    RECORDING,
    assets=tuple(replace(asset, faulty=None, life_left=None) for asset in RECORDING.assets),
)
"""The same engines; nobody knows that they failed, so remaining life is not learned."""


class Halved:
    """Expects half of what comes: a network for tests."""

    def reconstruct(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        return windows * np.float32(0.5)


def test_every_engine_has_one_part_in_a_split() -> None:
    fit, validate, judged = calibrated_split(range(1, 101), np.random.default_rng(0))

    assert sorted(fit + validate + judged) == list(range(1, 101))
    assert (len(fit), len(validate), len(judged)) == (64, 16, 20)


@pytest.mark.parametrize("score", ["residual_trend", "hybrid", "hybrid_upper"])
def test_scores_from_magnitudes_are_the_score_s_own(score: str) -> None:
    sound = sound_part(RECORDING)
    prepared = fold_parts(sound, TURBOFAN, assign_folds(range(1, 11), 5), 2)
    found = fold_magnitudes(2, prepared, Halved())
    own = np.isin(found.units, prepared.validate.units)

    expected = fit_score(SCORES[score], Halved(), prepared).scores(prepared.validate)

    assert score_of(score, found, ~own, own) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_false_warning_is_three_in_a_row_of_a_healthy_life() -> None:
    scores = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 1.0])
    units = np.array([1, 1, 1, 2, 2, 2])

    assert false_warnings(scores, units, np.arange(6), 1.0) == (2, 1)


def test_both_rules_are_judged_on_the_same_lives() -> None:
    fit, validate, judged = [*range(1, 17)], [17, 18, 19, 20], [21, 22, 23, 24, 25]
    measuring = (
        TrendSplits(RECORDING, 0.3),
        NetworkSplits(RECORDING, lambda prepared: ZeroReconstructor(), "hybrid", 0.3),
    )

    for each in measuring:
        today = each.today(fit, validate, judged)
        budget = each.budget(fit + validate, judged, seed=0)

        assert today.lives == budget.lives <= 5
        assert 0 <= budget.false <= budget.lives


FIT, VALIDATE, JUDGED = [*range(1, 17)], [17, 18, 19, 20], [21, 22, 23, 24, 25]


def test_all_evidence_is_learned_as_training_learns_it() -> None:
    split = split_engines(25)
    fit, validate, heldout = (
        numbered(SURVIVORS, part) for part in (split.fit, split.validate, split.heldout)
    )
    prepared = cut(SURVIVORS, TURBOFAN, split, (fit, validate, heldout))
    gathered = gather_evidence(
        prepared, SCORES["input_trend"], Rule(BUDGET, {"alpha": 0.3}), ZeroReconstructor(), FOLDS
    )

    model = EvidenceSplits(RECORDING, 0.3).learn(FIT, VALIDATE, seed=0)

    assert gathered.warning is not None
    assert model.spec.thresholds.warning == gathered.warning.value
    assert model.spec.thresholds.channel == gathered.channel.warning.value
    assert model.spec.frozen_after == gathered.channel.frozen_after
    for name, learned in gathered.channel.params.items():
        np.testing.assert_array_equal(model.channel[name], learned)


def test_engines_are_judged_alike_alone_and_many_at_once() -> None:
    model = EvidenceSplits(RECORDING, 0.3).learn(FIT, VALIDATE, seed=0)
    everyone = [*range(1, 26), *FIT]

    together = judge_engines(model, RECORDING, everyone)
    alone = [judge_engines(model, RECORDING, [unit]) for unit in everyone]

    assert len(everyone) > AT_ONCE
    assert together.lives == sum(each.lives for each in alone)
    assert together.false == sum(each.false for each in alone) > 0
    assert together.leads == tuple(lead for each in alone for lead in each.leads)


def test_a_mean_over_splits_says_what_other_splits_and_other_engines_may_change() -> None:
    found = [Judged(20, false) for false in (0, 1, 2, 1)]

    row = row_of("FD001", "score", "rule", found, lives=80)

    assert (row.splits, row.mean, row.worst) == (4, 0.05, 0.1)
    assert row.of_splits == pytest.approx(1.96 * np.std([0, 0.05, 0.1, 0.05]) / 2, rel=1e-3)
    assert row.low < row.mean - row.of_splits / 2 < row.mean < row.high
    assert replace(row, of_splits=0.0) == replace(
        row_of("FD001", "score", "rule", found * 4, lives=80), splits=4, of_splits=0.0
    )


def test_each_false_warning_has_one_speaker() -> None:
    found = EvidenceSplits(RECORDING, 0.3).together(FIT, VALIDATE, JUDGED, seed=0)

    assert set(found.spoke) == {kind.value for kind in WARNERS}
    assert sum(found.spoke.values()) == found.false <= found.lives <= len(JUDGED)
    assert found.failing == len(JUDGED)


def test_the_kind_that_is_loudest_when_the_warning_is_raised_has_spoken() -> None:
    severities = np.array([1.0, 2.0, 1.5, 3.0, 1.0, 0.9, 1.0, 1.0])
    speakers = np.array([0, 0, 1, 0, 1, 1, 1, 1])
    units = np.array([4, 4, 4, 4, 5, 5, 5, 5])

    assert false_speakers(severities, speakers, units, np.arange(8)) == [1]
