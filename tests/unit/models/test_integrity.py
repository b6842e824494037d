"""A manifest that was changed after it was written is not loaded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import ArtifactError
from models.artifact.manifest import Manifest
from models.artifact.opening import open_scorer
from models.artifact.score_arrays import learned_params, pack_arrays
from models.artifact.store import SHIPPED, Artifact, load_artifact, save_artifact, shipped_names
from models.artifact.version import DRAFT, version_of
from models.scoring.measures.contributions import SMALLEST_DEVIATION, check_deviations
from models.training.build import build_artifact
from models.training.config import TrainingConfig
from models.training.preparation.windows import Prepared
from tests.support.artifacts import edit_manifest, written

Place = tuple[str | int, ...]


def leaves(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where the numbers, texts and nothings of a manifest are."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, (*at, key))
    else:
        yield at


def put(content: Any, place: Place, value: object) -> object:
    """Put a value there and return the one before."""
    for key in place[:-1]:
        content = content[key]
    before, content[place[-1]] = content[place[-1]], value
    return before


FD001 = (SHIPPED / "fd001" / "manifest.json").read_bytes()
PLACES = tuple(leaves(json.loads(FD001)))


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("changing") / "fd001"
    shutil.copytree(SHIPPED / "fd001", folder)
    return folder


def other_values(before: object) -> st.SearchStrategy[object]:
    """Values of the same kind, and of others."""
    anything: list[st.SearchStrategy[Any]] = [st.none(), st.booleans(), st.text(max_size=8)]
    if isinstance(before, int | float):
        near = [before + 1, before - 1, before * 2, np.nextafter(float(before), np.inf).item()]
        anything = [st.sampled_from(near), st.floats(width=64), st.integers(-9, 9), *anything]
    if isinstance(before, str):
        anything = [st.sampled_from([before + "x", before[1:], before.swapcase()]), *anything]
    return st.one_of(anything)


def check_refused_or_the_same(folder: Path) -> None:
    """The same is what means the same: 1 for 1.0, or a default that is not written."""
    try:
        loaded = load_artifact(str(folder))
    except ArtifactError as exc:
        said = str(exc)
    else:
        assert loaded == load_artifact("fd001")
        assert loaded.manifest_json == FD001
        return
    assert "surgeline train" in said
    assert "\n" not in said


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_manifest_changed_anywhere_is_refused(changing: Path, data: st.DataObject) -> None:
    content = json.loads(FD001)
    place = data.draw(st.sampled_from(PLACES))
    before = put(content, place, None)
    put(content, place, data.draw(other_values(before)))
    (changing / "manifest.json").write_text(written(content))

    check_refused_or_the_same(changing)


@settings(max_examples=100, deadline=None)
@given(place=st.sampled_from(PLACES))
def test_a_manifest_that_lost_a_field_anywhere_is_refused(changing: Path, place: Place) -> None:
    content = json.loads(FD001)
    inner = content
    for key in place[:-1]:
        inner = inner[key]
    del inner[place[-1]]
    (changing / "manifest.json").write_text(written(content))

    check_refused_or_the_same(changing)


def test_an_edited_threshold_says_which_version_it_would_be(
    artifact: Artifact, tmp_path: Path
) -> None:
    save_artifact(artifact, tmp_path)
    edit_manifest(tmp_path, lambda m: m["thresholds"]["critical"].update(value=1e6), sealed=False)

    with pytest.raises(ArtifactError, match=r"says version \w{12}, and its content is that of \w+"):
        load_artifact(str(tmp_path))


def test_only_the_way_it_is_written_may_change(artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(artifact, tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text())))

    assert load_artifact(str(tmp_path)) == artifact


def test_an_older_layout_changed_after_it_was_written_is_refused(
    artifact: Artifact, tmp_path: Path
) -> None:
    def as_layout_2(content: dict[str, Any]) -> None:
        machine = content.pop("machine")
        content["schema_version"] = 2
        content["channels"] = [part["name"] for part in machine["channel"] if part["used"]]
        content["window_length"] = machine["window"]["length"]

    save_artifact(artifact, tmp_path)
    edit_manifest(tmp_path, as_layout_2)
    load_artifact(str(tmp_path))
    edit_manifest(tmp_path, lambda m: m["training"].update(seed=99), sealed=False)

    with pytest.raises(ArtifactError, match="it was changed or damaged"):
        load_artifact(str(tmp_path))


@pytest.mark.parametrize("name", shipped_names())
def test_what_ships_is_what_its_version_says(name: str) -> None:
    written_down = (SHIPPED / name / "manifest.json").read_bytes()

    assert version_of(written_down) == load_artifact(name).manifest.version


def test_the_version_does_not_depend_on_what_the_manifest_calls_itself() -> None:
    draft = Manifest.model_validate_json(FD001).model_copy(update={"version": DRAFT})

    assert version_of(draft.to_json()) == version_of(FD001)


@pytest.mark.parametrize("content", [b"", b"{}", FD001.replace(b'\n  "version"', b'"version"')])
def test_what_is_not_written_as_a_manifest_has_no_version(content: bytes) -> None:
    with pytest.raises(ValueError, match="on one line of its own"):
        version_of(content)


WRONG = [0.0, -1.0, 1e-300, 1e-320]


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize(
    "param", ["input_level_sd", "input_slope_sd", "residual_level_sd", "residual_slope_sd"]
)
def test_a_score_that_would_divide_by_nothing_is_refused(
    tmp_path: Path, param: str, wrong: float
) -> None:
    shutil.copytree(SHIPPED / "fd001", tmp_path / "it")
    edit_manifest(tmp_path / "it", lambda m: m["score"]["params"][param].__setitem__(2, wrong))

    with pytest.raises(ArtifactError, match=f"score param '{param}' holds"):
        load_artifact(str(tmp_path / "it"))


@pytest.mark.parametrize("wrong", WRONG)
def test_a_scale_of_nothing_is_refused(prepared: Prepared, tmp_path: Path, wrong: float) -> None:
    save_artifact(build_artifact(prepared, "near", TrainingConfig(), "nearest_healthy"), tmp_path)
    edit_manifest(tmp_path, lambda m: m["score"]["params"]["scale"].__setitem__(0, wrong))

    with pytest.raises(ArtifactError, match="score param 'scale' holds"):
        load_artifact(str(tmp_path))


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf"), None])
@pytest.mark.parametrize("part", ["sd", "tolerances", "radius"])
def test_a_regime_that_would_divide_by_nothing_is_refused(
    tmp_path: Path, part: str, wrong: float | None
) -> None:
    def edit(content: dict[str, Any]) -> None:
        table = content["normalisation"]
        if part == "sd":
            table["regimes"][0]["sd"][1] = wrong
        elif part == "tolerances":
            table["tolerances"][1] = wrong
        else:
            table["radius"] = wrong

    shutil.copytree(SHIPPED / "fd001", tmp_path / "it")
    edit_manifest(tmp_path / "it", edit)

    with pytest.raises(ArtifactError, match=f"normalisation.*{part}"):
        load_artifact(str(tmp_path / "it"))


def test_nan_among_score_params_is_refused(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "fd001", tmp_path / "it")
    edit_manifest(
        tmp_path / "it",
        lambda m: m["score"]["params"]["input_level_mean"].__setitem__(0, float("nan")),
    )

    with pytest.raises(ArtifactError, match="input_level_mean"):
        load_artifact(str(tmp_path / "it"))


@pytest.fixture(scope="module")
def forest(prepared: Prepared) -> Artifact:
    """A forest, which nobody changes."""
    return build_artifact(prepared, "trees", TrainingConfig(), "iforest")


@pytest.mark.parametrize("root", [0.0, -3.0, np.nan])
def test_a_forest_that_would_divide_by_nothing_is_refused(forest: Artifact, root: float) -> None:
    """A forest divides by the path expected at its first root."""
    assert forest.arrays is not None
    params = dict(learned_params(forest))
    path = params["path"].copy()
    path[params["roots"][0]] = root
    damaged = replace(forest, arrays=pack_arrays({**params, "path": path}))

    with pytest.raises(ArtifactError, match="leads nowhere or backwards"):
        open_scorer(damaged)


@given(
    st.lists(st.floats(SMALLEST_DEVIATION, 1e300), min_size=1, max_size=5),
    st.sampled_from(["level_sd", "sd", "scale", "residual_slope_sd"]),
)
def test_every_deviation_that_a_fit_may_give_is_accepted(values: list[float], name: str) -> None:
    check_deviations({name: np.array(values), "level_mean": np.array([-1.0])})
