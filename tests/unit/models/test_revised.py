"""An existing artifact with other thresholds, in another precision, on its card."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.errors import ArtifactError, DatasetError
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact
from models.report.card import write_card
from models.thresholding.rule import Rule
from models.training.build import build_artifact
from models.training.config import TrainingConfig
from models.training.preparation.windows import Prepared, healthy
from models.training.quantise import compare_precisions, quantise
from models.training.recalibration import prepare_as, recalibrate
from tests.support.artifacts import heldout_metrics
from tests.support.fleets import cut_short, fleet

TEST_FLEET = cut_short(fleet(seed=1), np.array([5, 40, 3, 9, 12, 31, 8, 2]))


def test_a_new_rule_changes_thresholds_and_nothing_of_the_model(
    artifact: Artifact, prepared: Prepared
) -> None:
    after = recalibrate(artifact, fleet(), Rule("quantile", {"q": 0.5}), None)

    scores = open_scorer(artifact).score(healthy(prepared.validate).windows).scores
    assert after.manifest.thresholds.warning.value == pytest.approx(np.quantile(scores, 0.5))
    assert after.manifest.thresholds.warning.strategy == "quantile"
    assert after.manifest.thresholds.critical == artifact.manifest.thresholds.critical
    assert after.network == artifact.network
    assert after.manifest.score == artifact.manifest.score
    assert after.manifest.version != artifact.manifest.version
    assert heldout_metrics(after).auc == heldout_metrics(artifact).auc


def test_the_same_rules_give_the_same_artifact(artifact: Artifact) -> None:
    assert recalibrate(artifact, fleet(), None, None) == artifact


def test_another_file_than_its_own_is_refused(artifact: Artifact) -> None:
    with pytest.raises(DatasetError, match="Its own training file is needed"):
        recalibrate(artifact, replace(fleet(), sha256="2" * 64), None, None)


def test_int8_is_smaller_flagged_and_scores_about_the_same(
    artifact: Artifact, prepared: Prepared
) -> None:
    small = quantise(artifact, prepared)
    found = compare_precisions(artifact, small, prepared)

    network = small.manifest.network
    assert network is not None
    assert network.precision == "int8"
    assert small.manifest.name == "toy-int8"
    assert small.manifest.thresholds == artifact.manifest.thresholds
    assert found.degraded_windows == int((prepared.heldout.life_left <= 30).sum()) > 0
    assert 0 < found.largest_change < 0.1
    assert found.int8.network_bytes == len(small.network or b"")
    assert found.fp32.windows_per_s > 0
    assert found.int8.metrics == small.manifest.heldout_metrics


def test_only_a_float32_network_becomes_int8(artifact: Artifact, prepared: Prepared) -> None:
    with pytest.raises(ArtifactError, match="int8 already"):
        quantise(quantise(artifact, prepared), prepared)
    without = build_artifact(prepared, "toy", TrainingConfig(), "last_row")
    with pytest.raises(ArtifactError, match="no network"):
        quantise(without, prepared)


def test_an_artifact_s_own_file_is_prepared_as_it_was(
    artifact: Artifact, prepared: Prepared
) -> None:
    again = prepare_as(artifact, fleet())

    assert np.array_equal(again.heldout.windows, prepared.heldout.windows)
    assert again.split == prepared.split


def test_a_card_tells_data_choice_numbers_and_limits(prepared: Prepared) -> None:
    config = TrainingConfig(epochs=1, hidden=4, latent=2)
    artifact = build_artifact(prepared, "toy", config)

    text = write_card(artifact, fleet(), TEST_FLEET)

    for expected in (
        artifact.sha256,
        "`train_TOY.txt`",
        "(chosen)",
        "## Held-out engines 7-8",
        "## Official test file, engines 1-8",
        f"{heldout_metrics(artifact).auc:.4f} (",
        "proxy",
    ):
        assert expected in text


def test_a_card_without_a_test_file_has_held_out_engines_alone(artifact: Artifact) -> None:
    text = write_card(artifact, fleet(), None)

    assert "Held-out engines" in text
    assert "Official test file" not in text
    assert "asked for by name" in text
