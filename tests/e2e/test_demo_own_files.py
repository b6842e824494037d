"""``surgeline demo --csv`` on pumps nobody described: it finds the failing one, and no other."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from deploy.local.programs import broker_command, valkey_command
from tests.e2e.test_up import environment
from tests.support.pumps import write_pumps
from tests.support.servers.backends import build

DAYS = 15


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    build(lambda: broker_command(1))
    build(lambda: valkey_command(1, folder))
    (folder / "tmp").mkdir()
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", "demo", *arguments],
        env=environment() | {"TMPDIR": str(folder / "tmp")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=115,
    )


def test_a_file_of_pumps_is_all_it_takes(tmp_path: Path) -> None:
    truth = write_pumps(tmp_path / "pumps.csv", days=DAYS)

    done = demo(tmp_path, "--csv", "pumps.csv", "--json", "report.json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
    assert "live equals batch" in done.stdout
    assert "To go on with these machines: surgeline init pumps.csv" in done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["readings_sent"] == sum(report["verdicts"].values())
    assert report["readings_sent"] == sum(each["cycles"] for each in report["engines"])
    found = {each["asset_id"]: each for each in report["engines"]}
    assert set(found) == {"P-101", "P-102", "P-103"}
    first = datetime.fromisoformat(found[truth.pump]["first_alert_ts"])
    assert truth.onset < first < truth.gross
    assert found[truth.pump]["top_sensors"][0]["name"] in truth.channels
    assert sum(each["raised"] for name, each in found.items() if name != truth.pump) <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--csv", "nowhere.csv"], "nowhere.csv was not found", id="no file"),
        pytest.param(["--csv", "x.csv", "--simulated"], "one of the two", id="two sources"),
        pytest.param(["--csv", "x.csv", "--dataset", "FD002"], "one of the two", id="a data set"),
        pytest.param(["--machine", "pumps.toml"], "--csv was expected", id="no files"),
        pytest.param(["--csv", "short.csv"], "healthy rows came", id="too short"),
    ],
)
def test_what_cannot_be_shown_is_said_before_anything_starts(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    rows = "".join(f"2026-01-01 00:{minute:02d}:00,{minute % 7}\n" for minute in range(60))
    (tmp_path / "short.csv").write_text(f"time,Flow\n{rows}")

    done = demo(tmp_path, *arguments)

    assert done.returncode == 2, done.stdout + done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "tmp").iterdir()) == []
