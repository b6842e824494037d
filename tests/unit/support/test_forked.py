"""A forked process is a process like any other: its own variables, output, exit code and end."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import forked
from tests.support.processes import is_alive, require_proc


@pytest.fixture
def clean() -> dict[str, str]:
    """This process's variables, none of them a setting."""
    return {name: value for name, value in os.environ.items() if "SURGELINE_" not in name}


@pytest.mark.parametrize("start", [forked.start, forked.start_anew])
def test_it_has_its_own_variables_output_and_exit_code(
    start: forked.Start, clean: dict[str, str], tmp_path: Path
) -> None:
    wrong = clean | {"SURGELINE_DETECTOR__NO_SUCH_THING": "1"}
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = start(["detector"], wrong, out, err)

    assert process.wait(60) == process.poll() == process.returncode == 2
    assert "NO_SUCH_THING" in (tmp_path / "err").read_text().upper()
    assert (tmp_path / "out").read_text() == ""


def test_it_is_waited_for_and_killed_as_any_other(clean: dict[str, str], tmp_path: Path) -> None:
    require_proc()
    nobody = clean | {
        "SURGELINE_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "SURGELINE_REDIS__URL": "redis://127.0.0.1:1/0",
        "SURGELINE_SCORES__SQLITE_PATH": str(tmp_path / "scores.db"),
        "SURGELINE_DETECTOR__HTTP_PORT": "0",
    }
    with (tmp_path / "log").open("wb") as log:
        process = forked.start(["detector"], nobody, log, log)

    assert isinstance(process, forked.Forked)
    assert is_alive(process.pid)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0)
    process.kill()
    assert process.wait(60) == process.poll() == -signal.SIGKILL
    assert not is_alive(process.pid)
    process.kill()  # it has ended: nothing happens


def test_a_command_runs_to_its_end_and_what_it_said_comes_back(
    clean: dict[str, str], tmp_path: Path
) -> None:
    store = {"SURGELINE_ALERTS__URL": f"sqlite+aiosqlite:///{tmp_path}/alerts.db"}

    made = forked.run(["deploy.cli", "keys", "create", "anna", "--role", "viewer"], clean | store)
    listed = forked.run(["deploy.cli", "keys", "list"], clean | store)
    refused = forked.run(["deploy.cli", "keys", "create", "bert", "--role", "king"], clean | store)

    assert (made.returncode, listed.returncode, refused.returncode) == (0, 0, 2)
    assert "anna" in listed.stdout
    assert "bert" not in listed.stdout
    assert "king" in refused.stderr


def test_a_command_that_takes_too_long_is_ended(clean: dict[str, str], tmp_path: Path) -> None:
    endless = clean | {"SURGELINE_VAR_DIR": str(tmp_path)}

    with pytest.raises(subprocess.TimeoutExpired):
        forked.run(["api"], endless | {"SURGELINE_API__PORT": "0"}, timeout_s=0)
