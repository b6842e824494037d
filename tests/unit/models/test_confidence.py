"""How sure a model is: the table beside the manifest, and what is read from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.cmapss.reader import load_dataset
from models.artifact.confidence import (
    CONFIDENCE_FILE,
    MAX_CONFIDENCE_BYTES,
    MOST_STEPS,
    Confidence,
    read_confidence,
    table_of,
)
from models.artifact.opening import open_scorer
from models.artifact.store import load_artifact, save_artifact, shipped_names
from models.scoring.evidence import judge_windows
from models.training.confidence import with_confidence
from models.training.preparation.windows import healthy
from models.training.recalibration import prepare_as

SHA = "a" * 64
severities = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=60)


def read(content: bytes | None, sha256: str = SHA) -> Confidence:
    found = read_confidence(content, sha256)
    assert isinstance(found, Confidence), found
    return found


@given(severities, st.lists(st.floats(-1e12, 1e12), max_size=20))
@example([0.5] * 40, [0.5])
def test_confidence_is_the_part_that_is_lower_and_rises_with_severity(
    known: list[float], asked: list[float]
) -> None:
    confidence = read(table_of(np.array(known), SHA).to_json())
    found = confidence.of(np.array(sorted(asked)))

    assert confidence.windows == len(known)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()
    for severity, part in zip(sorted(asked), found.tolist(), strict=True):
        rounded = float(f"{severity:.7g}")
        below = sum(float(f"{each:.7g}") < rounded for each in known)
        assert part == pytest.approx(below / len(known))


@given(st.integers(MOST_STEPS + 1, 3 * MOST_STEPS), st.integers(0, 100))
@example(1075, 0)  # of a thousandth of it, times 1,000, comes a little more than 1,075
def test_of_many_windows_quantiles_are_kept_that_err_by_under_a_thousandth(
    count: int, seed: int
) -> None:
    known = np.random.default_rng(seed).gamma(2.0, size=count).round(3)
    asked = np.concatenate([np.linspace(0, 8, 50).round(3), known])
    table = table_of(known, SHA)

    steps = read(table.to_json()).of(asked) * MOST_STEPS
    lower = np.searchsorted(np.sort(known), asked)

    assert len(table.severities) == MOST_STEPS
    assert len(table.to_json()) < 20_000
    assert (steps.round() == lower * MOST_STEPS // count).all()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "has no table", id="none"),
        pytest.param(b"", "cannot be used", id="empty"),
        pytest.param(b"[" * 5000, "cannot be used", id="nested"),
        pytest.param(table_of(np.ones(2), "b" * 64).to_json(), "another manifest", id="another"),
        pytest.param(
            table_of(np.ones(2), SHA).to_json().replace(b"1.0,1.0", b"2.0,1.0"), "ascend",
            id="edited",
        ),
        pytest.param(
            table_of(np.ones(2), SHA).to_json().replace(b"1.0,1.0", b"NaN,1.0"), "cannot be used",
            id="no number",
        ),
    ],
)  # fmt: skip
def test_a_table_that_is_not_of_this_manifest_counts_as_missing(
    content: bytes | None, why: str
) -> None:
    found = read_confidence(content, SHA)

    assert isinstance(found, str)
    assert why in found
    assert "surgeline confidence" in found


@pytest.mark.parametrize("name", shipped_names())
def test_every_artifact_that_ships_says_how_sure_it_is(name: str) -> None:
    artifact = load_artifact(name)
    found = read(artifact.confidence, artifact.sha256)

    assert found.windows > 300
    assert found.of(np.array([1e9]))[0] == 1.0
    assert found.of(np.array([0.0]))[0] == 0.0


def test_it_is_saved_and_loaded_with_the_artifact_and_changes_no_digest(tmp_path: Path) -> None:
    artifact = load_artifact("fd001")
    save_artifact(artifact, tmp_path)
    again = load_artifact(str(tmp_path))
    (tmp_path / CONFIDENCE_FILE).unlink()
    without = load_artifact(str(tmp_path))

    assert again == artifact
    assert again.sha256 == without.sha256
    assert without == replace(artifact, confidence=None)
    assert isinstance(read_confidence(without.confidence, without.sha256), str)


def test_a_file_that_is_far_too_long_keeps_no_model_from_serving(tmp_path: Path) -> None:
    save_artifact(load_artifact("fd001"), tmp_path)
    (tmp_path / CONFIDENCE_FILE).write_bytes(b" " * (2 * MAX_CONFIDENCE_BYTES))

    artifact = load_artifact(str(tmp_path))

    assert artifact.confidence is not None
    assert len(artifact.confidence) <= MAX_CONFIDENCE_BYTES + 1
    assert isinstance(read_confidence(artifact.confidence, artifact.sha256), str)


@pytest.mark.real_data
def test_the_shipped_table_is_what_the_command_makes_and_calibrated_on_engines_it_never_saw(
    cmapss_dir: Path,
) -> None:
    artifact = load_artifact("fd001")
    prepared = prepare_as(artifact, load_dataset(cmapss_dir, "FD001", "train"))

    made = with_confidence(replace(artifact, confidence=None), prepared)

    assert made.confidence is not None
    assert artifact.confidence is not None
    ours, theirs = (json.loads(each) for each in (made.confidence, artifact.confidence))
    assert ours["windows"] == theirs["windows"]
    assert ours["severities"] == pytest.approx(theirs["severities"], rel=1e-4)
    scorer, heldout = open_scorer(artifact), healthy(prepared.heldout)
    judged = judge_windows(scorer.score(heldout.windows, heldout.trail), heldout, scorer.spec)
    found = read(artifact.confidence, artifact.sha256).of(judged.severities)
    # twenty engines: a healthy window is as likely to lie anywhere, give or take
    for part in (0.25, 0.5, 0.75, 0.9):
        assert np.mean(found < part) == pytest.approx(part, abs=0.1)
