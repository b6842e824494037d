"""``surgeline evaluate --faults``: on engines of files, and on engines simulated for it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from common.cmapss.files import SIMULATED_NAME
from common.errors import DatasetError
from deploy.commands import app
from models.artifact.provenance import RangeSection
from models.artifact.store import Artifact, load_artifact
from models.cli.evaluate import evaluate
from models.cli.simulated import FRESH_SEED, Fresh
from models.evaluation.faults import FAULTS
from producer.simulator.simulate import simulate, write_dataset

RUN = CliRunner()
ENGINES = 4
FAULTY = ["evaluate", "--faults", "--artifact", "fd001", "--dataset"]
FRESH = [*FAULTY, "sim", "--engines", str(ENGINES)]


def run(arguments: Sequence[str]) -> Result:
    return RUN.invoke(app, list(arguments), env={"COLUMNS": "120"})


@pytest.fixture(scope="module")
def of_fresh(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What the command said, and wrote, of simulated engines."""
    path = tmp_path_factory.mktemp("fresh") / "faults.json"
    result = run([*FRESH, "--json", str(path)])
    assert result.exit_code == 0, result.output
    return result.output, json.loads(path.read_text())


def test_simulated_engines_need_no_file_and_say_which_they_are(
    of_fresh: tuple[str, dict[str, Any]],
) -> None:
    said, written = of_fresh

    assert f"SIM: {ENGINES} simulated engines, seed {FRESH_SEED}, run until they fail" in said
    assert "Nothing here is a C-MAPSS result" in " ".join(said.split())
    watched = (len(FAULTS) + 1) * written["all evidence"]["assets"] + ENGINES
    assert said.count(f"{watched}/{watched} records") == 2  # of the progress, of each table
    assert written["measured_on"] == {
        "artifact": "fd001",
        "dataset": SIMULATED_NAME,
        "split": "heldout",
        "engines": f"1-{ENGINES}",
        "data_sha256": simulate(ENGINES, FRESH_SEED).sha256,
        "seed": FRESH_SEED,
    }


def test_a_large_step_is_seen_by_all_evidence_and_told_by_name(
    of_fresh: tuple[str, dict[str, Any]],
) -> None:
    said, written = of_fresh
    all_of_it, alone = written["all evidence"], written["the score alone"]

    assert [row["fault"] for row in all_of_it["rows"]] == [fault.name for fault in FAULTS]
    rows = {row["fault"]: row for row in all_of_it["rows"]}
    large = rows["step of 100 sd"]
    assert large["cases"] == 14 * all_of_it["assets"] > 0
    assert (large["alarmed"], large["right_sensor"], large["as_read"]) == (1.0, 1.0, 1.0)
    assert rows["frozen"]["alarmed"] == 1.0
    of_score = {row["fault"]: row for row in alone["rows"]}
    assert of_score["step of 100 sd"]["alarmed"] < 1.0
    for row in all_of_it["rows"]:
        assert row["fault"] in said


def test_with_a_folder_the_engines_are_those_of_its_files(tmp_path: Path) -> None:
    # the held-out fifth of a file; of files nothing is simulated
    write_dataset(simulate(10, FRESH_SEED), tmp_path)
    path = tmp_path / "of_file.json"

    result = run([*FAULTY, "SIM", "--data-dir", str(tmp_path), "--json", str(path)])

    assert result.exit_code == 0, result.output
    assert "simulated engines, seed" not in result.output
    measured_on = json.loads(path.read_text())["measured_on"]
    assert (measured_on["engines"], measured_on["seed"]) == ("9-10", None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            ["evaluate", "--dataset", "SIM", "--engines", "3"], "--faults --dataset SIM", id="plain"
        ),
        pytest.param(
            [*FAULTY, "FD001", "--seed", "3"], "--faults --dataset SIM", id="no simulator"
        ),
        pytest.param([*FRESH, "--data-dir", "."], "without --data-dir", id="of files"),
        pytest.param([*FAULTY, "SIM", "--engines", "2001"], "expected 1 to 2000", id="too many"),
        pytest.param(
            [*FAULTY, "SIM", "--engines", "1", "--seed", "0", "--split", "test"],
            "no record has 60 consecutive healthy readings",
            id="too short",
        ),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str) -> None:
    result = run(arguments)

    assert result.exit_code == 2, result.output
    assert message in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_without_a_simulator_the_command_says_where_there_is_one() -> None:
    root = typer.Typer()
    root.command()(evaluate)

    result = RUN.invoke(root, ["--faults", "--dataset", "SIM"])

    assert result.exit_code == 2
    assert "surgeline" in result.output


@pytest.fixture
def of_simulated() -> Artifact:
    """A model that says it is of 12 simulated engines of seed 3."""
    artifact = load_artifact("fd001")
    training = artifact.manifest.training.model_copy(
        update={
            "dataset": "SIM",
            "data_sha256": simulate(12, 3).sha256,
            "heldout": RangeSection(first=11, last=12),
        }
    )
    return replace(artifact, manifest=artifact.manifest.model_copy(update={"training": training}))


def test_engines_a_model_was_trained_on_are_refused_however_many_are_asked_for(
    of_simulated: Artifact,
) -> None:
    for engines in (4, 12, 40):
        with pytest.raises(DatasetError, match="trained on simulated engines of seed 3"):
            Fresh(simulate, engines, 3).refuse_known(of_simulated, "train")


def test_other_engines_are_not_refused(of_simulated: Artifact) -> None:
    Fresh(simulate, 12, 4).refuse_known(of_simulated, "train")
    Fresh(simulate, 12, 3).refuse_known(of_simulated, "test")
    Fresh(simulate, 12, 3).refuse_known(load_artifact("fd001"), "train")
