"""The frame of every program: Ctrl-C at any moment, pipes that close, disks that are full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from common.terminal.entry import system_refusal

REPOSITORY = Path(__file__).parents[3]

INTERRUPTED_AT = """
import builtins, os, signal, sys
from deploy.cli import main
at, program, *arguments = sys.argv[1:]
if program != "surgeline":
    module = __import__(f"{program}.__main__", fromlist=["load"])
imported, real = 0, builtins.__import__
def counting(*args, **kwargs):
    global imported
    imported += 1
    if imported == int(at):
        os.write(1, b"now")
        os.kill(os.getpid(), signal.SIGINT)
    return real(*args, **kwargs)
sys.argv[:] = [program, *arguments]
builtins.__import__ = counting
if program == "surgeline":
    main()
else:
    module.run_program(module.load)
"""


def interrupted(at: int, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program that gets SIGINT when it imports something for the so-many-th time."""
    clean = {name: v for name, v in os.environ.items() if not name.startswith("SURGELINE_")}
    return subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT, str(at), *command],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env=clean | {"SURGELINE_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"},
        timeout=60,
    )


@pytest.mark.parametrize("at", [1, 2, 10, 100, 400, 1500, 4000])
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["surgeline", "settings"], id="settings"),
        pytest.param(["surgeline", "alerts", "--url", "http://127.0.0.1:1"], id="alerts"),
        pytest.param(["surgeline", "deadletter", "list"], id="deadletter"),
        pytest.param(["producer", "replay", "--dataset", "SIM", "--engines", "1"], id="producer"),
    ],
)
def test_ctrl_c_while_a_program_is_imported_ends_it_in_one_word(
    command: list[str], at: int
) -> None:
    done = interrupted(at, *command)

    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if "now" in done.stdout:
        assert done.stderr.splitlines()[-1] == "stopped."
        assert done.returncode == 130
    else:
        assert at >= 400  # it imports less than that


@pytest.mark.parametrize("at", [1, 50, 1000])
@pytest.mark.parametrize("program", ["detector", "api"])
def test_ctrl_c_while_a_service_is_imported_ends_it_in_one_word(program: str, at: int) -> None:
    done = interrupted(at, program)

    assert (done.stdout, done.stderr, done.returncode) == ("now", "stopped.\n", 130)


def test_a_program_started_to_ignore_ctrl_c_goes_on_ignoring_it() -> None:
    """As a shell starts what is followed by ``&`` in a script."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT, "100", "surgeline", "settings"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        timeout=60,
    )

    assert done.returncode == 0
    assert "SURGELINE_DATA_DIR" in done.stdout


def run(shell: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell; ``$S`` is the ``surgeline`` command."""
    clean = {name: v for name, v in os.environ.items() if not name.startswith("SURGELINE_")}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; S='{sys.executable} -m deploy.cli'; {shell}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env=clean | variables,
        timeout=60,
    )


@pytest.mark.parametrize("command", ["settings", "--help", "version", "replay --help"])
def test_a_reader_that_has_seen_enough_is_no_error(command: str) -> None:
    done = run(f"$S {command} | true")

    assert done.stderr == ""


@pytest.mark.parametrize("command", ["settings", "version", "--help"])
def test_a_full_disk_behind_the_output_is_one_line(command: str) -> None:
    done = run(f"$S {command} > /dev/full")

    assert done.returncode == 1
    assert done.stderr == "failed: the output cannot be written: No space left on device.\n"


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"PYTHONIOENCODING": "ascii"}, id="ascii"),
        pytest.param({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, id="C"),
        pytest.param({"PYTHONIOENCODING": "latin-1"}, id="latin-1"),
        pytest.param({"COLUMNS": "1"}, id="one column"),
        pytest.param({"COLUMNS": "0"}, id="no column"),
        pytest.param({"COLUMNS": "x", "TERM": "dumb"}, id="no terminal"),
    ],
)
@pytest.mark.parametrize("command", ["settings", "--help", "replay --help", "repaly", "data check"])
def test_any_terminal_will_do(command: str, variables: dict[str, str]) -> None:
    done = run(f"$S {command}", **variables)

    assert done.returncode in (0, 2)
    assert "Traceback" not in done.stderr
    assert done.stdout + done.stderr


def test_a_working_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()

    done = run(f"cd {gone}; rmdir {gone}; $S up", PYTHONPATH=str(REPOSITORY))

    assert done.returncode == 1
    assert done.stderr == "failed: the working folder is gone; change to one that exists.\n"


@pytest.mark.parametrize(
    ("exc", "said"),
    [
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied."),
        (OSError(28, "No space left on device"), "the output cannot be written: No space"),
        (ConnectionRefusedError(111, "Connection refused"), None),
        (OSError("odd"), None),
    ],
)
def test_what_the_system_refused_is_said_and_what_is_a_defect_is_not_hidden(
    exc: OSError, said: str | None
) -> None:
    found = system_refusal(exc)

    assert (found is None) if said is None else (found or "").startswith(said)
