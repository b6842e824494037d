"""Alert rules: checked and unit-tested by promtool, and each has its section in the runbooks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.metering.names import OF_API, OF_DETECTOR
from deploy.dashboards.sources import API_JOB, DETECTOR_JOB, INGEST_JOB
from tests.support.servers.prometheus import FOLDER, program

REPOSITORY = Path(__file__).parents[3]
RULES = FOLDER / "rules" / "surgeline.yml"
TESTS = FOLDER / "tests" / "surgeline.yml"
RUNBOOKS = REPOSITORY / "docs" / "runbooks.md"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("check", "config", FOLDER / "prometheus.yml"), id="configuration"),
        pytest.param(("check", "rules", "--lint-fatal", RULES), id="rules"),
        pytest.param(("test", "rules", TESTS), id="unit tests"),
    ],
)
def test_promtool_finds_nothing_wrong(arguments: tuple[str | Path, ...]) -> None:
    result = promtool(*arguments)

    assert result.returncode == 0, result.stdout + result.stderr


def test_the_unit_tests_notice_a_changed_threshold(tmp_path: Path) -> None:
    for folder in ("rules", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tests" / TESTS.name).write_text(TESTS.read_text())
    spoilt = RULES.read_text().replace("surgeline:lag_seconds > 300", "surgeline:lag_seconds > 700")
    (tmp_path / "rules" / RULES.name).write_text(spoilt)

    assert promtool("test", "rules", tmp_path / "tests" / TESTS.name).returncode == 1


def test_every_alert_is_tested_where_it_fires_and_where_it_stays_silent() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            (fires if case["exp_alerts"] else silent).add(case["alertname"])

    assert fires == alerts().keys()
    assert silent == alerts().keys()


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    sections = set(re.findall(r"^## (.+)$", RUNBOOKS.read_text(), re.MULTILINE))

    assert sections == alerts().keys()


def test_every_alert_leads_to_its_section() -> None:
    for name, rule in alerts().items():
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{name.lower()}"
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_rules_name_our_metrics_and_jobs_only() -> None:
    known = {spec.series for spec in (*OF_DETECTOR, *OF_API)}
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    text = "\n".join(rule["expr"] for rule in rules())
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())

    assert set(re.findall(r"\bsurgeline_\w+", text)) <= known
    assert set(re.findall(r"\bsurgeline:[\w:]+", text)) <= recorded
    assert set(re.findall(r'job="([^"]+)"', text)) == {DETECTOR_JOB, API_JOB}
    jobs = [job["job_name"] for job in config["scrape_configs"]]
    assert jobs == [DETECTOR_JOB, API_JOB, INGEST_JOB]
