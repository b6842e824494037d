"""Every model by name: trained, saved, loaded, run as the detector runs it."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from common.errors import ArtifactError
from models.artifact.opening import open_scorer
from models.artifact.score_arrays import pack_arrays
from models.artifact.store import Artifact, load_artifact, save_artifact
from models.training.build import build_artifact
from models.training.catalogue import BASELINES, CANDIDATES, MODELS
from models.training.config import TrainingConfig
from models.training.preparation.windows import Prepared, prepare
from models.training.sanity import UnsoundModelError
from tests.support.fleets import fleet

TINY = TrainingConfig(seed=1, epochs=1, hidden=4, latent=2)


CHANGES: Final = ("difference", "lstm_forecast")
"""Look one reading back or ahead: slow wear is no surprise to them."""


@pytest.fixture(scope="module")
def restless() -> Prepared:
    """The made-up fleet, whose readings swing as they wear: its wear is in levels and changes."""
    made = fleet()
    swung = [
        replace(each, sensors=each.sensors * (1 + 0.05 * swing[:, None]))
        for each in made.engines
        for swing in [(-1.0) ** each.cycles * (each.cycles > len(each) - 60)]
    ]
    return prepare(replace(made, engines=tuple(swung)))


@pytest.mark.parametrize("model", CHANGES)
def test_a_model_of_changes_is_refused_for_a_fleet_that_shows_its_wear_in_levels_alone(
    prepared: Prepared, model: str
) -> None:
    with pytest.raises(UnsoundModelError, match="no better than chance"):
        build_artifact(prepared, "toy", TINY, model)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains_saves_loads_and_scores(
    restless: Prepared, tmp_path: Path, model: str
) -> None:
    artifact = build_artifact(restless, "toy", TINY, model)
    save_artifact(artifact, tmp_path)
    loaded = load_artifact(str(tmp_path))
    windows = restless.heldout.windows

    result = open_scorer(loaded).score(windows)

    assert loaded == artifact
    assert (loaded.network is not None) == (model not in BASELINES)
    assert np.isfinite(result.scores).all()
    np.testing.assert_array_equal(result.scores, open_scorer(artifact).score(windows).scores)
    one_by_one = [open_scorer(loaded).score(windows[i : i + 1]).scores[0] for i in (0, 5, 90)]
    np.testing.assert_allclose(result.scores[[0, 5, 90]], one_by_one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", ["iforest", "pca_t2", "patchtst"])
def test_the_same_seed_gives_the_same_artifact(prepared: Prepared, model: str) -> None:
    first, second = (build_artifact(prepared, "toy", TINY, model) for _ in range(2))

    assert first.sha256 == second.sha256
    assert first.arrays == second.arrays


def test_auto_takes_the_best_candidate_and_says_which_there_were(prepared: Prepared) -> None:
    manifest = build_artifact(prepared, "toy", TINY).manifest

    assert manifest.selection is not None
    found = manifest.selection.candidates
    assert set(found) == set(CANDIDATES)
    assert found[manifest.score.name].auc == max(each.auc for each in found.values())
    assert manifest.selection.engines.last == prepared.split.validate.last


@pytest.fixture(scope="module")
def grown(prepared: Prepared) -> Artifact:
    """A forest."""
    return build_artifact(prepared, "toy", TINY, "iforest")


@pytest.fixture
def forest(grown: Artifact, tmp_path: Path) -> Path:
    """The folder of a saved forest, to be tampered with."""
    save_artifact(grown, tmp_path)
    return tmp_path


def replace_arrays(folder: Path, content: bytes) -> None:
    """Swap the file and make the manifest's digest fit, as whoever tampers would."""
    (folder / "arrays.npz").write_bytes(content)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["score"]["arrays"]["sha256"] = hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(manifest))


def pickled() -> bytes:
    content = io.BytesIO()
    np.savez(content, roots=np.array([{"a": 1}], dtype=object))
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04 not an archive", id="no archive"),
        pytest.param(pickle.dumps({"roots": 1}), id="a pickle"),
        pytest.param(pickled(), id="an archive of pickles"),
        pytest.param(pack_arrays({"roots": np.zeros(1, np.int32)}), id="arrays missing"),
        pytest.param(
            pack_arrays(
                {
                    "roots": np.zeros(1, np.int32),
                    "feature": np.zeros(1, np.int32),
                    "threshold": np.zeros(1),
                    "left": np.zeros(1, np.int32),
                    "right": np.zeros(1, np.int32),
                    "path": np.ones(1),
                }
            ),
            id="a node that leads to itself",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused_when_opened(forest: Path, content: bytes) -> None:
    replace_arrays(forest, content)

    with pytest.raises(ArtifactError, match="surgeline train"):
        open_scorer(load_artifact(str(forest)))


def test_a_changed_byte_of_the_arrays_is_noticed(forest: Path) -> None:
    path = forest / "arrays.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(ArtifactError, match="its manifest expects"):
        load_artifact(str(forest))


def test_a_map_of_another_shape_is_refused(prepared: Prepared) -> None:
    artifact = build_artifact(prepared, "toy", TINY, "mahalanobis")
    small: dict[str, Any] = {"map": np.eye(3, dtype=np.float32)}

    with pytest.raises(ArtifactError, match=r"\(3, 3\) came; \(28, 28\)"):
        open_scorer(Artifact(artifact.manifest, None, pack_arrays(small)))


def test_a_forest_is_served_without_the_library_that_grew_it(forest: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from models.artifact.store import load_artifact\n"
        "from models.artifact.opening import open_scorer\n"
        f"scorer = open_scorer(load_artifact({str(forest)!r}))\n"
        "assert np.isfinite(scorer.score(np.zeros((2, 30, 14), np.float32)).scores).all()\n"
        "print(sorted({'torch', 'onnx', 'sklearn', 'scipy'} & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
