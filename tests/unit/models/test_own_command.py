"""``surgeline train`` on somebody's own file, from its text to an artifact that scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from common.machines.rows import as_rows
from common.readers.roles import Roles
from common.recording import Recording
from deploy.commands import app
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact, load_artifact
from models.cli.own_recording import Health, read_own
from models.evaluation.batch_path import score_record
from tests.support.own_pumps import PUMP, PUMP_TOML, START_S, pump, pumps, write_pumps

RUN = CliRunner()
NAN = np.nan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine type and the readings of two healthy pumps, and of two that break."""
    folder = tmp_path_factory.mktemp("pumps")
    (folder / "pump.toml").write_text(PUMP_TOML, encoding="utf-8")
    write_pumps(pumps(2), folder / "healthy.csv")
    broken = Recording("broken", PUMP, [pump(1, fault_from=300), pump(2, fault_from=300)], "")
    write_pumps(broken, folder / "broken.csv", np.arange(400) >= 300)
    return folder


def train(folder: Path, out: Path, *options: str, file: str = "healthy.csv") -> str:
    """Run the command and return what it printed."""
    own = ["--machine", str(folder / "pump.toml"), "--data", str(folder / file)]
    result = RUN.invoke(app, ["train", *own, "--out", str(out), "--no-track", *options])
    assert result.exit_code == 0, result.output
    return result.output


def refusal(*arguments: str) -> str:
    """Return what a refused command said, in one line."""
    result = RUN.invoke(app, [*arguments])
    assert result.exit_code == 2, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    out = tmp_path_factory.mktemp("models") / "mine"
    said = train(folder, out)
    assert "healthy (own data, 2 assets), 800 rows (800 healthy, 0 faulty), split by time" in said
    assert "No fault is known" in said
    return load_artifact(str(out))


def test_it_needs_no_label_and_names_the_machine_type(trained: Artifact) -> None:
    manifest = trained.manifest

    assert (manifest.name, manifest.machine) == ("pump", PUMP)
    assert manifest.score.name == "nearest_healthy"
    assert manifest.network is None
    assert manifest.thresholds.critical.value > manifest.thresholds.warning.value
    assert len(manifest.training.data_sha256) == 64


def test_it_opens_and_tells_a_broken_pump_from_a_sound_one(trained: Artifact) -> None:
    scorer = open_scorer(trained)
    broken = pump(1, seed=8, fault_from=300)

    scores = score_record(scorer, broken.cycles, as_rows(broken.values(PUMP))).scores

    assert (scores[:281] < scorer.spec.thresholds.critical).all()
    assert (scores[-60:] >= scorer.spec.thresholds.critical).all()


@pytest.mark.parametrize("model", ["iforest_rolling", "pca_rolling"])
def test_a_forest_and_a_pca_of_rolling_features_find_a_broken_pump(
    folder: Path, tmp_path: Path, model: str
) -> None:
    train(folder, tmp_path, "--model", model)
    scorer = open_scorer(load_artifact(str(tmp_path)))
    record = pump(1, seed=8, fault_from=300)

    scores = score_record(scorer, record.cycles, as_rows(record.values(PUMP))).scores

    assert (scores[:281] < scorer.spec.thresholds.critical).mean() > 0.99
    assert (scores[-60:] >= scorer.spec.thresholds.critical).all()


def test_a_label_lets_thresholds_be_chosen_by_faults(folder: Path, tmp_path: Path) -> None:
    said = train(folder, tmp_path / "m", "--label-column", "broken", file="broken.csv")

    manifest = load_artifact(str(tmp_path / "m")).manifest
    assert manifest.thresholds.critical.strategy == "best_f1"
    assert manifest.training.own is not None
    assert manifest.training.own.faulty_rows == 200
    assert "No fault is known" not in said


def test_readings_after_a_time_are_not_learned_from(folder: Path, tmp_path: Path) -> None:
    last = np.datetime64(START_S + 299, "s").item().isoformat(" ")

    train(folder, tmp_path / "m", "--healthy-until", last, file="broken.csv")

    own = load_artifact(str(tmp_path / "m")).manifest.training.own
    assert own is not None
    assert (own.rows, own.healthy_rows, own.faulty_rows) == (800, 600, 0)


def test_the_file_is_read_as_it_was_written(folder: Path) -> None:
    read, _ = read_own(PUMP, [folder / "healthy.csv"], Health(), Roles())

    assert [record.asset_id for record in read.assets] == ["pump-1", "pump-2"]
    for mine, theirs in zip(pumps(2).assets, read.assets, strict=True):
        assert np.array_equal(mine.cycles, theirs.cycles)
        assert np.array_equal(mine.channels, theirs.channels)
        assert theirs.healthy is theirs.faulty is None


def test_semicolons_blanks_and_a_file_per_asset_are_read(tmp_path: Path) -> None:
    head = "time;Flow Rate;Pressure;Motor Temperature;Spare"
    for name in ("north", "south"):
        rows = ["2026-01-01 00:00:01;5;;7;8", "2026-01-01 00:00:00;1;2;3;4"]
        (tmp_path / f"{name}.csv").write_text("\n".join([head, *rows]), encoding="utf-8")

    paths = [tmp_path / "north.csv", tmp_path / "south.csv"]

    read, remarks = read_own(PUMP, paths, Health(), Roles())

    assert any("taken as UTC" in each for each in remarks)

    assert [record.asset_id for record in read.assets] == ["north", "south"]
    first = read.assets[0]
    assert np.diff(first.cycles).tolist() == [1]
    np.testing.assert_array_equal(first.channels, [[1, 2, 3, 4], [5, NAN, 7, 8]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--machine", "turbofan"], "without --data", id="no data"),
        pytest.param(["--data", "x.csv"], "without --machine", id="no machine type"),
        pytest.param(
            ["--machine", "turbofan", "--data", "x.csv", "--dataset", "FD001"],
            "one of the two",
            id="two kinds of data",
        ),
        pytest.param(["--healthy-until", "3"], "of your own data", id="of no data"),
        pytest.param(
            ["--machine", "turbofan", "--data", "x.csv", "--healthy-until", "3",
             "--label-column", "y"],
            "one of the two",
            id="two ways to say what is healthy",
        ),
        pytest.param(
            ["--machine", "turbofan", "--data", "x.csv", "--track"], "tracked yet", id="tracked"
        ),
        pytest.param(
            ["--machine", "turbofan", "--data", "nowhere.csv"], "was not found", id="no file"
        ),
        pytest.param(
            ["--machine", "turbofun", "--data", "x.csv"], "No machine type", id="no such type"
        ),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert message in refusal("train", "--out", str(tmp_path / "m"), *arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--model", "auto"], "'nearest_healthy' needs none", id="auto"),
        pytest.param(["--critical", "best_f1"], "known to be faulty", id="best_f1"),
        pytest.param(["--split", "asset"], "2 assets came; at least 5", id="too few assets"),
        pytest.param(["--label-column", "broken"], "broken", id="no such label"),
        pytest.param(["--healthy-until", "soon"], "a time such as", id="no time"),
        pytest.param(
            ["--healthy-until", "2000-01-01"], "0 are healthy; 0 healthy rows", id="none healthy"
        ),
    ],
)
def test_what_the_data_do_not_have_is_refused(
    folder: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    own = ["--machine", str(folder / "pump.toml"), "--data", str(folder / "healthy.csv")]

    assert message in refusal("train", *own, "--out", str(tmp_path / "m"), *options)


@pytest.mark.parametrize("command", ["calibrate", "card"])
def test_commands_that_need_a_c_mapss_file_say_so(
    folder: Path, tmp_path: Path, command: str
) -> None:
    train(folder, tmp_path / "mine")
    out = ["--out", str(tmp_path / "other")]

    said = refusal(command, "--artifact", str(tmp_path / "mine"), *out)

    assert "healthy (own data, 2 assets); this command knows C-MAPSS files alone" in said


def test_a_short_recording_says_how_much_more_is_needed(folder: Path, tmp_path: Path) -> None:
    short = replace(pumps(1), assets=[pump(1, rows=110)])
    write_pumps(short, tmp_path / "short.csv")

    said = refusal(
        "train", "--machine", str(folder / "pump.toml"), "--data", str(tmp_path / "short.csv"),
        "--out", str(tmp_path / "m"),
    )  # fmt: skip

    assert "110 usable rows of 1 asset" in said
    assert "69 healthy windows of 20 readings came to fit on; 100 are needed" in said
