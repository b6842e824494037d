"""Against a real `mlflow server` with a SQLite file: tracked, promoted, refused, loaded by URL."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common.cmapss.reader import Dataset
from common.errors import ArtifactError
from common.records.verdicts import Verdict
from deploy.commands import app
from deploy.local.programs import LOOPBACK, answers, free_port
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact
from models.tracking.resolve import registry_folder
from producer.simulator.simulate import simulate
from tests.support.detector import DetectorBench
from tests.support.fleet_messages import fleet_messages
from tests.support.fleets import write_fleet
from tests.support.servers.backends import require, wait_until

RUN = CliRunner()
SERVER_MODULES = ("mlflow", "flask", "flask_cors", "pandas", "sqlalchemy", "alembic")


QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def need(*modules: str) -> None:
    """Skip, or fail in CI, where a library is missing."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        require(f"MLflow needs {', '.join(missing)} here: make setup")


@pytest.fixture(autouse=True, scope="module")
def quiet_mlflow() -> None:
    """MLflow is there, and sends nothing to its makers from this process either."""
    need("mlflow")
    os.environ.update(QUIET)  # before it is imported; nothing else reads these


@pytest.fixture(scope="module")
def mlflow_server(quiet_mlflow: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real server, on 127.0.0.1, that keeps everything in a folder of this test."""
    need(*SERVER_MODULES)
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "files")]
    log = folder / "log"
    with log.open("wb") as sink:
        # its own session: the server's children end with it
        process = subprocess.Popen(
            command,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **QUIET},
            cwd=folder,
            start_new_session=True,
        )
        try:
            wait_until(
                lambda: answers(port) or process.poll() is not None, f"MLflow on {port}", 90.0
            )
            assert process.poll() is None, log.read_text()[-2000:]
            yield f"http://{LOOPBACK}:{port}"
        finally:
            os.killpg(process.pid, 9)
            process.wait()


def engines(count: int) -> Dataset:
    """Engines that a worker takes for turbofans, as a training file."""
    return replace(simulate(count, seed=2, split="train"), name="TOY")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_fleet(engines(10), folder)
    return folder


@pytest.fixture
def tracking(
    mlflow_server: str,
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Path:
    """Settings that lead to the server, under names of this test's own; the cache's folder."""
    # the test's own name keeps it apart from the others on the same server
    name = re.sub(r"\W+", "-", request.node.name)
    monkeypatch.setenv("SURGELINE_TRACKING__TRACKING_URI", mlflow_server)
    monkeypatch.setenv("SURGELINE_TRACKING__EXPERIMENT", name)
    monkeypatch.setenv("SURGELINE_TRACKING__CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SURGELINE_DATA_DIR", str(data))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def run(*arguments: str, code: int = 0) -> Result:
    result = RUN.invoke(app, [*arguments], env={"COLUMNS": "200"})
    assert result.exit_code == code, result.output
    return result


def train(out: str, *more: str) -> str:
    """Train tiny and tracked; return the run's id."""
    result = run("train", "--dataset", "TOY", "--out", out, "--epochs", "2", "--track", *more)
    found = re.search(r"tracked as\s+(\w+)", result.output)
    assert found, result.output
    return found[1]


def test_a_run_is_tracked_promoted_defended_and_loaded_by_url(
    tracking: Path, mlflow_server: str
) -> None:
    from mlflow import MlflowClient

    good, worse = train("good", "--model", "input_trend"), train("worse", "--model", "pca_spe")
    client = MlflowClient(mlflow_server, mlflow_server)
    kept = client.get_run(good)
    assert kept.info.status == "FINISHED"
    assert kept.data.params["score"] == "input_trend"
    assert kept.data.metrics["validation.auc"] > 0.9
    assert {"heldout.auc", "heldout.critical.f1"} <= kept.data.metrics.keys()
    files = [item.path for item in client.list_artifacts(good, "artifact")]
    assert files == ["artifact/confidence.json", "artifact/manifest.json"]
    assert [item.path for item in client.list_artifacts(good, "report")] == ["report/report.html"]

    promoted = run("promote", "--run-id", good)
    assert "models:/surgeline@production is version 1, the first" in promoted.output
    again = run("promote", "--artifact", "good")
    assert "This is version 1, in production already." in again.output

    refused = run("promote", "--run-id", worse, code=1)
    assert "gate: critical.caught" in refused.output
    assert "refused: production stays as it is." in refused.output

    folder = load_artifact("./good")
    by_url = load_artifact("models:/surgeline@production", registry_folder)
    assert by_url == folder
    assert open_scorer(by_url).spec.ref.sha256 == folder.sha256
    assert sorted(path.name for path in tracking.iterdir()) == [folder.sha256]

    forced = run("promote", "--run-id", worse, "--force-reason", "to see the way back")
    assert "is version 2, after version 1 (forced: to see the way back)" in forced.output
    in_production = load_artifact("models:/surgeline@production", registry_folder)
    assert in_production == load_artifact("./worse")
    assert load_artifact("models:/surgeline/1", registry_folder) == folder
    version = client.get_model_version_by_alias("surgeline", "production")
    assert version.tags["surgeline.force_reason"] == "to see the way back"
    assert version.tags["surgeline.gate"] == "forced"


def test_a_network_s_losses_are_kept_pass_by_pass(
    tracking: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("SURGELINE_TRACKING__REPORT", "false")

    run_id = train("net", "--model", "mse")

    client = MlflowClient(mlflow_server, mlflow_server)
    losses = client.get_metric_history(run_id, "epoch_train_loss")
    assert [point.step for point in losses] == [1, 2]
    assert losses[1].value == pytest.approx(client.get_run(run_id).data.metrics["train_loss"])
    names = {item.path for item in client.list_artifacts(run_id, "artifact")}
    assert names == {"artifact/confidence.json", "artifact/manifest.json", "artifact/model.onnx"}
    assert client.list_artifacts(run_id, "report") == []


def test_a_file_changed_on_the_server_is_not_loaded(
    tracking: Path, mlflow_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("SURGELINE_TRACKING__REPORT", "false")
    monkeypatch.setenv("SURGELINE_TRACKING__MODEL_NAME", "tampered")
    run_id = train("mine", "--model", "input_mse")
    run("promote", "--run-id", run_id)
    manifest = Path("mine/manifest.json")
    manifest.write_text(manifest.read_text().replace('"seed": 0', '"seed": 1'))
    MlflowClient(mlflow_server, mlflow_server).log_artifact(run_id, str(manifest), "artifact")

    with pytest.raises(ArtifactError, match="changed or damaged"):
        load_artifact("models:/tampered@production", registry_folder)


@pytest.mark.parametrize("damage", ["changed", "gone"])
# MLflow's own use of SQLAlchemy 2.1
@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")
def test_a_reason_replaces_a_damaged_production(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setenv("SURGELINE_TRACKING__REPORT", "false")
    monkeypatch.setenv("SURGELINE_DATA_DIR", str(data))
    # MLflow keeps a store open by its address: one of this test's own
    monkeypatch.setenv("SURGELINE_TRACKING__TRACKING_URI", f"sqlite:///{tmp_path}/var/mlflow.db")
    monkeypatch.chdir(tmp_path)
    run("promote", "--run-id", train("mine", "--model", "input_mse"))
    (kept,) = tmp_path.glob("var/mlflow-artifacts/**/manifest.json")
    if damage == "changed":
        kept.write_text(kept.read_text().replace('"seed": 0', '"seed": 1'))
    else:
        shutil.rmtree(kept.parent)
    shutil.rmtree("var/models", ignore_errors=True)

    refused = run("promote", "--artifact", "./mine", code=1)
    forced = run("promote", "--artifact", "./mine", "--force-reason", "its files are damaged")

    assert ("cannot be loaded" if damage == "changed" else "MLflow at") in refused.output
    assert "is version 2, after version 1 (forced: its files are damaged)" in forced.output
    assert load_artifact("models:/surgeline@production", registry_folder) == load_artifact("./mine")


async def test_the_detector_scores_with_what_is_in_production(
    tracking: Path, mlflow_server: str, bench: DetectorBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURGELINE_TRACKING__REPORT", "false")
    monkeypatch.setenv("SURGELINE_TRACKING__MODEL_NAME", "live")
    run("promote", "--run-id", train("mine", "--model", "input_mse"))
    messages = fleet_messages(engines(1), "run-1")

    with bench.running(
        SURGELINE_DETECTOR__ARTIFACT="models:/live@production",
        SURGELINE_TRACKING__TRACKING_URI=mlflow_server,
        SURGELINE_TRACKING__MODEL_NAME="live",
        SURGELINE_TRACKING__CACHE_DIR=str(tracking),
    ):
        await bench.send(messages)
        await bench.settled()

    promoted = load_artifact("./mine")
    scored = [verdict for verdict in await bench.verdicts() if verdict.status is Verdict.SCORED]
    model = promoted.ref
    assert {verdict.model for verdict in scored} == {f"{model.name}@{model.version}"}
    assert (tracking / promoted.sha256 / "manifest.json").is_file()
    thresholds = promoted.manifest.thresholds
    assert {verdict.warning_threshold for verdict in scored} == {thresholds.warning.value}


def test_a_url_without_a_model_says_what_to_do(
    tracking: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURGELINE_TRACKING__MODEL_NAME", "nothing-here")

    with pytest.raises(ArtifactError, match="surgeline promote"):
        load_artifact("models:/nothing-here@production", registry_folder)
    refused = run("promote", "--run-id", "0" * 32, code=2)
    assert "No run" in refused.output


# MLflow's own use of SQLAlchemy 2.1
@pytest.mark.filterwarnings("ignore:The ``noload`` loader:DeprecationWarning")
def test_a_sqlite_file_serves_without_a_server(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURGELINE_TRACKING__REPORT", "false")
    monkeypatch.setenv("SURGELINE_DATA_DIR", str(data))
    monkeypatch.chdir(tmp_path)

    run("promote", "--run-id", train("mine", "--model", "input_mse"))

    assert load_artifact("models:/surgeline@production", registry_folder) == load_artifact("./mine")
    assert sorted(path.name for path in Path("var").iterdir()) == [
        "mlflow-artifacts",
        "mlflow.db",
        "models",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "var"]


def test_a_server_that_is_not_there_is_told_before_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURGELINE_TRACKING__TRACKING_URI", f"http://{LOOPBACK}:{free_port()}")
    monkeypatch.setenv("SURGELINE_DATA_DIR", str(data))

    failed = run("train", "--dataset", "TOY", "--out", str(tmp_path / "mine"), "--track", code=1)

    assert failed.output.startswith("failed: MLflow at http://127.0.0.1:")
    assert not (tmp_path / "mine").exists()
