"""``surgeline demo`` from end to end: every reading has its verdict, and the report says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploy.local.programs import broker_command, valkey_command
from tests.e2e.test_up import environment
from tests.support.servers.backends import build

KEYS = {
    *("dataset", "run_id", "simulated", "readings_sent", "verdicts", "scores_stored"),
    *("dead_letters", "alerts", "rows_per_s", "latency_ms", "engines"),
}
FD001_TEST_READINGS = 13_096


def demo(tmp_path: Path, *arguments: str, **variables: str) -> tuple[str, str, dict[str, Any]]:
    """Run the demo in its own temporary folder; return output, errors and the JSON report."""
    build(lambda: broker_command(1))
    build(lambda: valkey_command(1, tmp_path))
    report = tmp_path / "report.json"
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "demo", "--json", str(report), *arguments],
        env=environment() | {"TMPDIR": str(temporary)} | variables,
        cwd=tmp_path,  # where there are no data
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(temporary.iterdir()) == []  # nothing stays
    return done.stdout, done.stderr, json.loads(report.read_text())


def check_counts(report: dict[str, Any]) -> None:
    assert report.keys() >= KEYS
    assert report["readings_sent"] == sum(report["verdicts"].values())
    assert report["readings_sent"] == sum(engine["cycles"] for engine in report["engines"])
    assert report["scores_stored"] == report["verdicts"]["scored"]
    assert report["dead_letters"] == 0
    assert report["alerts"] == sum(engine["alerts"] for engine in report["engines"])
    assert report["rows_per_s"] > 0
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"]


def test_without_data_it_says_so_in_one_line_and_simulates(tmp_path: Path) -> None:
    output, errors, report = demo(tmp_path, "--engines", "1-5")

    first, *rest = errors.splitlines()
    assert "test_FD001.txt is not in data/cmapss: using SIMULATED engines instead" in first
    assert "SIMULATED" not in "".join(rest)
    check_counts(report)
    assert report["simulated"] is True
    assert report["dataset"] == "SIM"
    assert report["run_id"].startswith("simulated")
    assert [engine["asset_id"] for engine in report["engines"]] == [
        f"SIM-test-{unit:03d}" for unit in range(1, 6)
    ]
    assert "SIMULATED" in output
    assert "SIM-test-005" in output


@pytest.mark.real_data
def test_the_demo_on_all_test_engines_of_fd001(tmp_path: Path, cmapss_dir: Path) -> None:
    output, _errors, report = demo(tmp_path, SURGELINE_DATA_DIR=str(cmapss_dir))

    check_counts(report)
    assert report["readings_sent"] == FD001_TEST_READINGS
    assert len(report["engines"]) == 100
    assert report["simulated"] is False
    assert "SIMULATED" not in output
    alerted = [engine for engine in report["engines"] if engine["first_alert_cycle"] is not None]
    assert alerted
    for engine in alerted:
        assert engine["rul_at_first_alert"] >= 0
        assert len(engine["top_sensors"]) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--engines", "0-5"], "expected numbers from 1 to 100", id="engines"),
        pytest.param(["--dataset", "FD009"], "test_FD009.txt", id="dataset"),
        pytest.param(["--workers", "0"], "--workers", id="workers"),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "demo", *arguments],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "ready after" not in done.stderr
