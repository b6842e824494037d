from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact.onnx_scorer import CHUNK
from models.artifact.opening import open_scorer
from models.artifact.store import Artifact, load_artifact, save_artifact
from models.scoring.scorer import WindowScorer

GOLDEN = Path(__file__).parent / "golden"
SAME = 1e-6
"""Relative. On x86-64 with AVX-512 the difference is 0; other kernels may round otherwise."""


@pytest.fixture(scope="module")
def shipped() -> WindowScorer:
    return open_scorer(load_artifact("fd001"))


def windows(n: int, seed: int = 0) -> NDArray[np.float32]:
    """Healthy and less healthy windows alike."""
    rng = np.random.default_rng(seed)
    drift = rng.uniform(-4, 4, (n, 1, 14)) * np.linspace(0, 1, 30)[:, None]
    return (rng.normal(size=(n, 30, 14)) + drift).astype(np.float32)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, CHUNK - 1, CHUNK, CHUNK + 1, 128, 200])
def test_a_score_does_not_depend_on_its_batch(shipped: WindowScorer, size: int) -> None:
    everything = windows(200)
    whole = shipped.score(everything)

    parts = [shipped.score(everything[i : i + size]) for i in range(0, 200, size)]

    scores = np.concatenate([part.scores for part in parts])
    np.testing.assert_allclose(scores, whole.scores, rtol=SAME)
    np.testing.assert_allclose(
        np.concatenate([part.shares for part in parts]), whole.shares, rtol=SAME, atol=SAME
    )
    assert np.array_equal(np.concatenate([part.directions for part in parts]), whole.directions)


def test_a_score_does_not_depend_on_its_place(shipped: WindowScorer) -> None:
    everything = windows(150)
    order = np.random.default_rng(1).permutation(150)

    np.testing.assert_allclose(
        shipped.score(everything[order]).scores, shipped.score(everything).scores[order], rtol=SAME
    )


def test_more_threads_give_the_same_scores(shipped: WindowScorer) -> None:
    two = open_scorer(load_artifact("fd001"), threads=2)

    np.testing.assert_allclose(
        two.score(windows(100)).scores, shipped.score(windows(100)).scores, rtol=SAME
    )


def test_the_same_call_twice_gives_the_same_bits(shipped: WindowScorer) -> None:
    assert np.array_equal(shipped.score(windows(100)).scores, shipped.score(windows(100)).scores)


def test_views_score_like_copies_and_are_left_alone(shipped: WindowScorer) -> None:
    backwards = windows(40)[::-1, ::-1]
    before = backwards.copy()

    assert np.array_equal(shipped.score(backwards).scores, shipped.score(before).scores)
    assert np.array_equal(backwards, before)


def test_no_windows_give_no_scores(shipped: WindowScorer) -> None:
    result = shipped.score(windows(0))

    assert result.scores.shape == (0,)
    assert result.shares.shape == result.directions.shape == (0, 14)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((2, 14, 30), id="axes swapped"),
        pytest.param((2, 29, 14), id="a row too few"),
        pytest.param((2, 30, 15), id="a channel too many"),
        pytest.param((30, 14), id="one window without batch axis"),
    ],
)
def test_windows_of_another_shape_are_refused(
    shipped: WindowScorer, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"\(n, 30, 14\) was expected"):
        shipped.score(np.zeros(shape, np.float32))


def test_a_value_that_is_not_finite_is_refused(shipped: WindowScorer) -> None:
    bad = windows(3)
    bad[1, 4, 2] = np.nan

    with pytest.raises(ValueError, match="not finite"):
        shipped.score(bad)


def test_absurd_but_finite_readings_get_a_finite_score(shipped: WindowScorer) -> None:
    settings = np.tile([0.0, 0.0, 100.0], (30, 1))
    rows = shipped.normalise(settings, np.full((30, 14), 1e308))

    result = shipped.score(rows.rows[None])

    assert rows.known.all()
    assert np.isfinite(result.scores).all()
    assert result.scores[0] > shipped.spec.thresholds.critical
    assert result.shares.sum() == pytest.approx(1.0, abs=1e-9)


def test_the_scorer_tells_what_the_manifest_says(artifact: Artifact) -> None:
    scorer = open_scorer(artifact)

    assert scorer.spec.ref == artifact.ref
    assert scorer.spec.channels == artifact.manifest.channels
    assert scorer.spec.window_length == 30
    assert scorer.spec.thresholds.warning == artifact.manifest.thresholds.warning.value
    assert scorer.spec.thresholds.critical == artifact.manifest.thresholds.critical.value


def test_saving_and_loading_changes_no_score(artifact: Artifact, tmp_path: Path) -> None:
    save_artifact(artifact, tmp_path)

    loaded = open_scorer(load_artifact(str(tmp_path)))

    assert np.array_equal(
        loaded.score(windows(20)).scores, open_scorer(artifact).score(windows(20)).scores
    )


def test_serving_loads_neither_torch_nor_its_friends() -> None:
    code = (
        "import sys, numpy as np\n"
        "from models.artifact.store import load_artifact\n"
        "from models.artifact.opening import open_scorer\n"
        "open_scorer(load_artifact('fd001')).score(np.zeros((1, 30, 14), np.float32))\n"
        "print(sorted({'torch', 'onnx', 'sklearn', 'matplotlib'} & set(sys.modules)))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_contracts_alone_do_not_load_the_runtime() -> None:
    modules = "models.artifact.opening, models.scoring.scores"
    code = f"import sys, {modules}; print('onnxruntime' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_the_golden_artifact_scores_as_it_always_did() -> None:
    """A frozen artifact and its scores: any change of the serving path shows here.

    A new layout of the manifest needs a new frozen artifact; nothing else does.
    """
    pinned = json.loads((GOLDEN / "expected.json").read_text())
    scorer = open_scorer(load_artifact(str(GOLDEN)))
    settings = np.tile([0.0, 0.0, 100.0], (40, 1))
    steps = np.arange(40)[:, None]
    sensors = np.array(pinned["levels"]) + np.sin(steps * 0.7 + np.arange(14)) + steps * 0.1

    rows = scorer.normalise(settings, sensors).rows
    result = scorer.score(np.stack([rows[:30], rows[5:35], rows[10:]]))

    np.testing.assert_allclose(result.scores, pinned["scores"], rtol=1e-5)
    np.testing.assert_allclose(result.shares[2], pinned["shares"], rtol=1e-4)
    assert result.directions[2].tolist() == pinned["directions"]
    assert scorer.spec.ref.sha256 == pinned["sha256"]


@pytest.mark.parametrize("name", ["fd001", "fd002", "fd001-patchtst"])
def test_what_is_expected_is_in_the_machines_units_of_the_rows_own_regime(name: str) -> None:
    artifact = load_artifact(name)
    scorer, normaliser = open_scorer(artifact), artifact.manifest.normalisation.normaliser()
    length, channels = scorer.spec.window_length, len(scorer.spec.channels)
    chance = np.random.default_rng(0)
    regimes = chance.integers(0, len(normaliser.centres), (2, length))
    conditions = normaliser.centres[regimes]
    drawn = chance.normal(size=(2, length, channels)).astype(np.float32)

    expected = scorer.expect(conditions, drawn)

    flat = conditions.reshape(-1, conditions.shape[-1])
    for offset in (0.0, 1.0, -2.5):  # in healthy deviations
        values = (expected.means + offset * expected.sds).reshape(-1, channels)
        rows = scorer.normalise(flat, values)
        assert rows.known.all()
        np.testing.assert_allclose(rows.rows, offset, atol=1e-4)
    rebuilt = scorer.normalise(flat, expected.values.reshape(-1, channels)).rows
    alone = scorer.expect(conditions[1:], drawn[1:])
    np.testing.assert_array_equal(alone.values[0], expected.values[1])
    assert np.abs(rebuilt).max() < 20.0
    assert np.abs(rebuilt).max() > 0.01
