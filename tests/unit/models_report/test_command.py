"""``surgeline evaluate`` with its intervals and its page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.terminal.extras import how_to_install
from deploy.commands import app
from models.artifact.store import save_artifact
from tests.support.fleets import fleet, write_fleet
from tests.unit.models_report.conftest import Case

RUN = CliRunner()


@pytest.fixture
def arguments(case: Case, tmp_path: Path) -> list[str]:
    write_fleet(fleet(10), tmp_path)
    save_artifact(case.artifact, tmp_path / "toy")
    given = ["--artifact", str(tmp_path / "toy"), "--data-dir", str(tmp_path)]
    return ["evaluate", "--dataset", "TOY", *given]


def test_evaluate_writes_page_and_intervals(arguments: list[str], tmp_path: Path) -> None:
    page, numbers = tmp_path / "report.html", tmp_path / "report.json"
    options = ["--bootstrap", "50", "--html", str(page), "--json", str(numbers)]

    result = RUN.invoke(app, [*arguments, *options])

    assert result.exit_code == 0, result.output
    assert "50 draws of 2 engines" in result.output
    assert page.read_text().startswith("<!doctype html>")
    report = json.loads(numbers.read_text())
    assert list(report["ci95"]["models"]) == list(report["models"])
    assert "ci95" not in report["models"]["toy"]


def test_no_draws_leave_intervals_out(arguments: list[str], tmp_path: Path) -> None:
    numbers = tmp_path / "report.json"

    result = RUN.invoke(app, [*arguments, "--bootstrap", "0", "--json", str(numbers)])

    assert result.exit_code == 0, result.output
    assert "draws of" not in result.output
    assert "ci95" not in json.loads(numbers.read_text())


def test_a_page_needs_the_train_extra(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "jinja2" else object()
    )

    result = RUN.invoke(app, [*arguments, "--html", "report.html"])

    assert result.exit_code == 2
    assert "jinja2" in result.output
    assert how_to_install("train") in " ".join(result.output.split())
