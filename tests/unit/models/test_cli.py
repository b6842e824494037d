from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from common.terminal.extras import how_to_install
from deploy.commands import app
from models.artifact.store import load_artifact
from models.cli.evaluate import evaluate
from models.cli.train import train
from models.training.catalogue import BASELINES
from models.training.config import TrainingConfig
from tests.support.artifacts import heldout_metrics
from tests.support.fleets import cut_short, fleet, write_fleet

RUN = CliRunner()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_fleet(fleet(), folder)
    write_fleet(cut_short(fleet(seed=1), np.array([5, 40, 3, 9, 12, 31, 8, 2])), folder)
    return folder


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "mine"
    arguments = ["train", "--dataset", "TOY", "--out", str(out), "--seed", "4", "--epochs", "1"]
    result = RUN.invoke(app, [*arguments, "--data-dir", str(data)])
    assert result.exit_code == 0, result.output
    assert "44,510 parameters" in result.output
    assert "1/1 epochs" in result.output
    return out


def test_train_writes_an_artifact_that_loads(trained: Path) -> None:
    manifest = load_artifact(str(trained)).manifest

    assert manifest.name == "toy"
    assert manifest.training.seed == 4
    assert manifest.network is not None
    assert manifest.network.parameters == 44_510


@pytest.mark.parametrize(
    ("split", "engines"), [pytest.param("heldout", "7-8"), pytest.param("test", "1-8")]
)
def test_evaluate_shows_the_model_beside_the_baselines(
    data: Path, trained: Path, tmp_path: Path, split: str, engines: str
) -> None:
    path = tmp_path / "report.json"
    arguments = ["evaluate", "--dataset", "TOY", "--split", split, "--artifact", str(trained)]

    result = RUN.invoke(app, [*arguments, "--data-dir", str(data), "--json", str(path)])

    assert result.exit_code == 0, result.output
    report = json.loads(path.read_text())
    assert (report["default"], report["split"], report["engines"]) == ("toy", split, engines)
    assert next(iter(report["models"])) == "toy"
    assert set(BASELINES) < set(report["models"])
    for name, metrics in report["models"].items():
        assert name in result.output
        assert 0.5 < metrics["auc"] <= 1
        assert metrics["critical"]["threshold"] >= metrics["warning"]["threshold"]
    assert report["artifact"]["parameters"] == 44_510
    assert "44,510 parameters" in result.output
    assert "best baseline" in result.output
    assert "proxy" in result.output
    assert report["published_data"] is False
    assert "simulated or altered data" in result.output


def test_evaluating_heldout_engines_gives_the_manifest_s_metrics(
    data: Path, trained: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    arguments = ["evaluate", "--dataset", "TOY", "--artifact", str(trained)]

    RUN.invoke(app, [*arguments, "--data-dir", str(data), "--json", str(path)])

    report = json.loads(path.read_text())
    stated = heldout_metrics(load_artifact(str(trained)))
    assert report["models"]["toy"] == stated.model_dump(mode="json")


def test_evaluate_trains_over_seeds_and_shows_the_spread(
    data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "models.training.networks.loop.TrainingConfig", partial(TrainingConfig, epochs=1)
    )
    path = tmp_path / "report.json"
    arguments = ["evaluate", "--dataset", "TOY", "--artifact", str(trained), "--seeds", "2"]

    result = RUN.invoke(app, [*arguments, "--data-dir", str(data), "--json", str(path)])

    assert result.exit_code == 0, result.output
    spread = json.loads(path.read_text())["seeds"]
    assert spread["seeds"] == [0, 1]
    first, second = spread["warning_threshold"]["values"]
    assert first != second
    assert spread["warning_threshold"]["mean"] == pytest.approx((first + second) / 2)
    assert spread["warning_threshold"]["sd"] == pytest.approx(abs(first - second) / 2**0.5)
    assert "mean ± sd" in result.output
    assert spread["parameters"]["values"] == [44_510, 44_510]
    assert 0 <= spread["mse_auc"]["mean"] <= 1
    assert spread["mse_warning_threshold"]["mean"] > 0


def test_another_data_set_than_the_artifact_s_is_pointed_out(data: Path) -> None:
    result = RUN.invoke(app, ["evaluate", "--dataset", "TOY", "--data-dir", str(data)])

    assert result.exit_code == 0, result.output
    assert "was trained on FD001" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["train", "--dataset", "FD009"], "was not found", id="no such data"),
        pytest.param(["train", "--name", "no spaces"], "Choose another with --name", id="name"),
        pytest.param(["train", "--out", "FILE/x"], "Choose another folder", id="folder"),
        pytest.param(["evaluate", "--artifact", "nope"], "No artifact 'nope'", id="artifact"),
        pytest.param(
            ["evaluate", "--dataset", "TOY", "--json", "FILE/x.json"],
            "cannot be written",
            id="json",
        ),
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
    Path("FILE").write_text("")

    result = RUN.invoke(app, [*arguments, "--data-dir", str(data)])

    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_missing_library_names_the_extra(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    result = RUN.invoke(app, [command])

    assert result.exit_code == 2
    assert how_to_install("train") in " ".join(result.output.split())


def test_the_commands_can_be_mounted_elsewhere() -> None:
    root = typer.Typer()
    root.command()(train)
    root.command()(evaluate)

    assert RUN.invoke(root, ["train", "--help"]).exit_code == 0
    assert "--seeds" in RUN.invoke(root, ["evaluate", "--help"], env={"COLUMNS": "200"}).output
