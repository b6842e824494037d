"""From somebody's own recording to an artifact that scores, with labels and without."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import ArtifactError, DatasetError
from common.recording import AssetRecord, Recording
from models.artifact.onnx_scorer import ZeroReconstructor
from models.artifact.opening import open_scorer
from models.artifact.store import SHIPPED, Artifact, load_artifact, save_artifact, shipped_names
from models.evaluation.batch_path import score_record
from models.scoring.scores import SCORES
from models.thresholding.rule import OWN_CRITICAL, OWN_WARNING, Rule
from models.training.build import build_artifact
from models.training.calibration import choose_thresholds, fit_score
from models.training.catalogue import AUTO, OWN_DEFAULT
from models.training.config import TrainingConfig
from models.training.preparation.own_data import prepare_recording
from models.training.recalibration import prepare_as
from tests.support.fleets import fleet
from tests.support.own_pumps import PUMP, pump, pumps

CONFIG = TrainingConfig(seed=1, epochs=1, hidden=4, latent=2)


def labelled_pump(number: int) -> AssetRecord:
    """A pump that fails at reading 300."""
    return replace(pump(number, fault_from=300), faulty=np.arange(400) >= 300)


@pytest.fixture(scope="module")
def own() -> Artifact:
    return build_artifact(prepare_recording(pumps()), "pumps", CONFIG, OWN_DEFAULT)


@pytest.fixture(scope="module")
def labelled() -> Recording:
    return Recording("pumps.csv", PUMP, [labelled_pump(i) for i in (1, 2, 3)], "b" * 64)


def test_it_says_whose_data_it_is_of(own: Artifact) -> None:
    training = own.manifest.training

    assert own.manifest.machine == PUMP
    assert training.origin == "pumps.csv (own data, 3 assets)"
    assert training.data_sha256 == "a" * 64
    assert training.own is not None
    assert training.own.model_dump() == {
        "assets": 3,
        "rows": 1200,
        "split_by": "time",
        "healthy_rows": 1200,
        "faulty_rows": 0,
    }
    assert (training.heldout, training.healthy_rul, training.fault_rul) == (None, None, None)
    assert own.manifest.heldout_metrics is None


def test_its_thresholds_need_no_label(own: Artifact) -> None:
    chosen = own.manifest.thresholds

    assert (chosen.warning.strategy, chosen.critical.strategy) == ("return_level",) * 2
    assert chosen.warning.options == OWN_WARNING.all_options()
    assert chosen.critical.options == OWN_CRITICAL.all_options()
    assert chosen.critical.value > chosen.warning.value
    assert "15 pieces of the assets" in chosen.warning.reason


def test_it_survives_saving_opens_and_finds_a_fault(own: Artifact, tmp_path: Path) -> None:
    save_artifact(own, tmp_path / "pumps")
    scorer = open_scorer(load_artifact(str(tmp_path / "pumps")))
    broken = pump(2, seed=5, fault_from=300)

    result = score_record(scorer, broken.cycles, broken.values(PUMP).astype(np.float32))

    warning = scorer.spec.thresholds.warning
    sound, faulty = result.scores[:281], result.scores[-60:]
    assert (sound >= warning).mean() < 0.05
    assert (faulty >= scorer.spec.thresholds.critical).all()
    assert result.shares[-60:].mean(axis=0).argmax() == 1  # pressure moved most, for its noise
    assert (result.directions[-60:] == [-1, 1, 1]).all()


def test_one_asset_alone_has_two_thresholds_apart() -> None:
    alone = build_artifact(prepare_recording(pumps(1, rows=600)), "pumps", CONFIG, OWN_DEFAULT)

    assert alone.manifest.thresholds.critical.value > alone.manifest.thresholds.warning.value


def test_where_faults_are_known_auto_and_best_f1_may_choose(labelled: Recording) -> None:
    artifact = build_artifact(prepare_recording(labelled), "pumps", CONFIG, AUTO)

    manifest = artifact.manifest
    assert manifest.thresholds.critical.strategy == "best_f1"
    assert manifest.selection is not None
    assert OWN_DEFAULT in manifest.selection.candidates
    assert "cycles left" not in manifest.selection.rule
    assert manifest.training.own is not None
    assert manifest.training.own.faulty_rows == 300


def test_what_a_score_remembers_does_not_choose_its_threshold(labelled: Recording) -> None:
    prepared = prepare_recording(labelled)

    artifact = build_artifact(prepared, "pumps", CONFIG, OWN_DEFAULT)

    assert SCORES[OWN_DEFAULT].remembers
    looked_at = artifact.manifest.thresholds.critical.windows
    assert looked_at == len(prepared.validate) + int((~prepared.fit.healthy).sum())


def test_what_is_remembered_is_up_to_date_and_thresholds_were_chosen_before() -> None:
    prepared = prepare_recording(pumps(2))
    fitted = fit_score(SCORES[OWN_DEFAULT], ZeroReconstructor(), prepared)

    calibrated = choose_thresholds(fitted, prepared)

    before = fitted.scores(prepared.validate)
    after = calibrated.scores(prepared.validate)
    assert calibrated.warning.value > np.median(before) > after.max()
    assert np.array_equal(calibrated.fitted.params["scale"], fitted.params["scale"])


@pytest.mark.parametrize("strategy", ["best_f1", "precision_floor"])
@pytest.mark.parametrize("level", ["warning_rule", "critical_rule"])
def test_without_faults_a_rule_that_needs_them_is_refused(strategy: str, level: str) -> None:
    prepared = prepare_recording(pumps())

    with pytest.raises(ValueError, match=f"'{strategy}' needs windows that are known to be faulty"):
        build_artifact(prepared, "pumps", CONFIG, OWN_DEFAULT, **{level: Rule(strategy)})  # type: ignore[arg-type]


def test_without_faults_auto_is_refused_and_says_what_is_not() -> None:
    with pytest.raises(ValueError, match="'nearest_healthy' needs none"):
        build_artifact(prepare_recording(pumps()), "pumps", CONFIG, AUTO)


def test_an_alarm_budget_keeps_to_what_was_not_fitted_without_faults() -> None:
    prepared = prepare_recording(pumps())

    artifact = build_artifact(
        prepared, "pumps", CONFIG, OWN_DEFAULT, critical_rule=Rule("alarm_budget")
    )

    assert artifact.manifest.thresholds.critical.windows == len(prepared.validate)


def test_a_network_learns_pumps_too() -> None:
    artifact = build_artifact(prepare_recording(pumps()), "pumps", CONFIG, "residual_trend")

    assert open_scorer(artifact).spec.channels == PUMP.channel_names


def test_it_is_not_measured_on_turbofans(own: Artifact) -> None:
    with pytest.raises(DatasetError, match=r"trained on pumps.csv \(own data, 3 assets\)"):
        prepare_as(own, fleet())


def test_only_own_data_may_hold_nothing_out(artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(artifact, tmp_path / "toy")
    path = tmp_path / "toy" / "manifest.json"
    content = json.loads(path.read_text())
    assert "own" not in content["training"]
    content["training"]["heldout"] = None
    path.write_text(json.dumps(content))

    with pytest.raises(ArtifactError, match="own data alone"):
        load_artifact(str(tmp_path / "toy"))


@pytest.mark.parametrize("name", shipped_names())
def test_what_ships_keeps_its_digest(name: str) -> None:
    on_disk = (SHIPPED / name / "manifest.json").read_bytes()

    assert load_artifact(name).sha256 == hashlib.sha256(on_disk).hexdigest()
