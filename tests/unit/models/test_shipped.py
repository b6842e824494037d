"""What ships is what its manifest says, measured anew on the real data."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from common.cmapss.reader import load_dataset
from models.artifact.opening import open_scorer
from models.artifact.store import SHIPPED, load_artifact, shipped_names
from models.evaluation.splits import EngineRange, split_engines
from models.report.comparison import Measured, compare, measure_scorer
from models.report.events import engine_stories
from models.training.preparation.windows import prepare
from tests.support.artifacts import heldout_engines, heldout_metrics

MAX_SHIPPED_BYTES = 600_000


@pytest.mark.parametrize("name", shipped_names())
def test_a_shipped_artifact_opens_and_is_small(name: str) -> None:
    artifact = load_artifact(name)

    assert open_scorer(artifact).spec.ref.name == artifact.manifest.name == name
    assert sum(path.stat().st_size for path in (SHIPPED / name).iterdir()) < MAX_SHIPPED_BYTES


def test_fd001_is_the_reference_network_on_the_published_file() -> None:
    artifact = load_artifact("fd001")
    manifest = artifact.manifest

    assert manifest.network is not None
    assert manifest.network.parameters == 44_510
    assert len(manifest.channels) == 14
    assert manifest.training.data_sha256.startswith("963b5e22825b34d8")
    assert str(heldout_engines(artifact)) == "81-100"


@pytest.mark.real_data
def test_fd001_reproduces_its_manifest_s_metrics(cmapss_dir: Path) -> None:
    artifact = load_artifact("fd001")
    dataset = load_dataset(cmapss_dir, "FD001", "train")
    assert dataset.sha256 == artifact.manifest.training.data_sha256
    heldout = heldout_engines(artifact)

    metrics = measure_scorer(
        open_scorer(artifact),
        Measured(dataset, "heldout", EngineRange(heldout.first, heldout.last)),
    )

    stated = heldout_metrics(artifact)
    assert metrics.auc == pytest.approx(stated.auc, abs=1e-4)
    assert metrics.pr_auc == pytest.approx(stated.pr_auc, abs=1e-3)
    for level, said in ((metrics.warning, stated.warning), (metrics.critical, stated.critical)):
        assert level.f1 == pytest.approx(said.f1, abs=5e-3)
        assert level.engines_caught == said.engines_caught
        assert level.lead_mean == pytest.approx(said.lead_mean, abs=0.5)


@pytest.mark.real_data
def test_fd001_keeps_what_it_promises(cmapss_dir: Path) -> None:
    dataset = load_dataset(cmapss_dir, "FD001", "train")
    prepared = prepare(dataset)
    assert str(prepared.split.heldout) == "81-100"

    comparison = compare(
        load_artifact("fd001"), prepared, Measured(dataset, "heldout", prepared.split.heldout)
    )

    model = comparison.models["fd001"]
    assert comparison.measured.published
    assert model.auc is not None
    assert model.auc >= 0.990
    assert model.pr_auc is not None
    assert model.pr_auc >= 0.95
    assert model.critical.f1 >= 0.87
    assert min(model.critical.precision, model.critical.recall) >= 0.84
    for level in (model.warning, model.critical):
        assert level.engines_caught == level.engines == 20
    assert model.warning.lead_mean is not None
    assert model.warning.lead_mean >= 55
    stories = engine_stories(comparison.scored["fd001"])
    lives = [story for story in stories if story.healthy_windows]
    # 5 % of healthy lives may get a false warning; 4 of 17 and more would come once in 100 times
    assert sum(story.early > 0 for story in lives) <= 3
    autoencoder = comparison.models["residual_trend"].auc
    assert autoencoder is not None
    assert autoencoder >= 0.988
    assert comparison.models["mse"].auc == pytest.approx(0.967, abs=0.006)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "split", "least_auc"),
    [
        pytest.param("FD001", "test", 0.990, id="FD001 official test file"),
        pytest.param("FD002", "test", 0.975, id="FD002 official test file"),
        pytest.param("FD003", "heldout", 0.975, id="FD003 held-out engines"),
        pytest.param("FD004", "heldout", 0.975, id="FD004 held-out engines"),
    ],
)
def test_each_set_is_ranked_well(
    cmapss_dir: Path, name: str, split: Literal["heldout", "test"], least_auc: float
) -> None:
    dataset = load_dataset(cmapss_dir, name, "test" if split == "test" else "train")
    n_engines = len(dataset.engines)
    engines = EngineRange(1, n_engines) if split == "test" else split_engines(n_engines).heldout

    metrics = measure_scorer(
        open_scorer(load_artifact(name.lower())), Measured(dataset, split, engines)
    )

    assert metrics.auc is not None
    assert metrics.auc >= least_auc


@pytest.mark.real_data
def test_fd001_regimes_and_windows_are_those_of_the_design(cmapss_dir: Path) -> None:
    one = prepare(load_dataset(cmapss_dir, "FD001", "train"))
    six = prepare(load_dataset(cmapss_dir, "FD002", "train"))

    assert len(one.normaliser.centres) == 1
    assert len(six.normaliser.centres) == 6
    assert len(one.heldout) == 3913
