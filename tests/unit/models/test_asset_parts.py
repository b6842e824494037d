"""One artifact with a part for each asset: written, opened lazily, refused where it is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from common.errors import ArtifactError
from common.fleets import load_fleets
from common.readers.telemetry import as_recording
from common.recording import Recording
from common.settings import Settings
from common.telemetry.streams import load_streams
from deploy.commands import app
from models.artifact.asset_parts import ABOUT_FILE, PARTS_FILE, SHARED_FILE, AssetParts
from models.artifact.store import load_artifact
from models.training.catalogue import LSTM_FORECASTER
from models.training.config import TrainingConfig
from models.training.series.artifact import PartScorer, train_parts
from models.training.series.catalogue import SERIES_MODELS
from models.training.series.network import SharedNetwork, Tuning, train_shared
from models.training.series.part import fit_part, past_scores, score_rows
from models.training.series.threshold import DEFAULT_RULE
from tests.support.telemetry import write_telemetry

NAMES = {"A-1": "SMAP", "P-2": "SMAP", "Q-3": "SMAP"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_telemetry(tmp_path_factory.mktemp("data") / "smap_msl", NAMES)


@pytest.fixture(scope="module")
def train(data_dir: Path) -> Recording:
    return as_recording(load_streams(data_dir, "SMAP", "train"))


@pytest.fixture(scope="module")
def test(data_dir: Path) -> Recording:
    return as_recording(load_streams(data_dir, "SMAP", "test"))


@pytest.fixture(scope="module")
def network(train: Recording) -> SharedNetwork:
    config = TrainingConfig(epochs=1, hidden=4, latent=2)
    return train_shared(train.machine, train.assets, config)


@pytest.mark.parametrize("name", ["three_views", "lstm_tuned", "lstm_topk", "lstm_forecast"])
def test_an_opened_artifact_scores_as_what_was_fitted(
    name: str, train: Recording, test: Recording, network: SharedNetwork, tmp_path: Path
) -> None:
    model = SERIES_MODELS[name]
    used = None if name == "three_views" else network
    if model.network == LSTM_FORECASTER:
        config = TrainingConfig(epochs=1, hidden=4)
        used = train_shared(train.machine, train.assets, config, kind=model.network)
    tune = Tuning(train.machine, used).of(model.shared)

    about = train_parts(train, "it", model, used, tmp_path)
    scorer = PartScorer.open(tmp_path)

    assert sorted(about.parts) == sorted(NAMES)
    assert about.final_after == train.machine.window.length - 1
    for record, later in zip(train.assets, test.assets, strict=True):
        fitted = fit_part(model, train.machine, record, tune)
        expected = score_rows(model, train.machine, fitted, later)
        found = scorer.score(later)
        assert found is not None
        np.testing.assert_array_equal(found.provisional, expected.provisional)
        np.testing.assert_array_equal(found.final, expected.final)
        past = past_scores(model, train.machine, record, tune).final
        np.testing.assert_allclose(scorer.past(record.asset_id), past, rtol=1e-6)


def test_the_same_training_gives_the_same_bytes(train: Recording, tmp_path: Path) -> None:
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        train_parts(train, "it", SERIES_MODELS["difference"], None, folder)

    for file in (ABOUT_FILE, PARTS_FILE):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()


def test_parts_are_read_when_asked_for_and_few_stay(train: Recording, tmp_path: Path) -> None:
    train_parts(train, "it", SERIES_MODELS["difference"], None, tmp_path)

    parts = AssetParts(tmp_path, most=2)
    before = parts.in_memory
    for name in NAMES:
        assert parts.of(name) is not None

    assert before == 0
    assert parts.in_memory == 2


def test_an_asset_without_a_part_has_no_score(
    train: Recording, test: Recording, tmp_path: Path
) -> None:
    some = Recording(train.name, train.machine, train.assets[:1], train.sha256)
    train_parts(some, "it", SERIES_MODELS["difference"], None, tmp_path)

    scorer = PartScorer.open(tmp_path)

    assert scorer.score(test.assets[0]) is not None
    assert scorer.score(test.assets[1]) is None
    assert len(scorer.past("P-2")) == 0


def spoil(folder: Path, file: str) -> None:
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / file).write_bytes(bytes(content))


def edit(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    said = json.loads((folder / ABOUT_FILE).read_text())
    change(said)
    (folder / ABOUT_FILE).write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(lambda f: spoil(f, SHARED_FILE), "not what assets.json expects", id="shared"),
        pytest.param(lambda f: (f / PARTS_FILE).unlink(), "cannot be read", id="no parts"),
        pytest.param(lambda f: (f / ABOUT_FILE).unlink(), "cannot be read", id="nothing said"),
        pytest.param(lambda f: (f / ABOUT_FILE).write_text("{}"), "is refused", id="empty"),
        pytest.param(
            lambda f: edit(f, lambda said: said.update(score="guess")), "'guess' is unknown",
            id="score",
        ),
        pytest.param(
            lambda f: edit(f, lambda said: said.update(score="window_pca")), "lacks basis",
            id="another score",
        ),
        pytest.param(
            lambda f: edit(f, lambda said: said["parts"].update({"A-1": "0" * 64})),  # type: ignore[attr-defined]
            "changed or damaged", id="sum",
        ),
        pytest.param(
            lambda f: edit(f, lambda said: said.update(more=1)), "more: Extra", id="unknown field"
        ),
    ],
)  # fmt: skip
def test_an_artifact_that_is_damaged_is_refused(
    damage: Callable[[Path], object],
    told: str,
    train: Recording,
    network: SharedNetwork,
    tmp_path: Path,
) -> None:
    train_parts(train, "it", SERIES_MODELS["lstm_tuned"], network, tmp_path)
    damage(tmp_path)

    with pytest.raises(ArtifactError, match=told):
        PartScorer.open(tmp_path).part("A-1")


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["train", *words], env={"COLUMNS": "200"})
    return result.exit_code, " ".join(result.output.split())


def test_the_command_trains_a_part_for_each_stream(data_dir: Path, tmp_path: Path) -> None:
    code, output = run("--dataset", "SMAP", "--data-dir", str(data_dir), "--out", str(tmp_path))

    assert code == 0, output
    assert "parts 3 assets" in output
    assert "final 99 readings later" in output
    assert PartScorer.open(tmp_path).parts.about.model == "three_views"


def test_one_model_for_all_streams_is_one_that_workers_load(data_dir: Path, tmp_path: Path) -> None:
    code, output = run(
        "--dataset", "SMAP", "--one-for-all", "--data-dir", str(data_dir), "--out", str(tmp_path),
        "--no-track", "--folds", "0",
    )  # fmt: skip

    assert code == 0, output
    manifest = load_artifact(str(tmp_path)).manifest
    assert manifest.score.name == "three_views"
    assert manifest.machine.name == "smap"


def test_somebodys_own_recording_gets_the_same_scores(tmp_path: Path) -> None:
    times = [f"2026-01-{1 + row // 1440:02d} {row // 60 % 24:02d}:{row % 60:02d}:00"
             for row in range(600)]  # fmt: skip
    wave = np.sin(np.arange(600) / 8)
    lines = [f"{at},pump-1,{value:.6f}" for at, value in zip(times, wave, strict=True)]
    (tmp_path / "own.csv").write_text("time,asset,flow\n" + "\n".join(lines))
    (tmp_path / "own.toml").write_text(
        'name = "own"\n[step]\nclock = "time"\ninterval_s = 60\n[window]\nlength = 30\n'
        '[[channel]]\nname = "flow"\n'
    )
    own = ["--machine", str(tmp_path / "own.toml"), "--data", str(tmp_path / "own.csv")]

    code, output = run(*own, "--per-asset", "--out", str(tmp_path / "out"), "--no-track")

    assert code == 0, output
    assert PartScorer.open(tmp_path / "out").part("pump-1") is not None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--dataset", "SMAP,MSL", "--one-for-all"], "with --one-for-all one of them was expected"),
        (["--dataset", "SMAP", "--model", "rolling_z"], "--model rolling_z came"),
        (["--dataset", "SMAP", "--finetune", "--model", "difference"], "lstm_tuned, lstm_topk"),
        (["--dataset", "FD001", "--finetune"], "it is of models with a part for each asset"),
        (["--per-asset"], "without --machine and --data"),
    ],
)
def test_what_cannot_be_trained_is_a_users_mistake(
    words: list[str], told: str, data_dir: Path, tmp_path: Path
) -> None:
    code, output = run(*words, "--data-dir", str(data_dir), "--out", str(tmp_path / "out"))

    assert code == 2
    assert told in output
    assert "Traceback" not in output


def test_both_data_sets_at_once_and_the_file_of_fleets_they_serve(tmp_path: Path) -> None:
    data = write_telemetry(tmp_path / "smap_msl", {"A-1": "SMAP", "C-1": "MSL"})
    words = ["--dataset", "SMAP,MSL", "--data-dir", str(data), "--out", str(tmp_path)]

    code, output = run(*words, "--model", "difference")
    refused = run(*words, "--name", "mine")

    assert code == 0, output
    fleets = load_fleets(Settings(fleets=tmp_path / "telemetry.toml"))
    assert {"default", "FD001", "SMAP", "MSL"} <= set(fleets)
    assert fleets["MSL"].alarm.on_delay_cycles == DEFAULT_RULE.clean_up.min_length
    assert fleets["MSL"].alarm.merge_gap_cycles == DEFAULT_RULE.clean_up.merge_gap
    opened = [PartScorer.open(Path(fleets[name].artifact)) for name in ("SMAP", "MSL")]
    assert [list(each.parts.about.parts) for each in opened] == [["A-1"], ["C-1"]]
    assert refused[0] == 2
    assert "--name came with --dataset SMAP,MSL" in refused[1]
