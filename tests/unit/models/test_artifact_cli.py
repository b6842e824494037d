from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from deploy.commands import app
from models.artifact.confidence import Confidence, read_confidence
from models.artifact.store import load_artifact
from tests.support.fleets import cut_short, fleet, write_fleet

RUN = CliRunner()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_fleet(fleet(), folder)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(data, tmp_path_factory.mktemp("models") / "mine", "--model", "mse")


def train(data: Path, out: Path, *more: str) -> Path:
    arguments = ["train", "--dataset", "TOY", "--out", str(out), "--epochs", "1", *more]
    result = RUN.invoke(app, [*arguments, "--data-dir", str(data)])
    assert result.exit_code == 0, result.output
    return out


def test_a_baseline_is_trained_by_name_with_rules_of_one_s_choice(
    data: Path, tmp_path: Path
) -> None:
    rules = ("--warning", "zscore:k=2", "--critical", "precision_floor:precision=0.8")

    folder = train(data, tmp_path / "forest", "--model", "iforest", *rules)

    manifest = load_artifact(str(folder)).manifest
    assert (manifest.name, manifest.score.name) == ("toy-iforest", "iforest")
    assert manifest.thresholds.warning.options == {"k": 2.0}
    assert manifest.thresholds.critical.strategy == "precision_floor"
    assert sorted(path.name for path in folder.iterdir()) == [
        "arrays.npz", "confidence.json", "manifest.json",
    ]  # fmt: skip


def test_calibrate_writes_the_same_model_with_other_thresholds(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "calibrated"
    arguments = ["calibrate", "--artifact", str(trained), "--warning", "quantile:q=0.9"]

    result = RUN.invoke(app, [*arguments, "--out", str(out), "--data-dir", str(data)])

    assert result.exit_code == 0, result.output
    before, after = load_artifact(str(trained)).manifest, load_artifact(str(out)).manifest
    assert after.thresholds.warning.value < before.thresholds.warning.value
    assert after.network == before.network
    assert "0.9 of healthy windows score below it" in result.output


def test_calibrate_needs_no_torch() -> None:
    modules = "models.training.recalibration, models.report.card"
    code = f"import sys, {modules}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_export_writes_both_precisions_and_what_that_changes(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    arguments = ["export", "--artifact", str(trained), "--int8", "--out", str(tmp_path)]

    result = RUN.invoke(app, [*arguments, "--data-dir", str(data)])

    assert result.exit_code == 0, result.output
    assert load_artifact(str(tmp_path / "toy-mse")) == load_artifact(str(trained))
    network = load_artifact(str(tmp_path / "toy-mse-int8")).manifest.network
    assert network is not None
    assert network.precision == "int8"
    for expected in ("size, bytes", "windows per s", "AUC"):
        assert expected in result.output


def test_a_card_is_written_beside_its_artifact(data: Path, trained: Path) -> None:
    result = RUN.invoke(app, ["card", "--artifact", str(trained), "--data-dir", str(data)])

    assert result.exit_code == 0, result.output
    assert (trained / "CARD.md").read_text().startswith("# toy-mse\n")
    assert load_artifact(str(trained)).manifest.name == "toy-mse"


def test_confidence_is_written_by_training_and_the_same_by_its_command(
    data: Path, trained: Path
) -> None:
    path = trained / "confidence.json"
    by_training, sha256 = path.read_bytes(), load_artifact(str(trained)).sha256
    path.unlink()

    result = RUN.invoke(app, ["confidence", "--artifact", str(trained), "--data-dir", str(data)])

    assert result.exit_code == 0, result.output
    assert path.read_bytes() == by_training
    artifact = load_artifact(str(trained))
    assert artifact.sha256 == sha256
    assert isinstance(read_confidence(artifact.confidence, sha256), Confidence)


def test_a_test_file_alone_is_measured_without_baselines(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    write_fleet(cut_short(fleet(seed=1), np.array([5, 40, 3, 9, 12, 31, 8, 2])), tmp_path)
    arguments = ["evaluate", "--dataset", "TOY", "--split", "test", "--artifact", str(trained)]

    result = RUN.invoke(app, [*arguments, "--data-dir", str(tmp_path), "--bootstrap", "0"])

    assert result.exit_code == 0, result.output
    assert "No baselines" in result.output
    assert "toy-mse" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["train", "--model", "guess"], "--model guess came", id="model"),
        pytest.param(["train", "--warning", "guess"], "--warning guess: threshold", id="strategy"),
        pytest.param(
            ["calibrate", "--out", "x", "--critical", "pot:risk=9"], "to 0.5", id="option"
        ),
        pytest.param(["calibrate", "--out", "x"], "was not found", id="data absent"),
        pytest.param(["export", "--artifact", "nope", "--out", "x"], "No artifact", id="artifact"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    result = RUN.invoke(app, [*arguments, "--data-dir", str(data)])

    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_model_without_network_has_nothing_to_export(data: Path, tmp_path: Path) -> None:
    folder = train(data, tmp_path / "row", "--model", "last_row")

    result = RUN.invoke(app, ["export", "--artifact", str(folder), "--out", str(tmp_path / "x")])

    assert result.exit_code == 2
    assert "has no network" in result.output
