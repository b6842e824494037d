from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.errors import ArtifactError
from common.settings import TrackingSettings
from common.terminal.extras import how_to_install
from deploy.commands import app
from models.artifact.store import Artifact, load_artifact
from models.tracking.record import run_record
from models.tracking.registry import SHA256_TAG
from models.tracking.resolve import fetch, parse_url
from tests.support.artifacts import heldout_metrics
from tests.support.registry import MemoryRegistry

URL = "models:/surgeline@production"


@pytest.fixture
def settings(tmp_path: Path) -> TrackingSettings:
    return TrackingSettings.model_validate({"cache_dir": tmp_path / "cache"})


@pytest.fixture
def in_production(registry: MemoryRegistry, good: Artifact) -> MemoryRegistry:
    run_id = registry.log_run(run_record(good, heldout_metrics(good)), artifact=good, report=None)
    registry.promote(run_id, {SHA256_TAG: good.sha256})
    return registry


@pytest.mark.parametrize(
    ("url", "means"),
    [
        (URL, "production"),
        ("models:/surgeline@next-one", "next-one"),
        ("models:/surgeline/12", "12"),
    ],
)
def test_a_url_names_an_alias_or_a_version(url: str, means: str) -> None:
    assert parse_url(url, "surgeline") == means


@pytest.mark.parametrize(
    "url",
    [
        "models:/surgeline",
        "models:/other@production",
        "models:/surgeline/production",
        "models:/surgeline@production/../x",
        "models://surgeline@production",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ArtifactError, match="models:/surgeline@ALIAS or"):
        parse_url(url, "surgeline")


def test_an_artifact_is_fetched_once(
    in_production: MemoryRegistry, settings: TrackingSettings, good: Artifact
) -> None:
    folder = fetch(URL, "production", in_production, settings)

    assert load_artifact(str(folder)) == good
    assert fetch(URL, "production", in_production, settings) == folder
    assert in_production.fetched == 1


def test_a_damaged_copy_is_fetched_again(
    in_production: MemoryRegistry, settings: TrackingSettings, good: Artifact
) -> None:
    folder = fetch(URL, "production", in_production, settings)
    (folder / "manifest.json").write_text("{")

    assert load_artifact(str(fetch(URL, "production", in_production, settings))) == good


def test_another_artifact_than_was_promoted_is_refused(
    in_production: MemoryRegistry, settings: TrackingSettings, other: Artifact
) -> None:
    in_production.runs["run-1"] = other

    with pytest.raises(ArtifactError, match=r"was promoted with sha256 \w+; its run now holds"):
        fetch(URL, "production", in_production, settings)
    assert not settings.cache_dir.exists()


def test_a_digest_that_is_none_makes_no_path(
    in_production: MemoryRegistry, settings: TrackingSettings
) -> None:
    in_production.versions["1"] = ("run-1", {SHA256_TAG: "../../elsewhere"})

    with pytest.raises(ArtifactError, match="64 hex digits"):
        fetch(URL, "production", in_production, settings)


def test_nothing_in_production_says_what_to_do(
    registry: MemoryRegistry, settings: TrackingSettings
) -> None:
    with pytest.raises(ArtifactError, match="surgeline promote"):
        fetch(URL, "production", registry, settings)


def in_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_artifact_by_name_needs_no_mlflow() -> None:
    code = (
        "import sys, detector.app\nfrom models.artifact.store import load_artifact\n"
        "load_artifact('fd001')\nprint('mlflow' in sys.modules)"
    )

    assert in_fresh_process(code) == "False"


def test_a_url_without_mlflow_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys\nsys.modules['mlflow'] = None\nfrom common.errors import UserError\n"
        "from models.artifact.store import load_artifact\n"
        "from models.tracking.resolve import registry_folder\n"
        f"try:\n    load_artifact({URL!r}, registry_folder)\n"
        "except UserError as exc:\n    print(exc)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )

    assert how_to_install("mlflow") in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([], "One of --run-id and --artifact", id="nothing"),
        pytest.param(["--run-id", "a", "--artifact", "b"], "One of --run-id", id="both"),
        pytest.param(["--artifact", "fd001", "--force-reason", " "], "came empty", id="no reason"),
    ],
)
def test_promote_asks_for_one_candidate_and_a_real_reason(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["promote", *arguments])

    assert result.exit_code == 2
    assert says in result.output


def test_tracking_is_off_unless_asked_for() -> None:
    code = (
        "import sys\nfrom models.cli.promotion import open_tracker\n"
        "print(open_tracker(None), open_tracker(False), 'mlflow' in sys.modules)"
    )

    assert in_fresh_process(code) == "None None False"
