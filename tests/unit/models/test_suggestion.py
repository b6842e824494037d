from __future__ import annotations

from dataclasses import replace

from models.artifact.store import load_artifact
from models.artifact.suggestion import suggest_artifact
from tests.support.fleets import fleet

SIX = ((0.0, 0.0, 100.0), (10.0, 0.25, 100.0), (25.0, 0.62, 60.0), (42.0, 0.84, 100.0))


def test_a_set_with_an_artifact_of_its_name_gets_that() -> None:
    assert suggest_artifact(fleet(name="FD003")).manifest.name == "fd003"


def test_a_renamed_file_gets_the_artifact_trained_on_it() -> None:
    digest = load_artifact("fd004").manifest.training.data_sha256

    suggested = suggest_artifact(replace(fleet(regimes=SIX, name="MINE"), sha256=digest))

    assert suggested.manifest.name == "fd004"


def test_an_unknown_set_gets_an_artifact_that_knows_its_regimes() -> None:
    assert suggest_artifact(fleet(name="MINE")).manifest.name == "fd001"
    assert suggest_artifact(fleet(regimes=SIX, name="MINE")).manifest.name == "fd002"
