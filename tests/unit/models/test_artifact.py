from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import ArtifactError
from common.machines.turbofan import TURBOFAN
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact, load_artifact, save_artifact, shipped_names
from tests.support.artifacts import edit_manifest

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def folder(artifact: Artifact, tmp_path: Path) -> Path:
    save_artifact(artifact, tmp_path / "toy")
    return tmp_path / "toy"


def test_an_artifact_survives_saving_and_loading(artifact: Artifact, folder: Path) -> None:
    assert load_artifact(str(folder)) == artifact


def test_its_name_is_the_digest_of_its_manifest(artifact: Artifact, folder: Path) -> None:
    on_disk = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()

    assert artifact.ref.sha256 == on_disk
    assert (artifact.ref.name, artifact.ref.version) == ("toy", artifact.manifest.version)


def as_layout_2(content: dict[str, Any]) -> None:
    machine = content.pop("machine")
    content["schema_version"] = 2
    content["channels"] = [part["name"] for part in machine["channel"] if part["used"]]
    content["window_length"] = machine["window"]["length"]


def test_the_layout_before_reads_as_a_turbofan_and_keeps_its_digest(
    artifact: Artifact, folder: Path, tmp_path: Path
) -> None:
    edit_manifest(folder, as_layout_2)
    written = (folder / "manifest.json").read_bytes()

    loaded = load_artifact(str(folder))
    save_artifact(loaded, tmp_path / "again")

    kept = {"version": loaded.manifest.version, "channel": None, "life": None}
    assert loaded.manifest == artifact.manifest.model_copy(update=kept)
    assert loaded.manifest.machine == TURBOFAN
    assert loaded.sha256 == hashlib.sha256(written).hexdigest() != artifact.sha256
    assert (tmp_path / "again" / "manifest.json").read_bytes() == written
    assert load_artifact(str(tmp_path / "again")) == loaded


@pytest.mark.parametrize(
    "channels", [[], ["T30", "T24"], ["T24", "T24"], ["T24", "T99"], "T24", None]
)
def test_channels_that_no_turbofan_has_in_this_order_are_refused(
    folder: Path, channels: object
) -> None:
    edit_manifest(folder, as_layout_2)
    edit_manifest(folder, lambda m: m.update(channels=channels))

    with pytest.raises(ArtifactError, match="surgeline train"):
        load_artifact(str(folder))


def test_the_folder_holds_three_files_and_nothing_executable(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "confidence.json", "manifest.json", "model.onnx",
    ]  # fmt: skip


def test_the_manifest_tells_where_the_artifact_comes_from(artifact: Artifact) -> None:
    training = artifact.manifest.training

    assert (training.dataset, training.data_sha256, training.seed) == ("TOY", "0" * 64, 3)
    assert (training.fit.last, training.validate_.first) == (5, 6)
    assert training.config["epochs"] == 2
    assert artifact.manifest.thresholds.warning.strategy == "asset_budget"
    assert artifact.manifest.thresholds.warning.options == {"alpha": 0.1429}
    assert artifact.manifest.thresholds.critical.strategy == "best_f1"


def set_score(content: dict[str, Any]) -> None:
    content["score"]["name"] = "vibes"


TAMPERED: list[Any] = [
    pytest.param(lambda m: m.update(schema_version=5), "schema_version", id="later layout"),
    pytest.param(lambda m: m.update(extra=1), "extra", id="unknown field"),
    pytest.param(lambda m: m.pop("score"), "score", id="missing part"),
    pytest.param(set_score, "'vibes' is unknown; this version has mse", id="unknown score"),
    pytest.param(lambda m: m["machine"]["channel"].pop(), "14 means", id="a channel too few"),
    pytest.param(
        lambda m: m["machine"]["condition"].pop(), "3 tolerances; 2", id="a condition too few"
    ),
    pytest.param(
        lambda m: m["machine"]["channel"][0].update(unit=7), "channel.0.unit", id="no unit"
    ),
    pytest.param(
        lambda m: m["machine"]["channel"][1].update(name="T2"), "T2 came twice", id="channel twice"
    ),
    pytest.param(
        lambda m: m["normalisation"]["regimes"][0]["sd"].__setitem__(3, 0.0), "sd.3", id="sd zero"
    ),
    pytest.param(lambda m: m["normalisation"].update(regimes=[]), "regimes", id="no regime"),
    pytest.param(
        lambda m: m["thresholds"]["critical"].update(value=-1.0), "is below warning", id="order"
    ),
    pytest.param(
        lambda m: m["thresholds"]["warning"].update(value="0.5"), "warning.value", id="text"
    ),
    pytest.param(
        lambda m: m["thresholds"]["warning"].update(value=float("nan")), "warning.value", id="nan"
    ),
    pytest.param(lambda m: m.update(network=None), "needs a network", id="network gone"),
    pytest.param(lambda m: m["score"].update(name="last_row"), "uses no network", id="needless"),
    pytest.param(lambda m: m["score"].update(params={"a": [1]}), "with params", id="params"),
    pytest.param(
        lambda m: m["score"].update(arrays={"file": "a.npz", "sha256": "0" * 64}),
        "uses no file of arrays",
        id="needless arrays",
    ),
    pytest.param(lambda m: m["network"].update(precision="fp64"), "precision", id="precision"),
    pytest.param(lambda m: m["network"].update(file="../model.onnx"), "network.file", id="parent"),
    pytest.param(lambda m: m["network"].update(file="/etc/passwd"), "network.file", id="absolute"),
    pytest.param(lambda m: m["network"].update(file="model.pkl"), "network.file", id="pickle"),
    pytest.param(lambda m: m["network"].update(sha256="0" * 64), "was changed", id="digest"),
    pytest.param(lambda m: m["network"].update(file="other.onnx"), "cannot be read", id="absent"),
    pytest.param(lambda m: m.update(name="a b"), "name", id="name"),
]


@pytest.mark.parametrize(("edit", "message"), TAMPERED)
def test_a_manifest_that_does_not_fit_is_refused(folder: Path, edit: Edit, message: str) -> None:
    edit_manifest(folder, edit)

    with pytest.raises(ArtifactError) as caught:
        load_artifact(str(folder))

    assert message in str(caught.value)
    assert "surgeline train" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_changed_byte_of_the_network_is_noticed(folder: Path) -> None:
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(ArtifactError, match="its manifest expects"):
        load_artifact(str(folder))


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need privileges there")
def test_a_link_out_of_the_folder_is_not_followed(folder: Path) -> None:
    outside = folder.parent / "outside.onnx"
    (folder / "model.onnx").rename(outside)
    (folder / "model.onnx").symlink_to(outside)

    with pytest.raises(ArtifactError, match="leads out of the artifact's folder"):
        load_artifact(str(folder))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"\x80\x04\x95", id="a pickle"),
    ],
)
def test_a_manifest_that_is_no_manifest_is_refused(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)

    with pytest.raises(ArtifactError, match="is not a manifest of layout 4"):
        load_artifact(str(folder))


def test_a_huge_file_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.artifact.store.MAX_FILE_BYTES", 100)

    with pytest.raises(ArtifactError, match="at most 100 are accepted"):
        load_artifact(str(folder))


@pytest.mark.parametrize("name", ["", "nothing-here", "fd001/../fd999"])
def test_an_artifact_that_is_not_there_names_those_that_are(name: str) -> None:
    with pytest.raises(ArtifactError, match=r"shipped name \(fd001"):
        load_artifact(name)


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"manifest\.json cannot be read"):
        load_artifact(str(tmp_path))


def test_a_shipped_name_wins_over_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fd001").mkdir()
    monkeypatch.chdir(tmp_path)

    assert load_artifact("fd001").manifest.name == "fd001"
    with pytest.raises(ArtifactError, match="cannot be read"):
        load_artifact("./fd001")


def test_a_network_of_another_shape_is_refused_when_opened(folder: Path) -> None:
    edit_manifest(folder, lambda m: m["machine"]["window"].update(length=20))

    with pytest.raises(ArtifactError, match=r"expects one float 'windows' of shape \(batch, 20"):
        open_scorer(load_artifact(str(folder)))


def test_bytes_that_are_no_network_are_refused_when_opened(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"not a network")
    digest = hashlib.sha256(b"not a network").hexdigest()
    edit_manifest(folder, lambda m: m["network"].update(sha256=digest))

    with pytest.raises(ArtifactError, match="not an ONNX model"):
        open_scorer(load_artifact(str(folder)))


def test_a_folder_that_cannot_be_written_says_so(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ArtifactError, match="Choose another folder"):
        save_artifact(artifact, tmp_path / "file" / "toy")


def test_saving_leaves_other_files_alone(artifact: Artifact, folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")

    save_artifact(artifact, folder)

    assert (folder / "notes.txt").read_text() == "mine"
    assert "fd001" in shipped_names()
